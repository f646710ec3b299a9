import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { Schemas } from "../api/client";
import { href } from "../router";
import { Badge, Bar, Button, ErrorNote } from "../shared/basics";
import { amount, bytes, milliseconds, sentence } from "../shared/format";
import { Visible } from "../shared/named";
import { outputText } from "./content";
import { Diff } from "./diffview";
import type { Submission } from "./draft";
import type { Jumps } from "./editor";
import { cancel, outputOf, type Run, run, type TestState } from "./job";
import { Output } from "./output";
import { TestTable } from "./testtable";

interface Props {
  language: Schemas["LanguageInfo"] | undefined;
  editor: () => Jumps | undefined;
}

/** What became of the program: live while it runs, then its report. */
export function Result({ language, editor }: Props) {
  const now = run.value;
  return (
    <section class="result" aria-label="Result">
      <h2 class="hidden">Result</h2>
      <p class="hidden" role="status">
        {now ? said(now) : ""}
      </p>
      {now ? <Report now={now} language={language} editor={editor} /> : <Welcome language={language} />}
    </section>
  );
}

function Welcome({ language }: { language: Schemas["LanguageInfo"] | undefined }) {
  const own = language?.limits;
  return (
    <div class="welcome">
      <p>
        <kbd>{/Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl"}</kbd> <kbd>Enter</kbd> runs the
        program.
      </p>
      <p class="muted">
        With tests it is judged: each has a verdict, with the time and the memory that it took beside their
        limits.
      </p>
      <p class="muted small">
        In the editor <kbd>Tab</kbd> indents; <kbd>Esc</kbd>, then <kbd>Tab</kbd>, leaves it.
      </p>
      {language && own?.cpu_ms !== undefined && own.memory_bytes !== undefined ? (
        <p class="muted small">
          {language.display_name} has {milliseconds(own.cpu_ms)} of CPU time and {bytes(own.memory_bytes)} of
          memory, unless you set other limits.
        </p>
      ) : null}
    </div>
  );
}

/** What a screen reader says of it. */
function said(now: Run): string {
  const done = now.tests.filter((t) => t.report).length;
  if (now.phase !== "ended")
    return `${sentence(now.phase)}${done > 0 ? `, ${done} of ${now.tests.length} tests` : ""}`;
  if (now.error !== undefined) return unknown(now);
  return sentence(now.verdict ?? now.job?.state ?? "ended");
}

function Report({ now, language, editor }: Props & { now: Run }) {
  const chosen = useSignal<string | undefined>(undefined);
  useEffect(() => {
    chosen.value = undefined;
  }, [now.id]);
  const shown = now.tests.find((t) => t.id === chosen.value) ?? telling(now);
  const judged = (now.sent?.tests?.length ?? 0) > 0 || now.tests.length > 1;
  const file = now.sent?.files?.[0]?.name ?? language?.source_file ?? "main";
  const failed = now.compile !== undefined && now.compile.exit_code !== 0;
  const refused = now.error !== undefined && now.id === undefined;
  return (
    <>
      <Headline now={now} />
      <ErrorNote error={now.error} />
      {now.note ? <p class="note warn">{now.note}</p> : null}
      {now.job?.error ? (
        <p class="note bad">
          <Visible text={now.job.error} />
        </p>
      ) : null}
      {now.compile ? <Compile run={now.compile} file={file} editor={editor} /> : null}
      {judged && !failed && !refused ? (
        <TestTable
          tests={now.tests}
          limitsOf={(t) => limitsOf(t, now, language)}
          chosen={shown?.id}
          choose={(id) => (chosen.value = id)}
          running={now.phase === "running"}
        />
      ) : null}
      {shown && !failed ? (
        <TestReport
          key={shown.id}
          test={shown}
          now={now}
          alone={!judged}
          limits={limitsOf(shown, now, language)}
          file={file}
          editor={editor}
        />
      ) : null}
    </>
  );
}

/** The test that is shown until one is chosen: the first of the job's verdict, or that failed, else the last that runs, else the first. */
export function telling(now: Run): TestState | undefined {
  const failed = now.tests.filter((t) => t.report && !["accepted", "skipped"].includes(t.report.verdict));
  const worst = failed.find((t) => t.report?.verdict === now.verdict) ?? failed[0];
  if (worst) return worst;
  const writes = now.tests.findLast((t) => !t.report && (t.stdout !== "" || t.stderr !== ""));
  return writes ?? now.tests[0];
}

/** The limits of a test: its own, else the job's, else those of the job's language. */
export function limitsOf(
  t: TestState,
  now: Run,
  language: Schemas["LanguageInfo"] | undefined,
): Schemas["LimitsRequest"] {
  const own = now.sent?.tests?.find((one, i) => (one.id || String(i + 1)) === t.id)?.limits;
  const stated = { ...now.sent?.limits, ...own };
  const times = language?.time_factor ?? 1;
  if (stated.cpu_ms !== undefined) stated.cpu_ms *= times;
  if (stated.wall_ms !== undefined) stated.wall_ms *= times;
  if (stated.memory_bytes !== undefined) stated.memory_bytes *= language?.memory_factor ?? 1;
  return { ...language?.limits, ...stated };
}

const steps = ["queued", "compiling", "running"] as const;

function Headline({ now }: { now: Run }) {
  const done = now.tests.filter((t) => t.report).length;
  const { job } = now;
  return (
    <header class="headline">
      {now.phase === "ended" ? (
        <strong
          class="verdict"
          data-word={now.verdict ?? (now.error !== undefined ? "failed" : now.job?.state)}
        >
          {now.error !== undefined ? unknown(now) : sentence(now.verdict ?? job?.state ?? "ended")}
        </strong>
      ) : (
        <ol class="steps" aria-label="Progress">
          {steps
            .filter((s) => s !== "compiling" || now.compiled)
            .map((s) => (
              <li key={s} data-at={place(now, s)} aria-current={place(now, s) === "now" ? "step" : undefined}>
                {s === "running" && now.tests.length > 1
                  ? `Running, ${done} of ${now.tests.length} tests done`
                  : sentence(s)}
              </li>
            ))}
        </ol>
      )}
      <span class="facts muted small">{facts(now, done)}</span>
      <span class="gap" />
      {now.attempt > 1 ? <span class="badge">Attempt {now.attempt}</span> : null}
      {now.phase !== "ended" && now.id ? (
        <Button kind="danger" busy={now.cancelling} onClick={() => void cancel()}>
          {now.cancelling ? "Cancelling…" : "Cancel"}
        </Button>
      ) : null}
      {now.id && now.phase === "ended" ? (
        <a class="small" href={href("jobs", [now.id])}>
          Job
        </a>
      ) : null}
    </header>
  );
}

/** Says of a job of which the result is not known why: only one without an id was not taken. */
function unknown(now: Run): string {
  return now.id === undefined ? "Not run" : "No result";
}

function place(now: Run, step: (typeof steps)[number]): "done" | "now" | "later" {
  const at = now.phase === "sending" ? 0 : steps.indexOf(now.phase as (typeof steps)[number]);
  const own = steps.indexOf(step);
  return own < at ? "done" : own === at ? "now" : "later";
}

function facts(now: Run, done: number): string {
  const { job } = now;
  const parts: string[] = [];
  if (now.phase === "ended" && now.tests.length > 1 && done > 0) {
    const good = now.tests.filter((t) => t.report?.verdict === "accepted").length;
    parts.push(`${good} of ${now.tests.length} tests`);
  }
  if (job?.max_score !== undefined && job.score !== undefined && now.tests.length > 1) {
    parts.push(`score ${figure(job.score)} of ${figure(job.max_score)}`);
  }
  if (job?.started_at && job.finished_at) {
    parts.push(milliseconds(Math.max(0, Date.parse(job.finished_at) - Date.parse(job.started_at))));
  }
  return parts.join(" · ");
}

function figure(n: number): string {
  return amount(Number(n.toFixed(3)));
}

export function Compile({
  run: r,
  file,
  editor,
}: {
  run: Schemas["Run"];
  file: string;
  editor: Props["editor"];
}) {
  const text = `${outputText(r.stdout, r.stdout_encoding)}${outputText(r.stderr, r.stderr_encoding)}`;
  if (text === "" && r.exit_code === 0) return null;
  return (
    <>
      <Output
        title="Compiler messages"
        text={text}
        truncated={r.stdout_truncated === true || r.stderr_truncated === true}
        file={file}
        editor={editor}
      />
      {r.message ? (
        <p class="note">
          <Visible text={r.message} />
        </p>
      ) : null}
    </>
  );
}

interface TestProps {
  test: TestState;
  now: Run;
  /** It is a plain run, without tests. */
  alone: boolean;
  limits: Schemas["LimitsRequest"];
  file: string;
  editor: Props["editor"];
}

export function TestReport({ test, now, alone, limits, file, editor }: TestProps) {
  const out = outputOf(test, "stdout");
  const err = outputOf(test, "stderr");
  const r = test.report;
  const live = r?.run === undefined;
  const silent = out.text === "" && err.text === "";
  if (r === undefined && (silent || now.phase === "ended")) return null;
  const sent = sentTest(now.sent, test.id);
  const differs = r?.verdict === "wrong_answer" || r?.verdict === "presentation_error";
  return (
    <section class="report" aria-label={alone ? "Run" : `Test ${test.id}`}>
      {alone ? null : (
        <header class="row">
          <h2>
            Test <Visible text={test.id} />
          </h2>
          {r ? <Badge word={r.verdict} /> : <Badge word="running" />}
          {r && r.weight !== 1 ? <span class="muted small">weight {figure(r.weight)}</span> : null}
        </header>
      )}
      {r?.reason ? (
        <p class="reason">
          <Visible text={r.reason} />
        </p>
      ) : null}
      {r?.run ? <Figures run={r.run} limits={limits} /> : null}
      {differs && sent?.expected !== undefined ? <Diff expected={sent.expected} actual={out.text} /> : null}
      {live && silent ? null : (
        <>
          <Output title="Standard output" text={out.text} truncated={out.truncated} live={live} />
          {err.text !== "" ? (
            <Output
              title="Standard error"
              text={err.text}
              truncated={err.truncated}
              live={live}
              file={file}
              editor={editor}
            />
          ) : null}
        </>
      )}
      {!alone && sent ? (
        <>
          <Output title="Input" text={sent.input} />
          {sent.expected !== undefined && !differs ? (
            <Output title="Expected output" text={sent.expected} />
          ) : null}
        </>
      ) : null}
    </section>
  );
}

function sentTest(
  sent: Submission | undefined,
  id: string,
): { input: string; expected?: string } | undefined {
  const t = sent?.tests?.find((one, i) => (one.id || String(i + 1)) === id);
  if (!t) return undefined;
  // Bytes that are no text are shown as those of an output are.
  const text = (s: string) => outputText(s, t.encoding);
  const input = text(t.input ?? "");
  return t.expected_output === undefined ? { input } : { input, expected: text(t.expected_output) };
}

/** What a run took, beside what it might have. */
function Figures({ run: r, limits }: { run: Schemas["Run"]; limits: Schemas["LimitsRequest"] }) {
  const ended =
    r.signal_name ??
    (r.signal ? `signal ${r.signal}` : r.exit_code !== undefined ? `status ${r.exit_code}` : "–");
  return (
    <dl class="figures">
      <Figure name="CPU time">
        <Bar label="CPU time" value={r.cpu_ms} limit={limits.cpu_ms} text={milliseconds(r.cpu_ms)} />
      </Figure>
      <Figure name="Wall time">
        <Bar label="Wall time" value={r.wall_ms} limit={limits.wall_ms} text={milliseconds(r.wall_ms)} />
      </Figure>
      {r.memory_bytes !== undefined ? (
        <Figure name="Memory">
          <Bar
            label="Memory"
            value={r.memory_bytes}
            limit={limits.memory_bytes}
            text={bytes(r.memory_bytes)}
          />
        </Figure>
      ) : null}
      {r.processes !== undefined ? <Figure name="Processes">{r.processes}</Figure> : null}
      <Figure name="Ended by">{ended}</Figure>
      {r.message ? <Figure name="Note">{r.message}</Figure> : null}
    </dl>
  );
}

function Figure({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
