import type { Signal } from "@preact/signals";
import type { Schemas } from "../api/client";
import { amount } from "../shared/format";
import { self } from "../shared/self";
import { Field, TabPanel, Tabs } from "../shared/tabs";
import { draft, limitFields, limitTexts } from "./draft";
import { ContentField, TestRows } from "./testrows";

export type InputTab = "stdin" | "tests" | "limits";

/** What the program is given: standard input or tests, and its limits. */
export function InputPanel(props: {
  chosen: Signal<InputTab>;
  language: Schemas["LanguageInfo"] | undefined;
}) {
  const { chosen, language } = props;
  const tests = draft.tests.value.length;
  const stated = Object.values(draft.limits.value).filter((v) => v.trim() !== "").length;
  return (
    <section class="input" aria-label="What the program is given">
      <Tabs
        id="input"
        label="Input"
        chosen={chosen.value}
        choose={(name) => (chosen.value = name)}
        tabs={[
          { name: "stdin", title: "Standard input" },
          {
            name: "tests",
            title: <>Tests {tests > 0 ? <span class="count">{tests}</span> : null}</>,
          },
          {
            name: "limits",
            title: <>Limits {stated > 0 ? <span class="count">{stated}</span> : null}</>,
          },
        ]}
      />
      <TabPanel id="input" name="stdin" chosen={chosen.value} class="panel">
        {tests > 0 ? (
          <p class="note">There are tests, and each has its own input: this one is not sent.</p>
        ) : null}
        <ContentField
          label="Standard input"
          rows={6}
          value={draft.stdin.value}
          set={(v) => (draft.stdin.value = v)}
        />
        <Field label="Arguments" hint="one a line">
          {(id) => (
            <textarea
              id={id}
              rows={1}
              spellcheck={false}
              value={draft.args.value}
              onInput={(e) => (draft.args.value = e.currentTarget.value)}
            />
          )}
        </Field>
      </TabPanel>
      <TabPanel id="input" name="tests" chosen={chosen.value} class="panel">
        <TestRows />
      </TabPanel>
      <TabPanel id="input" name="limits" chosen={chosen.value} class="panel">
        <Limits language={language} />
      </TabPanel>
    </section>
  );
}

function Limits({ language }: { language: Schemas["LanguageInfo"] | undefined }) {
  const own = limitTexts(language?.limits);
  const most = self.value?.limits.run;
  return (
    <>
      <p class="muted small">
        Of every test. What is left empty is the language’s own.
        {language && language.time_factor !== 1 ? ` Times are multiplied by ${language.time_factor}.` : ""}
        {language && language.memory_factor !== 1
          ? ` Memory is multiplied by ${language.memory_factor}.`
          : ""}
      </p>
      <div class="limits">
        {limitFields.map(({ name, label, unit, scale }) => (
          <Field key={name} label={label} hint={hint(unit, most?.[name], scale)}>
            {(id) => (
              <input
                id={id}
                inputMode="decimal"
                placeholder={own[name]}
                value={draft.limits.value[name]}
                onInput={(e) =>
                  (draft.limits.value = { ...draft.limits.peek(), [name]: e.currentTarget.value })
                }
              />
            )}
          </Field>
        ))}
      </div>
    </>
  );
}

/** Says a limit's unit, and the most that the server allows. */
function hint(unit: string, most: number | undefined, scale: number): string {
  return [unit, most === undefined ? "" : `≤ ${amount(Math.floor(most / scale))}`].filter(Boolean).join(", ");
}
