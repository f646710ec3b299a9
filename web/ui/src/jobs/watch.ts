import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, type Schemas, unwrap } from "../api/client";
import { ended, follow, type JobEvent, report } from "../api/events";
import { isAbort } from "../api/problem";
import { advance, LiveTests, type Run } from "../run/job";

type Job = Schemas["Job"];

/** What happened to a job. */
export type Happening = Exclude<JobEvent, { type: "output" | "end" | "found" }>;

/** A job as it is now. It is replaced whenever something changes. */
export interface Watched {
  /** Its report, without the submission; undefined until the first answer. */
  job: Job | undefined;
  /** What was submitted. */
  sent: Schemas["JobRequest"] | undefined;
  /** Its language, in its version where that is still there. */
  language: Schemas["LanguageInfo"] | undefined;
  /** How far it is, live. */
  run: Run;
  happened: readonly Happening[];
  /** Why nothing is heard of it for now. */
  lost: string | undefined;
  error: unknown;
}

const nothing: Watched = {
  job: undefined,
  sent: undefined,
  language: undefined,
  run: { phase: "queued", attempt: 0, compiled: false, tests: [], cancelling: false },
  happened: [],
  lost: undefined,
  error: undefined,
};

/** Watches a job while its page is shown; again() begins anew, as for one that was queued again. */
export function useJob(id: string): { now: Watched; again(): void; took(job: Job): void } {
  const now = useSignal(nothing);
  const turn = useSignal(0);
  useEffect(() => {
    const control = new AbortController();
    const { job, sent, language } = now.peek();
    now.value = { ...nothing, job, sent, language };
    void new Watch(id, now, control.signal).run();
    return () => control.abort();
  }, [id, turn.value]);
  return {
    now: now.value,
    again: () => {
      turn.value++;
    },
    took: (job) => {
      now.value = { ...now.peek(), job };
    },
  };
}

class Watch {
  private next: Watched;
  private live = new LiveTests([]);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly id: string,
    private readonly to: Signal<Watched>,
    private readonly signal: AbortSignal,
  ) {
    this.next = to.peek();
    signal.addEventListener("abort", () => {
      clearTimeout(this.timer);
      clearTimeout(this.asking);
    });
  }

  async run(): Promise<void> {
    try {
      await this.begin();
      for await (const e of follow(this.id, this.signal)) {
        this.take(e);
        this.timer ??= setTimeout(() => this.show(), 60);
      }
      this.show();
    } catch (error) {
      if (!isAbort(error)) this.change({ error, lost: undefined });
    }
  }

  /** Asks for the job as it is, with what was submitted. */
  private async begin(): Promise<void> {
    const { signal } = this;
    const path = { id: this.id };
    const [answer, languages] = await Promise.all([
      unwrap(api.GET("/v1/jobs/{id}", { params: { path, query: { include: "submission" } }, signal })),
      // Without them the limits of the language are not known, and nothing else.
      unwrap(api.GET("/v1/languages", { signal })).catch(() => undefined),
    ]);
    const { submission: sent, ...job } = answer;
    const language = languageOf(languages?.languages ?? [], job);
    const tests = sent?.tests?.length ? sent.tests : [{}];
    this.live = new LiveTests(tests.map((t, i) => ({ id: t.id || String(i + 1), stdout: "", stderr: "" })));
    const compiled = language?.compiled === true;
    const run: Run = { ...this.next.run, id: this.id, compiled, tests: this.live.tests };
    if (sent) run.sent = sent;
    this.change({ job, sent, language, run });
  }

  private change(to: Partial<Watched>): void {
    this.next = { ...this.next, ...to };
    this.show();
  }

  /** Shows what has come: what comes faster than the screen shows it is shown together. */
  private show(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.signal.aborted) this.to.value = this.next;
  }

  private take(e: JobEvent): void {
    const { next } = this;
    const run = { ...next.run };
    this.next = { ...next, run, lost: e.type === "lost" ? e.data.reason : undefined };
    advance(run, e, this.live);
    if (e.type === "state") this.askSoon();
    if (e.type === "end") {
      clearTimeout(this.asking);
      this.next.job = e.data;
    }
    if (e.type === "output" || e.type === "end" || e.type === "found") return;
    this.next.happened = [...next.happened, e];
  }

  /** Asks for its report: its worker, its times and its attempts are there alone. */
  private askSoon(): void {
    clearTimeout(this.asking);
    this.asking = setTimeout(() => void this.ask(), 100);
  }

  private async ask(): Promise<void> {
    try {
      const job = await report(this.id, this.signal);
      // What is known of its end stays.
      if (!ended(this.next.job?.state ?? "") || ended(job.state)) this.change({ job });
    } catch {
      // The stream says what is wrong, and is begun again.
    }
  }
}

function languageOf(all: readonly Schemas["LanguageInfo"][], job: Job): Schemas["LanguageInfo"] | undefined {
  const named = all.filter((l) => l.name === job.language);
  return named.find((l) => l.version === job.language_version) ?? named[0];
}
