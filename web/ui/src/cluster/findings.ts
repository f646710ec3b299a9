import { ageOf } from "../api/clock";
import type { Health } from "../api/health";
import { ApiError, messageOf } from "../api/problem";
import { href } from "../router";
import { roughly } from "../shared/clock";
import { amount, bytes } from "../shared/format";
import { type Cluster, type Queue, type Seen, type Store, seen } from "./data";

/** Something that is not as it should be. */
export interface Finding {
  /** bad: jobs are not judged, or are lost. warn: it may come to that. */
  level: "bad" | "warn";
  text: string;
  /** The part of the view that says more. */
  where?: Part;
  /** The view that says more. */
  link?: { to: string; text: string };
}

/** The parts of the view, by their ids. */
export type Part = "workers" | "queues" | "languages" | "store";

/** How long a job may be ready before that is told, in milliseconds: as the alert of docs/OPERATIONS.md. */
const longWait = 5 * 60_000;

/** Gives what is wrong with the cluster, the worst first. */
export function findings(cluster: Cluster, health: Health | undefined): Finding[] {
  const { live, store, languages } = cluster;
  const found = [
    ...ofServer(cluster, health),
    ...ofStore(store.data),
    ...ofWorkers(live.data ? seen(live.data) : undefined),
    ...(live.data?.queues ?? []).flatMap(ofQueue),
  ];
  const list = languages.data;
  if (list && list.length > 0 && list.every((l) => l.state === "missing")) {
    found.push({ level: "bad", text: "No language has its image: no job is taken.", where: "languages" });
  }
  return found.sort((a, b) => Number(a.level === "warn") - Number(b.level === "warn"));
}

/** That the server does not answer, or not with what it was asked for, or is not ready. */
function ofServer({ live, store, languages }: Cluster, health: Health | undefined): Finding[] {
  const errors = [live.error, store.error, languages.error].filter((e) => e !== undefined);
  if (errors.some((e) => e instanceof TypeError)) {
    return [{ level: "bad", text: "The server cannot be reached." }];
  }
  if (errors.some((e) => e instanceof ApiError && e.status === 401)) {
    return [{ level: "bad", text: "The server takes this tab’s key no more: what is shown here is old." }];
  }
  const away = store.data && store.data.status !== "ok";
  const said = new Set(errors.filter((e) => !(away && isUnavailable(e))).map(messageOf));
  const found: Finding[] = [...said].map((text) => ({
    level: "bad",
    text: `The server does not tell all: ${stop(text)}`,
  }));
  if (health?.state === "not ready" && !away) {
    const why = health.reasons.map(stop).join(" ");
    found.push({ level: "bad", text: `The server is not ready. ${why}` });
  }
  return found;
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ApiError && error.status === 503;
}

/** Gives a sentence its capital letter and its full stop. */
function stop(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

function ofStore(store: Store | undefined): Finding[] {
  if (!store) return [];
  const found: Finding[] = [];
  if (store.status !== "ok") {
    const what =
      store.status === "full" ? "The store is full, and takes no jobs." : "The store does not answer.";
    found.push({
      level: "bad",
      text: `${what} ${stop(store.reason ?? "")}`.replace(/ \.$/, ""),
      where: "store",
    });
  } else if (isNarrow(store)) {
    found.push({
      level: "warn",
      text: `The store has only ${bytes(store.free_bytes ?? 0)} left.`,
      where: "store",
    });
  }
  const warnings = store.warnings ?? [];
  for (const text of warnings) found.push({ level: "warn", text: stop(text), where: "store" });
  return found;
}

/** Whether a store has little room left: a tenth of what it may use, of a disk less than a gibibyte. */
export function isNarrow(store: Store): boolean {
  const free = store.free_bytes;
  if (free === undefined) return false;
  return store.kind === "file" ? free < 1 << 30 : free < 0.1 * ((store.bytes ?? 0) + free);
}

function ofWorkers(workers: Seen[] | undefined): Finding[] {
  if (!workers) return [];
  const found: Finding[] = [];
  const here = workers.filter((w) => w.state !== "gone");
  if (here.length === 0) {
    found.push({ level: "bad", text: "No worker is registered: jobs wait.", where: "workers" });
  } else if (here.every(({ worker }) => !worker.lanes?.length)) {
    found.push({ level: "bad", text: "No worker has a language’s image: jobs wait.", where: "workers" });
  }
  for (const { worker, state } of workers) {
    const ago = roughly(ageOf(worker.seen_at));
    if (state === "late") {
      found.push({ level: "warn", text: `Worker ${worker.name} is silent for ${ago}.`, where: "workers" });
    } else if (state === "gone") {
      const text = `Worker ${worker.name} is gone: it was stopped, or is lost. What it ran goes to another.`;
      found.push({ level: "warn", text, where: "workers" });
    }
  }
  return found;
}

function ofQueue(q: Queue): Finding[] {
  const found: Finding[] = [];
  const add = (level: Finding["level"], text: string) =>
    found.push({ level, text: `Queue ${q.name} ${text}`, where: "queues" });
  if (q.unserved) add("bad", `is not served: ${stop(q.unserved).replace(/^./, (c) => c.toLowerCase())}`);
  if (q.state === "paused") add("warn", "is paused: nothing is taken from it.");
  if (q.state === "draining") add("warn", "is draining: it takes no submissions.");
  const waits = q.oldest_ready_at ? ageOf(q.oldest_ready_at) : 0;
  if (!q.unserved && q.state !== "paused" && waits > longWait) {
    add("warn", `is behind: its oldest job waits for ${roughly(waits)}.`);
  }
  found.push(...ofHour(q));
  return found;
}

/** What went wrong in a queue in the last hour, in one sentence. */
function ofHour(q: Queue): Finding[] {
  const count = (what: "failed" | "leases_lost" | "rejected_full") =>
    (q.per_minute ?? []).reduce((sum, m) => sum + m[what], 0);
  const [failed, lost, refused] = [count("failed"), count("leases_lost"), count("rejected_full")];
  const parts = [
    ...(failed > 0 ? [`${amount(failed)} could not be judged`] : []),
    ...(lost > 0 ? [`${amount(lost)} lost their worker`] : []),
    ...(refused > 0 ? [`${amount(refused)} were refused, since it was full`] : []),
  ];
  if (parts.length === 0) return [];
  const text = `Queue ${q.name}, jobs of the last hour: ${parts.join("; ")}.`;
  if (failed === 0) return [{ level: "warn", text, where: "queues" }];
  return [
    {
      level: "warn",
      text,
      link: { to: href("jobs", ["dead-letters"], { queue: q.name }), text: "See dead letters" },
    },
  ];
}
