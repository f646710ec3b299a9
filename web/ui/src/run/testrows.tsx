import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { Button, Dialog, ErrorNote } from "../shared/basics";
import { bytes } from "../shared/format";
import { Visible } from "../shared/named";
import { self } from "../shared/self";
import { Field } from "../shared/tabs";
import { type Content, cutAt, sizeOf } from "./content";
import { type CheckerKind, changeRow, draft, newRow, type TestRow } from "./draft";
import { done, dragged, removeAll, take } from "./dropped";
import { fileBounds, readPasted, separators } from "./files";

/** Rows that are shown at once; more are asked for. */
const firstRows = 100;
/** The longest text that is edited in a field, in characters; what is longer is kept, and can be removed. */
const editable = 100_000;

/** The tests as rows, and the ways to add some. */
export function TestRows() {
  const pasting = useSignal(false);
  const shown = useSignal(firstRows);
  const opened = useSignal(0);
  const chooser = useRef<HTMLInputElement>(null);
  const tests = draft.tests.value;
  const add = () => {
    const row = newRow();
    opened.value = row.key;
    draft.tests.value = [...draft.tests.peek(), row];
  };
  return (
    <div class="stack drop" data-over={dragged.value}>
      <div class="row">
        <Button onClick={add}>Add a test</Button>
        <Button onClick={() => (pasting.value = true)}>Paste…</Button>
        <Button onClick={() => chooser.current?.click()}>Files…</Button>
        <input
          ref={chooser}
          type="file"
          multiple
          hidden
          aria-label="Files with tests"
          onChange={(e) => {
            const files = Array.from(e.currentTarget.files ?? []);
            e.currentTarget.value = "";
            void take(files);
          }}
        />
        <span class="gap" />
        {tests.length > 1 ? (
          <label class="row small">
            <input
              type="checkbox"
              checked={draft.stopOnFailure.value}
              onChange={(e) => (draft.stopOnFailure.value = e.currentTarget.checked)}
            />
            Stop at the first failure
          </label>
        ) : null}
        {tests.length > 0 ? (
          <Button kind="quiet" onClick={removeAll}>
            Remove all
          </Button>
        ) : null}
      </div>
      <Told />
      {tests.length === 0 ? (
        <p class="empty">
          Without tests the program runs once, with the standard input. Drop a .zip here, or files such as
          1.in and 1.out.
        </p>
      ) : null}
      <ol class="rows">
        {tests.slice(0, shown.value).map((t, i) => (
          <li key={t.key}>
            <Row row={t} number={i + 1} open={t.key === opened.value || tests.length <= 2} />
          </li>
        ))}
      </ol>
      {tests.length > shown.value ? (
        <Button onClick={() => (shown.value = tests.length)}>Show all {tests.length}</Button>
      ) : null}
      {pasting.value ? <PasteDialog close={() => (pasting.value = false)} /> : null}
    </div>
  );
}

/** What was last done to the tests at once; what was removed can be had back until there are others. */
function Told() {
  const now = done.value;
  if (!now) return null;
  if ("error" in now) return <ErrorNote error={now.error} />;
  if ("removed" in now) {
    if (draft.tests.value.length > 0) return null;
    return (
      <div class="note row" role="status">
        <span>
          {now.removed.length} {now.removed.length === 1 ? "test" : "tests"} removed.
        </span>
        <span class="gap" />
        <Button
          onClick={() => {
            draft.tests.value = now.removed;
            done.value = undefined;
          }}
        >
          Undo
        </Button>
      </div>
    );
  }
  return (
    <div class="note" role="status">
      <strong>
        {now.count} {now.count === 1 ? "test" : "tests"} added
      </strong>
      {now.notes.map((n) => (
        <p key={n}>
          <Visible text={n} />
        </p>
      ))}
    </div>
  );
}

type Choice = CheckerKind | "none";
const checkers: readonly [Choice, string][] = [
  ["trim", "trim: but for white space at ends"],
  ["exact", "exact: byte for byte"],
  ["tokens", "tokens: word by word"],
  ["float", "float: numbers within a tolerance"],
  ["none", "none: only run"],
];

function Row({ row, number, open }: { row: TestRow; number: number; open: boolean }) {
  const name = row.id || String(number);
  const remove = () => (draft.tests.value = draft.tests.peek().filter((t) => t.key !== row.key));
  const choice: Choice = row.expected === undefined ? "none" : row.checker.kind;
  const choose = (to: Choice) => {
    if (to === "none") changeRow(row.key, { expected: undefined });
    else changeRow(row.key, { checker: { kind: to }, expected: row.expected ?? "" });
  };
  return (
    <details open={open}>
      <summary>
        <span class="name">
          <Visible text={name} />
        </span>
        <span class="glimpse">
          <Visible text={glimpse(row.input)} />
        </span>
        <span class="muted" aria-hidden="true">
          →
        </span>
        <span class="glimpse">
          {row.expected === undefined ? <i>only run</i> : <Visible text={glimpse(row.expected)} />}
        </span>
        <span class="gap" />
        {row.weight !== 1 ? <span class="small muted">weight {row.weight}</span> : null}
        {choice !== "trim" && choice !== "none" ? <span class="small muted">{choice}</span> : null}
      </summary>
      <div class="pair">
        <ContentField
          label="Input"
          of={name}
          value={row.input}
          set={(input) => changeRow(row.key, { input })}
        />
        {row.expected === undefined ? null : (
          <ContentField
            label="Expected output"
            of={name}
            value={row.expected}
            set={(expected) => changeRow(row.key, { expected })}
          />
        )}
      </div>
      <div class="row bottom">
        <Field label="Name">
          {(id) => (
            <input
              id={id}
              size={8}
              placeholder={String(number)}
              value={row.id}
              onInput={(e) => changeRow(row.key, { id: e.currentTarget.value })}
            />
          )}
        </Field>
        <Field label="Weight">
          {(id) => (
            <input
              id={id}
              type="number"
              min="0"
              step="any"
              class="figure"
              value={row.weight}
              onInput={(e) => changeRow(row.key, { weight: e.currentTarget.valueAsNumber || 0 })}
            />
          )}
        </Field>
        <Field label="Checker">
          {(id) => (
            <select id={id} value={choice} onChange={(e) => choose(e.currentTarget.value as Choice)}>
              {checkers.map(([kind, text]) => (
                <option key={kind} value={kind}>
                  {text}
                </option>
              ))}
            </select>
          )}
        </Field>
        {choice === "float" ? <Tolerances row={row} /> : null}
        <span class="gap" />
        <Button kind="quiet" onClick={remove} aria-label={`Remove test ${name}`}>
          Remove
        </Button>
      </div>
    </details>
  );
}

function Tolerances({ row }: { row: TestRow }) {
  const set = (name: "absolute" | "relative", text: string) => {
    const { [name]: _, ...rest } = row.checker;
    changeRow(row.key, { checker: text === "" ? rest : { ...rest, [name]: Number(text) } });
  };
  return (
    <>
      {(["absolute", "relative"] as const).map((name) => (
        <Field key={name} label={name === "absolute" ? "Absolute" : "Relative"}>
          {(id) => (
            <input
              id={id}
              type="number"
              min="0"
              step="any"
              class="figure"
              placeholder="1e-6"
              value={row.checker[name] ?? ""}
              onInput={(e) => set(name, e.currentTarget.value)}
            />
          )}
        </Field>
      ))}
    </>
  );
}

/** The beginning of a content, on one line. */
function glimpse(c: Content): string {
  if (typeof c !== "string") return `${bytes(c.length)} of binary`;
  if (c === "") return "empty";
  const text = c.slice(0, cutAt(c, 60)).trimEnd().replaceAll("\n", " ⏎ ");
  return c.length > 60 ? `${text}… (${bytes(sizeOf(c))})` : text;
}

/** A field for what a program reads or should write; what is too long for a field is said, and kept. */
export function ContentField(props: {
  label: string;
  /** The test that it is of, for screen readers. */
  of?: string;
  value: Content;
  rows?: number;
  set(value: string): void;
}) {
  const { label, of, value, set } = props;
  if (typeof value !== "string" || value.length > editable) {
    return (
      <div class="field">
        <span>{label}</span>
        <p class="note row">
          <span>
            {bytes(sizeOf(value))} {typeof value === "string" ? "of text" : "that are no text"}, sent as they
            are
          </span>
          <Button onClick={() => set("")}>Remove</Button>
        </p>
      </div>
    );
  }
  return (
    <Field label={label}>
      {(id) => (
        <textarea
          id={id}
          aria-label={of ? `${label} of test ${of}` : undefined}
          rows={props.rows ?? 3}
          spellcheck={false}
          value={value}
          onInput={(e) => set(e.currentTarget.value)}
        />
      )}
    </Field>
  );
}

function PasteDialog({ close }: { close(): void }) {
  const text = useSignal("");
  const error = useSignal<unknown>(undefined);
  const add = (e: Event) => {
    e.preventDefault();
    try {
      draft.tests.value = [
        ...draft.tests.peek(),
        ...readPasted(text.value, fileBounds(self.peek()?.limits).tests),
      ];
      close();
    } catch (e) {
      error.value = e;
    }
  };
  return (
    <Dialog title="Paste tests" onClose={close} wide>
      <form class="stack" onSubmit={add}>
        <p class="muted">
          An input, a line <code>{separators.parts}</code>, its expected output; a line{" "}
          <code>{separators.tests}</code> begins the next test. Or JSON, as the API takes it.
        </p>
        <Field label="Tests">
          {(id) => (
            <textarea
              id={id}
              rows={12}
              spellcheck={false}
              placeholder={"1 2\n---\n3\n===\n40 2\n---\n42"}
              value={text.value}
              onInput={(e) => (text.value = e.currentTarget.value)}
            />
          )}
        </Field>
        <ErrorNote error={error.value} />
        <div class="row end">
          <Button kind="primary" type="submit">
            Add them
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
