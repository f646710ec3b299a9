import type { Schemas } from "../api/client";
import { milliseconds, sentence } from "../shared/format";
import type { Happening } from "./watch";

type Job = Schemas["Job"];

/** A line of a job's timeline. */
export interface Moment {
  /** When it was; undefined where nobody has noted it. */
  at: string | undefined;
  what: string;
  /** More of it, such as why; text of the server. */
  more?: string;
  tone: "plain" | "good" | "bad" | "info";
}

/** Gives a job's attempts, oldest first: those of its history, or the one that it has had. */
export function attemptsOf(job: Job): Schemas["Attempt"][] {
  if (job.history?.length) return job.history;
  if (!job.started_at) return [];
  const only: Schemas["Attempt"] = { worker: job.worker ?? "", started_at: job.started_at, counted: true };
  if (job.finished_at) only.ended_at = job.finished_at;
  return [only];
}

/**
 * Tells what happened to a job. Events have no time of their own: changes of state have those of the job's
 * attempts, and others that at which the page saw them.
 */
export function momentsOf(job: Job, happened: readonly Happening[]): Moment[] {
  const moments: Moment[] = [{ at: job.created_at, what: `Queued in ${job.queue}`, tone: "plain" }];
  const attempts = attemptsOf(job);
  const runs = happened.filter((h) => h.event.type === "state" && h.event.data.state === "running").length;
  // Old events may be gone, and old attempts: the last of both is the same.
  let attempt = attempts.length - runs - 1;
  let tests: Schemas["Test"][] = [];
  let seen: string | undefined;
  const flush = () => {
    if (tests.length > 0) moments.push(judged(tests, seen));
    tests = [];
  };
  let first = true;
  for (const [i, { event: e, seen: at }] of happened.entries()) {
    // A server that stays away is tried often, and told of once.
    if (e.type === "lost" && happened[i - 1]?.event.type === "lost") continue;
    if (e.type === "test") {
      tests.push(e.data);
      seen = at;
      continue;
    }
    flush();
    if (e.type === "state" && e.data.state === "running") attempt++;
    const submitted = first && e.type === "state" && e.data.state === "queued" && !e.data.reason;
    if (e.type === "state") first = false;
    if (!submitted) moments.push(momentOf(e, at, job, attempts[attempt]));
  }
  flush();
  return inOrder(moments);
}

/** The page sees things later than they happen: what came before something else is not shown as later. */
function inOrder(moments: Moment[]): Moment[] {
  let next: string | undefined;
  for (const m of moments.toReversed()) {
    if (m.at !== undefined && next !== undefined && Date.parse(m.at) > Date.parse(next)) m.at = next;
    next = m.at ?? next;
  }
  return moments;
}

function judged(tests: readonly Schemas["Test"][], at: string | undefined): Moment {
  const by = new Map<string, number>();
  for (const t of tests) by.set(t.verdict, (by.get(t.verdict) ?? 0) + 1);
  const verdicts = [...by].map(([v, n]) =>
    tests.length === 1 ? sentence(v) : `${n} ${v.replaceAll("_", " ")}`,
  );
  const bad = tests.some((t) => !["accepted", "skipped", "cancelled"].includes(t.verdict));
  return {
    at,
    what: tests.length === 1 ? `Test ${tests[0]?.id} judged` : `${tests.length} tests judged`,
    more: verdicts.join(", "),
    tone: bad ? "bad" : "good",
  };
}

function momentOf(
  e: Exclude<Happening["event"], { type: "test" }>,
  at: string | undefined,
  job: Job,
  attempt: Schemas["Attempt"] | undefined,
): Moment {
  switch (e.type) {
    case "state":
      return stateMoment(e.data, at, job, attempt);
    case "compiled": {
      const good = e.data.exit_code === 0;
      return {
        at,
        what: good ? "Compiled" : "It does not compile",
        more: `${milliseconds(e.data.wall_ms)}${e.data.message ? `, ${e.data.message}` : ""}`,
        tone: good ? "good" : "bad",
      };
    }
    case "restart":
      return { at, what: `Test ${e.data.test} begins anew`, more: "its container was lost", tone: "bad" };
    case "lost":
      return { at, what: "This page lost the server", more: e.data.reason, tone: "bad" };
  }
}

function stateMoment(
  s: Schemas["StateEvent"],
  at: string | undefined,
  job: Job,
  attempt: Schemas["Attempt"] | undefined,
): Moment {
  const more = s.reason ? { more: s.reason } : {};
  switch (s.state) {
    case "running":
      return {
        at: attempt?.started_at ?? at,
        what: `Attempt ${s.attempt ?? 1} began${attempt?.worker ? ` on ${attempt.worker}` : ""}`,
        tone: "info",
      };
    case "queued":
      return {
        at: (s.reason ? attempt?.ended_at : undefined) ?? at,
        what: s.reason ? "The attempt ended without a verdict, and it was queued again" : "Queued again",
        ...more,
        tone: s.reason ? "bad" : "plain",
      };
    case "completed":
      return {
        at: job.finished_at ?? at,
        what: `Completed: ${sentence(s.verdict ?? "").toLowerCase()}`,
        ...more,
        tone: s.verdict === "accepted" ? "good" : "bad",
      };
    default:
      return {
        // It may have been queued again since.
        at: job.state === s.state ? (job.finished_at ?? at) : (attempt?.ended_at ?? at),
        what: s.state === "failed" ? "Failed: it could not be judged" : "Cancelled",
        ...more,
        tone: s.state === "failed" ? "bad" : "plain",
      };
  }
}
