import type { ComponentChildren } from "preact";
import { Visible } from "../shared/named";
import { visible } from "../shared/visible";
import { cutAt } from "./content";
import type { Jumps, Mark } from "./editor";

/** A place of the source that a line of messages names. */
interface Place {
  from: number;
  to: number;
  line: number;
  column?: number;
}

/**
 * Finds the places of a source file in a line of a compiler's or an interpreter's messages: main.cpp:2:5,
 * Main.java:3, File "main.py", line 3, main.sh: line 3.
 */
function placesIn(text: string, file: string): Place[] {
  const name = file.replace(/[^\w]/g, "\\$&");
  const pattern = new RegExp(
    `(?<![\\w.-])${name}(?:", line |: line |:|\\()(\\d{1,7})(?:[:,](\\d{1,7}))?`,
    "g",
  );
  return Array.from(text.matchAll(pattern), (m) => ({
    from: m.index,
    to: m.index + m[0].length,
    line: Number(m[1]),
    ...(m[2] ? { column: Number(m[2]) } : {}),
  }));
}

/** The longest text in which places are looked for, in characters. */
const longest = 256 << 10;

/** Gives the messages of a compile, by line of the source. */
export function marksOf(text: string, file: string): Mark[] {
  const marks: Mark[] = [];
  let title = "";
  for (const line of text.slice(0, longest).split("\n")) {
    const place = placesIn(line, file)[0];
    if (!place) {
      if (/^(error|warning|note)\b/.test(line)) title = line; // Rust says it before the place
      continue;
    }
    const rest = line.slice(place.to).replace(/^[:\s]+/, "") || title;
    if (!rest || /^(In|At) /.test(rest)) continue;
    const severity = /^warning/.test(rest) ? "warning" : /^(note|info)/.test(rest) ? "info" : "error";
    marks.push({ ...place, severity, message: brief(rest) });
    if (marks.length === 100) break;
  }
  return marks;
}

/** Gives a message as it is shown beside a line: not too long, and with what is unseen named. */
function brief(message: string): string {
  const end = cutAt(message, 500);
  const shown = visible(message.slice(0, end), 0)[0]?.text ?? "";
  return message.length > end ? `${shown}…` : shown;
}

/** Gives the place at which a program has failed, by the last one of its source that is named. */
export function failureMark(stderr: string, file: string): Mark[] {
  const lines = stderr.slice(-longest).trimEnd().split("\n");
  const places = lines.flatMap((l) => placesIn(l, file));
  const last = places.at(-1);
  if (!last) return [];
  return [{ ...last, severity: "error", message: brief(lines.at(-1) ?? "") }];
}

/** Messages in which the places of the source are buttons that lead there. */
export function Messages(props: { text: string; file: string; editor: () => Jumps | undefined }) {
  const { text, file, editor } = props;
  const split = text.split("\n");
  return split.map((line, i) => {
    const parts: ComponentChildren[] = [];
    let start = 0;
    for (const p of placesIn(line, file)) {
      parts.push(<Visible key={start} text={line.slice(start, p.from)} />);
      parts.push(
        <button
          key={p.from}
          type="button"
          class="place"
          title={`Go to line ${p.line}`}
          onClick={() => editor()?.jump(p.line, p.column)}
        >
          {line.slice(p.from, p.to)}
        </button>,
      );
      start = p.to;
    }
    return (
      <span key={i}>
        {parts}
        <Visible text={line.slice(start)} />
        {i < split.length - 1 ? "\n" : null}
      </span>
    );
  });
}
