import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { Schemas } from "../api/client";
import { outputText, sizeOf } from "../run/content";
import { bytes, milliseconds } from "../shared/format";
import { Visible } from "../shared/named";
import { isPlain } from "../shared/submission";
import { Source } from "./source";

type Submission = Schemas["JobRequest"];

/** A line of the main file that is to be shown. */
export type Target = { line: number } | undefined;

/** What was submitted: the program, and what it is judged by. */
export function SubmissionView({ sent, target }: { sent: Submission; target: Signal<Target> }) {
  const files = sent.files ?? [];
  return (
    <>
      {files.map((f, i) => (
        <Source
          key={`${i}/${f.name}`}
          name={f.name ?? `File ${i + 1}`}
          text={outputText(f.content, f.encoding)}
          size={f.encoding === "base64" ? Math.floor((f.content.length * 3) / 4) : sizeOf(f.content)}
          {...(i === 0 ? { target } : {})}
        />
      ))}
      <dl class="figures">
        {facts(sent).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function facts(s: Submission): [string, ComponentChildren][] {
  const all: [string, ComponentChildren][] = [
    ["Tests", isPlain(s) ? "none: it only runs" : String(s.tests?.length ?? 0)],
  ];
  if (s.args?.length) {
    all.push(["Arguments", <Visible key="args" text={s.args.map((a) => JSON.stringify(a)).join(" ")} />]);
  }
  if (s.checker) all.push(["Checker", checkerText(s.checker)]);
  if (s.stop_on_failure) all.push(["Stops", "at the first test that fails"]);
  for (const [name, value] of limitTexts(s.limits)) all.push([name, value]);
  return all;
}

function checkerText(c: Schemas["CheckerRequest"]): string {
  const bounds = [
    c.absolute === undefined ? "" : `absolute ${c.absolute}`,
    c.relative === undefined ? "" : `relative ${c.relative}`,
  ].filter(Boolean);
  return bounds.length > 0 ? `${c.kind} (${bounds.join(", ")})` : c.kind;
}

/** Says the limits that are stated, in words. */
function limitTexts(limits: Schemas["LimitsRequest"] | undefined): [string, string][] {
  const l = limits ?? {};
  const all: [string, string | undefined][] = [
    ["CPU limit", say(l.cpu_ms, milliseconds)],
    ["Wall limit", say(l.wall_ms, milliseconds)],
    ["Memory limit", say(l.memory_bytes, bytes)],
    ["Output limit", say(l.output_bytes, bytes)],
    ["Processes", say(l.processes, String)],
    ["File size", say(l.file_size_bytes, bytes)],
    ["Open files", say(l.open_files, String)],
    ["Stack", say(l.stack_bytes, bytes)],
    ["Disk", say(l.disk_bytes, bytes)],
  ];
  return all.filter((one): one is [string, string] => one[1] !== undefined);
}

function say(n: number | undefined, how: (n: number) => string): string | undefined {
  return n === undefined ? undefined : how(n);
}
