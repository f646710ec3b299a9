import type { ComponentChildren } from "preact";
import type { Schemas } from "../api/client";
import { outputText } from "../run/content";
import { Visible } from "../run/messages";
import { Output } from "../run/output";
import { bytes, milliseconds } from "../shared/format";

type Submission = Schemas["JobRequest"];

/** What was submitted: the program, and what it is judged by. */
export function SubmissionView({ sent }: { sent: Submission }) {
  const files = sent.files ?? [];
  return (
    <>
      {files.map((f, i) => (
        <Output
          key={`${i}/${f.name}`}
          title={f.name ?? `File ${i + 1}`}
          text={outputText(f.content, f.encoding)}
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
    ["Tests", plain(s) ? "none: it only runs" : String(s.tests?.length ?? 0)],
  ];
  if (s.args?.length) {
    all.push(["Arguments", <Visible key="args" text={s.args.map((a) => JSON.stringify(a)).join(" ")} />]);
  }
  if (s.checker) all.push(["Checker", checkerText(s.checker)]);
  if (s.stop_on_failure) all.push(["Stops", "at the first test that fails"]);
  for (const [name, value] of limitTexts(s.limits)) all.push([name, value]);
  return all;
}

/** Tells whether a submission is a plain run: one test, whose output nothing is compared with. */
export function plain(s: Submission): boolean {
  const [only, ...more] = s.tests ?? [];
  if (only === undefined) return true;
  return more.length === 0 && only.id === "1" && only.expected_output === undefined && !only.limits;
}

/** Gives a plain run in the form that states its input alone, as the Run view makes it. */
export function asWritten(s: Submission): Submission {
  const only = s.tests?.[0];
  if (!only || !plain(s)) return s;
  const { tests: _, ...rest } = s;
  const run: Submission = { ...rest, stdin: only.input ?? "" };
  if (only.encoding) run.stdin_encoding = only.encoding;
  return run;
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
