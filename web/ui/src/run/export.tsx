import { useSignal } from "@preact/signals";
import { base } from "../api/client";
import { apiKey } from "../api/keys";
import { Button, CopyButton, Dialog } from "../shared/basics";
import { bytes } from "../shared/format";
import { TabPanel, Tabs } from "../shared/tabs";
import { unseen } from "../shared/visible";
import { cutAt, sizeOf } from "./content";
import type { Submission } from "./draft";
import { save } from "./output";

/** The longest body that stands in a command line; a longer one is a file beside it. */
const inline = 60_000;
/** How much of it is shown, in characters. */
const shown = 20_000;

/**
 * Gives JSON in which what shows nothing, deceives, or steers a terminal is escaped: who pastes it somewhere
 * pastes what is seen here, whoever has written the program.
 */
function jsonOf(s: Submission, indent?: number): string {
  const hex = (c: string, i: number) => `\\u${c.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return JSON.stringify(s, null, indent).replace(unseen, (c) => hex(c, 0) + (c.length > 1 ? hex(c, 1) : ""));
}

/** What can be exported: what was sent, and what the form holds where it can be sent. */
export type Exported =
  | { sent: Submission; form: Submission | undefined }
  | { sent?: undefined; form: Submission };

/** A submission as a command, and as the JSON that the API takes. */
export function ExportDialog({ of, close }: { of: Exported; close(): void }) {
  const tab = useSignal<"curl" | "json">("curl");
  const chosen = useSignal<Submission>(of.sent ?? of.form);
  const json = jsonOf(chosen.value, 2);
  const command = curl(chosen.value);
  const text = tab.value === "curl" ? command : json;
  const sent = chosen.value === of.sent;
  const other = sent ? of.form : of.sent;
  const changed = other !== undefined && JSON.stringify(of.sent) !== JSON.stringify(of.form);
  return (
    <Dialog title={sent ? "What was sent" : "What would be sent"} onClose={close} wide>
      {changed ? (
        <div class="note row">
          <span>What stands in the form by now is not what was sent.</span>
          <span class="gap" />
          <Button onClick={() => (chosen.value = other)}>
            {sent ? "Show what would be sent" : "Show what was sent"}
          </Button>
        </div>
      ) : null}
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
  const end = cutAt(text, shown);
  return text.length > shown ? `${text.slice(0, end)}\n… ${bytes(sizeOf(text.slice(end)))} more` : text;
}

/** Gives the command that submits it and waits; a key stands in a variable of the shell. */
export function curl(s: Submission): string {
  const json = jsonOf(s);
  const key = apiKey.value ? ` -H "Authorization: Bearer $OPTIMUS_KEY"` : "";
  const body = json.length > inline ? "@job.json" : quoted(json);
  return `curl ${quoted(`${base}v1/jobs?wait=30s`)} -H 'Content-Type: application/json'${key} --data-binary ${body}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
