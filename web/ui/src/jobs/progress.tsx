import { api, type Schemas, unwrap } from "../api/client";
import { ended } from "../api/events";
import { href } from "../router";
import { Time } from "../shared/basics";
import { amount, sentence } from "../shared/format";
import { useResource } from "../shared/poll";
import type { Watched } from "./watch";

type Job = Schemas["Job"];

interface Step {
  title: string;
  at: "done" | "now" | "later";
}

/** How far a job is: its verdict once it has ended, before that its steps. */
export function Progress({ now, job }: { now: Watched; job: Job }) {
  if (ended(job.state)) {
    const word = job.state === "failed" ? "failed" : (job.verdict ?? job.state);
    return (
      <div class="headline">
        <strong class="verdict" data-word={word}>
          {sentence(word)}
        </strong>
        <span class="muted">{resultText(now, job)}</span>
      </div>
    );
  }
  return (
    <div class="headline">
      <ol class="steps" aria-label="Progress">
        {stepsOf(now).map((s) => (
          <li key={s.title} data-at={s.at} aria-current={s.at === "now" ? "step" : undefined}>
            {s.title}
          </li>
        ))}
      </ol>
      {now.run.attempt > 1 ? (
        <span class="badge">
          Attempt {now.run.attempt} of {job.max_attempts}
        </span>
      ) : null}
    </div>
  );
}

function stepsOf({ run }: Watched): Step[] {
  const names = run.compiled ? ["queued", "compiling", "running"] : ["queued", "running"];
  const here = Math.max(0, names.indexOf(run.phase));
  return names.map((name, i) => ({
    title: name === "running" && run.phase === "running" ? testText(run) : sentence(name),
    at: i < here ? "done" : i === here ? "now" : "later",
  }));
}

function testText({ tests }: Watched["run"]): string {
  if (tests.length <= 1) return "Running";
  const done = tests.filter((t) => t.report).length;
  return `Test ${Math.min(done + 1, tests.length)} of ${tests.length}`;
}

function resultText({ run }: Watched, job: Job): string {
  if (job.state === "failed" || run.tests.length <= 1 || run.compile?.exit_code) return "";
  const good = run.tests.filter((t) => t.report?.verdict === "accepted").length;
  return `${good} of ${run.tests.length} tests accepted`;
}

/** What a screen reader says of it. */
export function saying(now: Watched, job: Job): string {
  if (now.lost !== undefined) return "The server is not heard of";
  if (ended(job.state)) return `Ended: ${sentence(job.verdict ?? job.state)}`;
  return now.run.phase === "running" ? testText(now.run) : sentence(now.run.phase);
}

/** Why a job waits: what is before it, or what keeps its queue. */
export function QueueNote({ job }: { job: Job }) {
  const queue = useResource(
    (signal) => unwrap(api.GET("/v1/queues/{name}", { params: { path: { name: job.queue } }, signal })),
    [job.queue],
    3000,
  ).data;
  if (job.not_before && Date.parse(job.not_before) > Date.now()) {
    return (
      <p class="note">
        It is tried again <Time at={job.not_before} relative />.
      </p>
    );
  }
  if (!queue) return null;
  if (queue.state === "paused") {
    return (
      <p class="note warn">
        Its queue, {queue.name}, is paused: nothing is taken from it until an administrator resumes it, on the
        page <a href={href("cluster")}>Cluster</a>.
      </p>
    );
  }
  if (queue.unserved) {
    return (
      <p class="note warn">
        <strong>It waits in vain for now:</strong> {queue.unserved}. The page{" "}
        <a href={href("cluster")}>Cluster</a> shows which workers there are.
      </p>
    );
  }
  const others = queue.ready - 1;
  return (
    <p class="muted">
      {others > 0
        ? `${amount(others)} more ${others === 1 ? "waits" : "wait"} in ${queue.name}`
        : `It is the only one that waits in ${queue.name}`}
      , {amount(queue.running)} {queue.running === 1 ? "runs" : "run"}.
    </p>
  );
}
