import type { Schemas } from "../api/client";
import { milliseconds } from "../shared/format";

type Job = Schemas["Job"];

/** Gives the milliseconds between two points in time, the latter now where it is not stated; none below 0. */
export function between(from: string, to: string | undefined, now = Date.now()): number {
  const end = to === undefined ? now : new Date(to).getTime();
  return Math.max(0, end - new Date(from).getTime());
}

/** Says how long a job waited until its first attempt began, or has waited by now. */
export function waitedFor(j: Job): string {
  const first = j.history?.[0]?.started_at ?? j.started_at;
  if (first) return milliseconds(between(j.created_at, first));
  return rough(between(j.created_at, j.finished_at), j.finished_at !== undefined);
}

/** Says how long a job's last attempt took, or has taken by now. */
export function ranFor(j: Job): string {
  if (!j.started_at || j.state === "queued") return "–";
  return rough(between(j.started_at, j.finished_at), j.finished_at !== undefined);
}

/** Says a time that goes on in whole seconds, so that it does not flicker. */
function rough(ms: number, over: boolean): string {
  if (over) return milliseconds(ms);
  const s = Math.floor(ms / 1000);
  return s < 60 ? `${s} s` : milliseconds(s * 1000);
}

/** Gives what tells jobs apart at a glance: the end of an id, since its beginning is the time. */
export function shortId(id: string): string {
  return id.length > 20 ? `…${id.slice(-8)}` : id;
}
