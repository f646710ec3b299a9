import { useComputed, useSignal } from "@preact/signals";
import { Button } from "../shared/basics";
import { codePoint, visible } from "../shared/visible";
import { cutAt } from "./content";
import { type DiffLine, diffLines, type Fold, fold } from "./diff";

/** The longest part of a line that is shown, in characters. */
const longest = 400;
const firstRows = 200;

/** Expected and actual output, line by line, with white space made visible where they differ. */
export function Diff({ expected, actual }: { expected: string; actual: string }) {
  const rows = useSignal(firstRows);
  const texts = useSignal({ expected, actual });
  if (texts.value.expected !== expected || texts.value.actual !== actual) texts.value = { expected, actual };
  const compared = useComputed(() => {
    const { lines, cut } = diffLines(texts.value.expected, texts.value.actual);
    return { shown: fold(lines), cut, same: lines.every((l) => l.kind === "same") };
  }).value;
  const shown = compared.shown.slice(0, rows.value);
  const rest = compared.shown.length - shown.length;
  return (
    <section class="written" aria-label="Expected and actual output">
      <header class="row">
        <h3>Difference</h3>
        <span class="small legend" data-kind="expected">
          − expected
        </span>
        <span class="small legend" data-kind="actual">
          + actual
        </span>
      </header>
      {compared.same ? (
        <p class="muted small none">Both have the same lines.</p>
      ) : (
        <section class="diff" tabIndex={0} aria-label="Difference, line by line">
          <table>
            <thead class="hidden">
              <tr>
                <th scope="col">Line of the expected output</th>
                <th scope="col">Line of the actual output</th>
                <th scope="col">Text</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((l) => (
                <Row key={keyOf(l)} line={l} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {rest > 0 ? (
        <p class="row small more">
          <span class="muted">{rest} more lines</span>
          <Button onClick={() => (rows.value += 5 * firstRows)}>Show more</Button>
        </p>
      ) : null}
      {compared.cut ? <p class="small muted">Only the first 20,000 lines were compared here.</p> : null}
    </section>
  );
}

const keys = new WeakMap<object, number>();
let made = 0;

function keyOf(line: object): number {
  const key = keys.get(line) ?? ++made;
  keys.set(line, key);
  return key;
}

function Row({ line }: { line: DiffLine | Fold }) {
  if (line.kind === "fold") {
    return (
      <tr class="fold">
        <td colSpan={3}>
          {line.lines} equal {line.lines === 1 ? "line" : "lines"}
        </td>
      </tr>
    );
  }
  const sign = { same: " ", expected: "−", actual: "+" }[line.kind];
  return (
    <tr data-kind={line.kind}>
      <td class="no">{line.expected}</td>
      <td class="no">{line.actual}</td>
      <td class="text">
        <span aria-hidden="true">{sign} </span>
        {line.kind === "same" ? null : <span class="hidden">{line.kind}: </span>}
        <Text line={line} />
      </td>
    </tr>
  );
}

/** A line's text, of which the part around what has changed is shown. */
function Text({ line }: { line: DiffLine }) {
  const { text } = line;
  const [from, to] = line.changed ?? [0, 0];
  const start =
    text.length > longest ? cutAt(text, Math.max(0, Math.min(from - 80, text.length - longest))) : 0;
  const end = cutAt(text, Math.min(text.length, start + longest));
  const cut = (a: number, b: number) => text.slice(Math.max(a, start), Math.max(start, Math.min(b, end)));
  const all = line.kind !== "same";
  return (
    <>
      {start > 0 ? <span class="sign">…{start} characters </span> : null}
      <Spaced text={cut(start, from)} all={all} />
      {line.changed ? (
        <mark>
          <Spaced text={cut(from, to)} all={all} />
        </mark>
      ) : null}
      <Spaced text={cut(line.changed ? to : from, end)} all={all} />
      {end < text.length ? <span class="sign"> {text.length - end} characters…</span> : null}
      {all && !text.endsWith("\n") ? <span class="sign"> no line break at the end</span> : null}
    </>
  );
}

function signOfSpace(c: string): string {
  const sign = { " ": "·", "\t": "→\t", "\n": "↵" }[c];
  return sign ?? `⟨${codePoint(c)}⟩`;
}

/** Text with its white space shown: all of it, or what stands at the end of the line alone. */
function Spaced({ text, all }: { text: string; all: boolean }) {
  const pattern = all ? /[ \t\n\p{Zs}]+/gu : /[ \t\p{Zs}]+(?=\n|$)/gu;
  return (
    <>
      {visible(all ? text : text.replace(/\n$/, "")).flatMap((p, i) => {
        if (p.hidden) {
          return (
            <span key={i} class="sign" title={p.hidden}>
              {p.text}
            </span>
          );
        }
        const parts = [];
        let start = 0;
        for (const m of p.text.matchAll(pattern)) {
          parts.push(p.text.slice(start, m.index));
          const space = Array.from(m[0], signOfSpace).join("");
          parts.push(
            <span key={`${i}-${m.index}`} class="space">
              {space}
            </span>,
          );
          start = m.index + m[0].length;
        }
        parts.push(p.text.slice(start));
        return parts;
      })}
    </>
  );
}
