import { useSignal } from "@preact/signals";
import { base } from "../api/client";
import { apiKey } from "../api/keys";
import { Button, CopyButton, Dialog } from "../shared/basics";
import { bytes } from "../shared/format";
import { TabPanel, Tabs } from "../shared/tabs";
import { sizeOf } from "./content";
import type { Submission } from "./draft";
import { save } from "./output";

/** The longest body that stands in a command line; a longer one is a file beside it. */
const inline = 60_000;
/** How much of it is shown, in characters. */
const shown = 20_000;

/** A submission as a command, and as the JSON that the API takes. */
export function ExportDialog(props: { submission: Submission; sent: boolean; close(): void }) {
  const tab = useSignal<"curl" | "json">("curl");
  const json = JSON.stringify(props.submission, null, 2);
  const command = curl(props.submission);
  const text = tab.value === "curl" ? command : json;
  return (
    <Dialog title={props.sent ? "What was sent" : "What would be sent"} onClose={props.close} wide>
      <Tabs
        id="export"
        label="Form"
        chosen={tab.value}
        choose={(name) => (tab.value = name)}
        tabs={[
          { name: "curl", title: "As curl" },
          { name: "json", title: "As JSON" },
        ]}
      />
      {(["curl", "json"] as const).map((name) => (
        <TabPanel key={name} id="export" name={name} chosen={tab.value}>
          <pre class="output" tabIndex={0} role="region" aria-label={name === "curl" ? "Command" : "JSON"}>
            {cut(name === "curl" ? command : json)}
          </pre>
        </TabPanel>
      ))}
      <div class="row end">
        <Button onClick={() => save(json, "job.json", "application/json")}>Save job.json</Button>
        <CopyButton text={text} />
      </div>
    </Dialog>
  );
}

function cut(text: string): string {
  return text.length > shown ? `${text.slice(0, shown)}\n… ${bytes(sizeOf(text.slice(shown)))} more` : text;
}

/** Gives the command that submits it and waits; a key stands in a variable of the shell. */
export function curl(s: Submission): string {
  const json = JSON.stringify(s);
  const key = apiKey.value ? ` -H "Authorization: Bearer $OPTIMUS_KEY"` : "";
  const body = json.length > inline ? "@job.json" : quoted(json);
  return `curl ${quoted(`${base}v1/jobs?wait=30s`)} -H 'Content-Type: application/json'${key} --data-binary ${body}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
