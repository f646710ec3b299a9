import { type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Schemas } from "../api/client";
import { ended } from "../api/events";
import { ApiError } from "../api/problem";
import { href } from "../router";
import { Compile, limitsOf, TestReport, telling } from "../run/result";
import { TestTable } from "../run/testtable";
import { CopyButton, ErrorNote, Time } from "../shared/basics";
import { amount, sentence } from "../shared/format";
import { Visible } from "../shared/named";
import { isPlain } from "../shared/submission";
import { Actions } from "./actions";
import { attemptsOf } from "./history";
import { Progress, QueueNote, saying } from "./progress";
import { SubmissionView, type Target } from "./submission";
import { Attempts, Timeline } from "./timeline";
import { ranFor, shortId, waitedFor } from "./times";
import { useJob, type Watched } from "./watch";
import "../run/run.css";

type Job = Schemas["Job"];

/** A job: how far it is, what became of it, what it was made of, and what happened to it. */
export function JobPage({ id }: { id: string }) {
  const { now, again, took } = useJob(id);
  const target = useSignal<Target>(undefined);
  const { job } = now;
  useTitle(now);
  return (
    <div class="page job">
      <nav aria-label="Where this is" class="small crumbs">
        <a href={href("jobs")}>Jobs</a>
        {job?.state === "failed" ? (
          <>
            {" / "}
            <a href={href("jobs", ["dead-letters"])}>Dead letters</a>
          </>
        ) : null}
      </nav>
      <header class="job-head">
        <Heading id={id} job={job} />
        {job ? <Actions job={job} sent={now.sent} took={took} again={again} /> : null}
      </header>
      {now.error !== undefined ? <Failure error={now.error} again={again} /> : null}
      {job ? (
        <>
          <p class="hidden" role="status">
            {saying(now, job)}
          </p>
          <Progress now={now} job={job} />
          {now.lost !== undefined ? (
            <div class="note warn" role="status">
              <strong>The server is not heard of.</strong> {now.lost} This page goes on trying; what is below
              is what was known last.
            </div>
          ) : null}
          {job.state === "queued" ? <QueueNote job={job} /> : null}
          {job.error ? (
            <div class="note bad">
              <strong>Optimus could not judge it</strong>
              <p>
                <Visible text={job.error} />
              </p>
            </div>
          ) : null}
          <Facts job={job} />
          <div class="job-body">
            <div class="main">
              {job.state === "failed" ? <History job={job} /> : null}
              <Results now={now} job={job} target={target} />
              {job.state === "failed" ? null : <History job={job} />}
              {now.sent ? (
                <Section title="Submission">
                  <SubmissionView sent={now.sent} target={target} />
                </Section>
              ) : null}
            </div>
            <div class="aside">
              <Section title="Timeline">
                <Timeline job={job} happened={now.happened} />
              </Section>
            </div>
          </div>
        </>
      ) : now.error === undefined ? (
        <p class="empty" aria-busy="true">
          Asking for the job…
        </p>
      ) : null}
    </div>
  );
}

/** The attempts of a job that had several, or that failed. */
function History({ job }: { job: Job }) {
  if (!job.history?.length) return null;
  return (
    <Section title="Attempts">
      <Attempts attempts={attemptsOf(job)} caption="Attempts, the first on top" />
    </Section>
  );
}

/** Names the tab after the job and what has become of it. */
function useTitle(now: Watched): void {
  const { job } = now;
  const word = job ? sentence(job.verdict ?? (ended(job.state) ? job.state : now.run.phase)) : "";
  useEffect(() => {
    document.title = `${word ? `${word} · ` : ""}Job · Optimus`;
    return () => {
      document.title = "Jobs · Optimus";
    };
  }, [word]);
}

function Heading({ id, job }: { id: string; job: Job | undefined }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <div class="row head">
      <h1 ref={heading} tabIndex={-1}>
        Job <code title={id}>{shortId(id)}</code>
      </h1>
      <CopyButton text={id} label="Copy id" />
      {job ? (
        <span class="muted">{[job.language, job.language_version].filter(Boolean).join(" ")}</span>
      ) : null}
    </div>
  );
}

function Failure({ error, again }: { error: unknown; again(): void }) {
  const gone = error instanceof ApiError && [404, 422].includes(error.status);
  return (
    <>
      <ErrorNote error={error} retry={again} />
      {gone ? (
        <p class="muted">
          It may have been deleted, or its time was over: ended jobs are kept as long as the server is told
          to. Or it is another tenant's. <a href={href("jobs")}>Show the jobs that there are</a>.
        </p>
      ) : null}
    </>
  );
}

function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="part">
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Facts({ job }: { job: Job }) {
  useTick(!ended(job.state));
  const score =
    job.score !== undefined && job.max_score
      ? `${amount(round(job.score))} of ${amount(round(job.max_score))}`
      : undefined;
  return (
    <dl class="facts-grid">
      <Fact name="Score">{score}</Fact>
      <Fact name="Made">
        <Time at={job.created_at} />
      </Fact>
      <Fact name="Waited">{waitedFor(job)}</Fact>
      <Fact name="Ran">{job.started_at && job.state !== "queued" ? ranFor(job) : undefined}</Fact>
      <Fact name="Ended">{job.finished_at ? <Time at={job.finished_at} /> : undefined}</Fact>
      <Fact name="Attempts">
        {job.attempts} of {job.max_attempts}
      </Fact>
      <Fact name="Worker">{job.worker}</Fact>
      <Fact name="Queue">
        <a href={href("jobs", [], { queue: job.queue })}>{job.queue}</a>
      </Fact>
      <Fact name="Priority">{job.priority === 0 ? undefined : amount(job.priority)}</Fact>
      <Fact name="Tenant">{job.tenant}</Fact>
      {Object.entries(job.labels ?? {}).map(([name, value]) => (
        <Fact key={name} name={`Label ${name}`}>
          <Visible text={value} />
        </Fact>
      ))}
    </dl>
  );
}

/** Renders anew each second while something goes on. */
function useTick(on: boolean): void {
  const ticks = useSignal(0);
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => ticks.value++, 1000);
    return () => clearInterval(timer);
  }, [on, ticks]);
  ticks.value; // what is said depends on it
}

function round(n: number): number {
  return Number(n.toFixed(3));
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  if (children === undefined || children === null || children === "") return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The compiler's messages, the verdicts, and the test that is chosen. */
function Results({ now, job, target }: { now: Watched; job: Job; target: Signal<Target> }) {
  const { run, language } = now;
  const chosen = useSignal<string | undefined>(undefined);
  const shown = run.tests.find((t) => t.id === chosen.value) ?? telling(run);
  const alone = now.sent === undefined ? run.tests.length <= 1 : isPlain(now.sent);
  const refused = run.compile !== undefined && run.compile.exit_code !== 0;
  const file = now.sent?.files?.[0]?.name ?? language?.source_file ?? "main";
  const begun = run.phase !== "queued" && run.tests.some((t) => t.report || t.stdout || t.stderr);
  if (run.compile === undefined && !begun && (alone || run.phase !== "running")) return null;
  if (job.state === "failed" && !begun) return null;
  // Places that messages name are shown in the submission below.
  const editor = () => ({ jump: (line: number) => (target.value = { line }) });
  const limits = (t: (typeof run.tests)[number]) => limitsOf(t, run, language);
  return (
    <Section title={alone ? "Result" : "Tests"}>
      {run.compile ? <Compile run={run.compile} file={file} editor={editor} /> : null}
      {!alone && !refused ? (
        <TestTable
          tests={run.tests}
          limitsOf={limits}
          chosen={shown?.id}
          choose={(id) => (chosen.value = id)}
          running={run.phase === "running"}
        />
      ) : null}
      {shown && !refused ? (
        <TestReport
          key={shown.id}
          test={shown}
          now={run}
          alone={alone}
          limits={limits(shown)}
          file={file}
          editor={editor}
        />
      ) : null}
    </Section>
  );
}
