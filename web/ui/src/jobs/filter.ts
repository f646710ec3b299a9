import type { Schemas } from "../api/client";

export type State = Schemas["Job"]["state"];

export const states: readonly State[] = ["queued", "running", "completed", "failed", "cancelled"];

/** Spans of time that can be chosen, in minutes. */
export const spans: Readonly<Record<string, { title: string; minutes: number }>> = {
  "15m": { title: "Last 15 minutes", minutes: 15 },
  "1h": { title: "Last hour", minutes: 60 },
  "24h": { title: "Last 24 hours", minutes: 24 * 60 },
  "7d": { title: "Last 7 days", minutes: 7 * 24 * 60 },
};

/** Which jobs a list shows; it is in the page's address, so that a list can be sent and reloaded. */
export interface Filter {
  /** None: all of them. */
  states: readonly State[];
  queue: string;
  tenant: string;
  /** A name of {@link spans}, "between", or empty for any time. */
  time: string;
  /** With "between": points in time in RFC 3339, each empty for no bound. */
  since: string;
  until: string;
}

export function readFilter(query: URLSearchParams): Filter {
  const named = (query.get("state") ?? "").split(",");
  const since = point(query.get("since"));
  const until = point(query.get("until"));
  const time = query.get("time") ?? "";
  return {
    states: states.filter((s) => named.includes(s)),
    queue: query.get("queue") ?? "",
    tenant: query.get("tenant") ?? "",
    time: since || until || time === "between" ? "between" : Object.hasOwn(spans, time) ? time : "",
    since,
    until,
  };
}

function point(text: string | null): string {
  const t = new Date(text ?? "");
  return Number.isNaN(t.getTime()) ? "" : t.toISOString();
}

/** Gives the query of an address that shows the filter's list. */
export function filterQuery(f: Filter): Record<string, string> {
  const between = f.time === "between";
  return {
    state: f.states.join(","),
    queue: f.queue,
    tenant: f.tenant,
    time: between && (f.since || f.until) ? "" : f.time,
    since: between ? f.since : "",
    until: between ? f.until : "",
  };
}

/** Tells whether a filter leaves anything out. */
export function filters(f: Filter): boolean {
  return Object.values(filterQuery(f)).some((v) => v !== "");
}

/** What GET /v1/jobs is asked for. */
export interface ListQuery {
  state?: State[];
  queue?: string;
  tenant?: string;
  since?: string;
  until?: string;
  cursor?: string;
  limit: number;
}

/** Gives the API's query of a page of the list; spans are reckoned from now. */
export function listQuery(f: Filter, cursor: string, limit: number, now = Date.now()): ListQuery {
  const q: ListQuery = { limit };
  if (f.states.length > 0) q.state = [...f.states];
  if (f.queue) q.queue = f.queue;
  if (f.tenant) q.tenant = f.tenant;
  if (cursor) q.cursor = cursor;
  const span = spans[f.time];
  if (span) q.since = new Date(now - span.minutes * 60_000).toISOString();
  if (f.time === "between" && f.since) q.since = f.since;
  if (f.time === "between" && f.until) q.until = f.until;
  return q;
}
