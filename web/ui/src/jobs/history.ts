import type { Schemas } from "../api/client";
import { begins } from "../api/states";
import { milliseconds, sentence } from "../shared/format";
import type { Happening } from "./watch";

type Job = Schemas["Job"];

/** A line of a job's timeline. */
export interface Moment {
  /** When it was. */
  at: string;
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

/** Tells what happened to a job, in the order of its events. */
export function momentsOf(job: Job, happened: readonly Happening[]): Moment[] {
  const moments: Moment[] = [{ at: job.created_at, what: `Queued in ${job.queue}`, tone: "plain" }];
  const attempts = attemptsOf(job);
  const runs = happened.filter((e) => e.type === "state" && begins(e.data)).length;
  // Old events may be gone, and old attempts: the last of both is the same.
  let attempt = attempts.length - runs - 1;
  let tests: Schemas["TestEvent"][] = [];
  const flush = () => {
    if (tests.length > 0) moments.push(judged(tests));
    tests = [];
  };
  let first = true;
  for (const [i, e] of happened.entries()) {
    // A server that stays away is tried often, and told of once.
    if (e.type === "lost" && happened[i - 1]?.type === "lost") continue;
    if (e.type === "test") {
      tests.push(e.data);
      continue;
    }
    flush();
    if (e.type === "state" && begins(e.data)) attempt++;
    const submitted = first && e.type === "state" && e.data.state === "queued" && !e.data.reason;
    if (e.type === "state") first = false;
    if (!submitted) moments.push({ at: e.data.time, ...momentOf(e, attempts[attempt]?.worker) });
  }
  flush();
  return moments;
}

/** Tells of tests that were judged one after the other, at the time of the last. */
function judged(tests: readonly Schemas["TestEvent"][]): Moment {
  const by = new Map<string, number>();
  for (const t of tests) by.set(t.verdict, (by.get(t.verdict) ?? 0) + 1);
  const verdicts = [...by].map(([v, n]) =>
    tests.length === 1 ? sentence(v) : `${n} ${v.replaceAll("_", " ")}`,
  );
  const bad = tests.some((t) => !["accepted", "skipped", "cancelled"].includes(t.verdict));
  return {
    at: tests.at(-1)?.time ?? "",
    what: tests.length === 1 ? `Test ${tests[0]?.id} judged` : `${tests.length} tests judged`,
    more: verdicts.join(", "),
    tone: bad ? "bad" : "good",
  };
}

function momentOf(e: Exclude<Happening, { type: "test" }>, worker: string | undefined): Omit<Moment, "at"> {
  switch (e.type) {
    case "state":
      return stateMoment(e.data, worker);
    case "compiled": {
      const good = e.data.exit_code === 0;
      return {
        what: good ? "Compiled" : "It does not compile",
        more: `${milliseconds(e.data.wall_ms)}${e.data.message ? `, ${e.data.message}` : ""}`,
        tone: good ? "good" : "bad",
      };
    }
    case "restart":
      return { what: `Test ${e.data.test} begins anew`, more: "its container was lost", tone: "bad" };
    case "lost":
      return { what: "This page lost the server", more: e.data.reason, tone: "bad" };
  }
}

function stateMoment(s: Schemas["StateEvent"], worker: string | undefined): Omit<Moment, "at"> {
  const more = s.reason ? { more: s.reason } : {};
  switch (s.state) {
    case "running":
      if (!begins(s)) return { what: sentence(s.reason ?? ""), tone: "plain" };
      return { what: `Attempt ${s.attempt ?? 1} began${worker ? ` on ${worker}` : ""}`, tone: "info" };
    case "queued":
      return {
        what: s.reason ? "The attempt ended without a verdict, and it was queued again" : "Queued again",
        ...more,
        tone: s.reason ? "bad" : "plain",
      };
    case "completed":
      return {
        what: `Completed: ${sentence(s.verdict ?? "").toLowerCase()}`,
        ...more,
        tone: s.verdict === "accepted" ? "good" : "bad",
      };
    default:
      return {
        what: s.state === "failed" ? "Failed: it could not be judged" : "Cancelled",
        ...more,
        tone: s.state === "failed" ? "bad" : "plain",
      };
  }
}
