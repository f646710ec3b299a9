import { computed, signal } from "@preact/signals";
import { api, type Schemas, unwrap } from "../api/client";
import { ended, follow, type JobEvent } from "../api/events";
import { isAbort } from "../api/problem";
import { begins } from "../api/states";
import { go, href, route } from "../router";
import { asWritten } from "../shared/submission";
import { fromBase64, outputText } from "./content";
import type { Submission } from "./draft";

/** What a test has written so far, or its report. */
export interface TestState {
  id: string;
  /** The end of each stream while it runs: a preview. */
  stdout: string;
  stderr: string;
  report?: Schemas["Test"];
}

export type Phase = "sending" | "queued" | "compiling" | "running" | "ended";

/** A job that was submitted here or is followed, as it is now. It is replaced whenever something changes. */
export interface Run {
  phase: Phase;
  /** Undefined until the server has taken it. */
  id?: string;
  /** What was sent; undefined for a job of elsewhere whose submission is not there yet. */
  sent?: Submission;
  /** Whether its language has a compile step. */
  compiled: boolean;
  attempt: number;
  compile?: Schemas["Run"];
  tests: readonly TestState[];
  /** The job once it has ended. */
  job?: Schemas["Job"];
  verdict?: string;
  /** Why it is tried again, or why nothing is heard of it for now. */
  note?: string;
  cancelling: boolean;
  error?: unknown;
}

/** The job that the page shows. */
export const run = signal<Run | undefined>(undefined);

/** Whether a job is under way. */
export const busy = computed(() => run.value !== undefined && run.value.phase !== "ended");

/** How much of a running test's output is kept, in characters: its report has it all. */
const preview = 64 << 10;

let control = new AbortController();

/** Forgets the job that is shown; it goes on where it is not cancelled. */
export function leave(): void {
  control.abort();
  control = new AbortController();
  run.value = undefined;
}

/** Submits a job and follows it to its end. compiled says whether its language has a compile step. */
export async function submit(s: Submission, compiled: boolean): Promise<void> {
  leave();
  const { signal } = control;
  run.value = { phase: "sending", sent: s, compiled, attempt: 0, tests: expectedTests(s), cancelling: false };
  try {
    const job = await sendOnce(s, signal);
    // The address names the job from now on: who loads the page again goes on following it.
    change(signal, { id: job.id });
    if (route.peek().view === "run") go(href("run", [job.id]), { replace: true });
    await watch(job.id, signal);
  } catch (error) {
    fail(error, signal);
  }
}

/** Sends a submission; where the answer is lost it is sent again, with the key that makes it one job. */
async function sendOnce(s: Submission, signal: AbortSignal): Promise<Schemas["Job"]> {
  const key = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
  for (let tries = 0; ; tries++) {
    try {
      return await unwrap(
        api.POST("/v1/jobs", { params: { header: { "Idempotency-Key": key } }, body: s, signal }),
      );
    } catch (error) {
      if (!(error instanceof TypeError) || tries === 2) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Follows a job of this address, with what was submitted; gives that, where the server has it still. */
export async function resume(
  id: string,
  isCompiled: (language: string) => boolean,
): Promise<Submission | undefined> {
  leave();
  const { signal } = control;
  run.value = { phase: "queued", id, compiled: false, attempt: 0, tests: [], cancelling: false };
  try {
    const job = await unwrap(
      api.GET("/v1/jobs/{id}", { params: { path: { id }, query: { include: "submission" } }, signal }),
    );
    const sent = submissionOf(job);
    change(signal, { sent, compiled: isCompiled(job.language), tests: expectedTests(sent) });
    watch(id, signal).catch((error: unknown) => fail(error, signal));
    return sent;
  } catch (error) {
    fail(error, signal);
    return undefined;
  }
}

/** Gives a job's submission in the form in which one is sent. */
export function submissionOf(job: Schemas["Job"]): Submission {
  return asWritten(job.submission ?? { language: job.language });
}

function expectedTests(s: Submission): TestState[] {
  const tests = s.tests?.length ? s.tests : [{}];
  return tests.map((t, i) => ({ id: t.id || String(i + 1), stdout: "", stderr: "" }));
}

/** Asks the server to stop the job that is shown. */
export async function cancel(): Promise<void> {
  const now = run.value;
  if (!now?.id || now.phase === "ended") return;
  const { signal } = control;
  change(signal, { cancelling: true });
  try {
    await unwrap(api.POST("/v1/jobs/{id}/cancel", { params: { path: { id: now.id } } }));
  } catch (error) {
    change(signal, { cancelling: false, error });
  }
}

function fail(error: unknown, signal: AbortSignal): void {
  if (!isAbort(error)) change(signal, { phase: "ended", error, cancelling: false });
}

/** Changes the job that is shown, unless another is by now. */
function change(signal: AbortSignal, to: Partial<Run>): void {
  if (!signal.aborted && run.value) run.value = { ...run.value, ...to };
}

/** Follows a job; what comes faster than the screen shows it is shown together. */
async function watch(id: string, signal: AbortSignal): Promise<void> {
  change(signal, { id, phase: "queued" });
  const start = run.value;
  if (signal.aborted || !start) return;
  let next: Run = start;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = () => {
    timer = undefined;
    // Whether it is being cancelled is not told by events.
    if (!signal.aborted) run.value = { ...next, cancelling: run.value?.cancelling ?? false };
  };
  const live = new LiveTests(next.tests);
  try {
    for await (const e of follow(id, signal)) {
      next = { ...next };
      advance(next, e, live);
      if (e.type === "lost") next.note = `${e.data.reason} Trying again.`;
      else if (e.type !== "state") delete next.note;
      else
        next.note = e.data.reason && e.data.state === "queued" ? `It is tried again: ${e.data.reason}` : "";
      timer ??= setTimeout(show, ended(next.job?.state ?? "") ? 0 : 60);
    }
    clearTimeout(timer);
    show();
    change(signal, { cancelling: false });
  } finally {
    clearTimeout(timer);
  }
}

/** Takes an event of a job into what is known of how far it is, and of its tests. */
export function advance(to: Run, e: JobEvent, live: LiveTests): void {
  switch (e.type) {
    case "state":
      if (begins(e.data)) {
        live.reset();
        delete to.compile;
        to.phase = to.compiled ? "compiling" : "running";
        to.attempt = e.data.attempt ?? 1;
      } else if (e.data.state === "queued") {
        to.phase = "queued";
      }
      if (e.data.verdict) to.verdict = e.data.verdict;
      break;
    case "compiled":
      to.compile = e.data;
      to.phase = "running";
      break;
    case "test":
      to.phase = "running";
      live.report(e.data);
      break;
    case "output":
      to.phase = "running";
      live.output(e.data);
      break;
    case "restart":
      live.restart(e.data.test);
      break;
    case "end":
      end(to, e.data, live);
      break;
    case "lost":
    case "found": // nothing is known of it, or nothing new
      break;
  }
  to.tests = live.tests;
}

function end(to: Run, job: Schemas["Job"], live: LiveTests): void {
  for (const t of job.tests ?? []) live.report(t);
  to.phase = "ended";
  to.job = job;
  to.attempt = job.attempts;
  if (job.compile) to.compile = job.compile;
  const verdict = job.verdict ?? (job.state === "cancelled" ? "cancelled" : undefined);
  if (verdict) to.verdict = verdict;
}

/** The tests of a job that runs, in the submission's order; each change gives a new list. */
export class LiveTests {
  private decoders = new Map<string, TextDecoder>();
  private places = new Map<string, number>();

  constructor(public tests: readonly TestState[]) {
    for (const [i, t] of tests.entries()) this.places.set(t.id, i);
  }

  reset(): void {
    this.decoders.clear();
    this.tests = this.tests.map(({ id }) => ({ id, stdout: "", stderr: "" }));
  }

  restart(id: string): void {
    this.decoders.delete(`${id}/stdout`);
    this.decoders.delete(`${id}/stderr`);
    this.put({ id, stdout: "", stderr: "" });
  }

  /** Takes a test's report, which has its output; where that has none, as of a test that was cancelled, what came stays. */
  report(report: Schemas["Test"]): void {
    const seen = report.run ? undefined : this.tests[this.places.get(report.id) ?? -1];
    this.put({ id: report.id, stdout: seen?.stdout ?? "", stderr: seen?.stderr ?? "", report });
  }

  output(o: Schemas["OutputEvent"]): void {
    const slot = `${o.test}/${o.stream}`;
    const before = this.tests[this.places.get(o.test) ?? -1] ?? { id: o.test, stdout: "", stderr: "" };
    if (before.report) return;
    let text: string;
    if (o.encoding === "base64" || this.decoders.has(slot)) {
      // A piece may end within a character.
      const decoder = this.decoders.get(slot) ?? new TextDecoder("utf-8", { ignoreBOM: true });
      this.decoders.set(slot, decoder);
      const bytes = o.encoding === "base64" ? fromBase64(o.data) : new TextEncoder().encode(o.data);
      text = decoder.decode(bytes, { stream: true });
    } else {
      text = o.data;
    }
    this.put({ ...before, [o.stream]: (before[o.stream] + text).slice(-preview) });
  }

  private put(t: TestState): void {
    const at = this.places.get(t.id);
    if (at === undefined) {
      this.places.set(t.id, this.tests.length);
      this.tests = [...this.tests, t];
      return;
    }
    const tests = this.tests.slice();
    tests[at] = t;
    this.tests = tests;
  }
}

/** What a test wrote: its report's, or what has come so far. */
export function outputOf(t: TestState, stream: "stdout" | "stderr"): { text: string; truncated: boolean } {
  const r = t.report?.run;
  if (!r) return { text: t[stream], truncated: false };
  return stream === "stdout"
    ? { text: outputText(r.stdout, r.stdout_encoding), truncated: r.stdout_truncated === true }
    : { text: outputText(r.stderr, r.stderr_encoding), truncated: r.stderr_truncated === true };
}
