import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, type Schemas, unwrap } from "../api/client";
import { ageOf, readClock, serverTime } from "../api/clock";
import { type Resource, useResource } from "../shared/poll";

export type Worker = Schemas["Worker"];
export type Queue = Schemas["Queue"];
export type Language = Schemas["LanguageInfo"];
export type Store = Schemas["StoreHealth"];

/** Workers and queues, as they were at one moment. */
export interface Live {
  workers: Worker[];
  queues: Queue[];
  /** When the server answered, in milliseconds, by this machine's clock and by its own. */
  at: number;
  serverAt: number;
}

/** How often workers and queues are asked for, in milliseconds. */
export const livePeriod = 5000;

/** What the view shows, each asked for as often as it changes. */
export interface Cluster {
  live: Resource<Live>;
  store: Resource<Store>;
  languages: Resource<Language[]>;
}

export function useCluster(): Cluster {
  const live = useResource(loadLive, [], livePeriod);
  // Each time it writes as much as a large submission: not too often.
  const store = useResource((signal) => unwrap(api.GET("/v1/store", { signal })), [], 10_000);
  const languages = useResource(
    async (signal) => (await unwrap(api.GET("/v1/languages", { signal }))).languages ?? [],
    [],
    15_000,
  );
  useEffect(() => {
    if (live.data) remember(live.data.workers);
  }, [live.data]);
  return { live, store, languages };
}

async function loadLive(signal: AbortSignal): Promise<Live> {
  const workers = api.GET("/v1/workers", { signal });
  const queues = api.GET("/v1/queues", { params: { query: { include: "minutes" } }, signal });
  const [w, q] = await Promise.all([unwrap(workers), unwrap(queues)]);
  readClock((await workers).response);
  return { workers: w.workers ?? [], queues: q.queues ?? [], at: Date.now(), serverAt: serverTime.peek() };
}

/**
 * A worker says every five seconds that it is there, more often where leases are short. The server forgets
 * one that has not for three times as long; the page does not, so that who looks learns that it is gone.
 */
const lateAfter = 11_000;

/** How long a worker that is gone is told of, in milliseconds: where workers come and go, it is no news then. */
const toldFor = 10 * 60_000;

/** Workers that were registered while this page looked, by name, and no longer are. */
const gone = signal<ReadonlyMap<string, Worker>>(new Map());
let known: readonly Worker[] = [];

function remember(now: readonly Worker[]): void {
  const names = new Set(now.map((w) => w.name));
  const away = new Map([...gone.peek()].filter(([name]) => !names.has(name)));
  for (const w of known) if (!names.has(w.name)) away.set(w.name, w);
  known = now;
  gone.value = away;
}

/** Has the page forget a worker that is gone. */
export function forget(name: string): void {
  gone.value = new Map([...gone.value].filter(([other]) => other !== name));
}

export type WorkerState = "working" | "idle" | "late" | "gone";

/** A worker, and how it is. */
export interface Seen {
  worker: Worker;
  state: WorkerState;
}

/** Gives the workers that are registered, then those that are gone. */
export function seen({ workers, serverAt }: Live): Seen[] {
  const here = workers.map((worker) => ({ worker, state: stateOf(worker, serverAt) }));
  const away = [...gone.value.values()].filter(
    (w) => ageOf(w.seen_at) < toldFor && !workers.some((h) => h.name === w.name),
  );
  return [...here, ...away.map((worker) => ({ worker, state: "gone" as const }))];
}

/** How a worker was when the server was asked: what was not asked for since then says nothing of it. */
function stateOf(worker: Worker, asked: number): WorkerState {
  if (asked - Date.parse(worker.seen_at) > lateAfter) return "late";
  return worker.busy > 0 ? "working" : "idle";
}
