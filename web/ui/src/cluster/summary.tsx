import type { ComponentChildren } from "preact";
import { ageOf, serverTime } from "../api/clock";
import { health } from "../api/health";
import { Button } from "../shared/basics";
import { roughly } from "../shared/clock";
import { amount, milliseconds, when } from "../shared/format";
import { type Cluster, livePeriod, seen } from "./data";
import { type Finding, findings, type Part } from "./findings";

const names: Record<Part, string> = {
  workers: "Workers",
  queues: "Queues",
  languages: "Languages",
  store: "Store",
};

/** Goes to a part of the view. */
export function goTo(part: Part): void {
  const section = document.getElementById(part);
  section?.scrollIntoView({ block: "start" });
  section?.focus({ preventScroll: true });
}

/** Answers at one look whether all is well and, if not, what is wrong and where to look. */
export function Summary({ cluster }: { cluster: Cluster }) {
  const { live, store, languages } = cluster;
  const found = findings(cluster, health.value);
  const known = live.data !== undefined && store.data !== undefined && languages.data !== undefined;
  if (!known && found.length === 0) return <p class="muted">Asking the server how it is…</p>;
  const level = found[0]?.level ?? "good";
  return (
    <section class="wellness" data-level={level} aria-label="How the cluster is">
      <p class="wellness-line" role="status">
        <Mark level={level} />
        <strong>{headline(found)}</strong>
      </p>
      {found.length > 0 ? (
        <ul class="findings">
          {found.map((f) => (
            <Item key={f.text} finding={f} />
          ))}
        </ul>
      ) : null}
    </section>
  );
}

function headline(found: readonly Finding[]): string {
  const bad = found.filter((f) => f.level === "bad").length;
  const warn = found.length - bad;
  if (bad > 0) return bad === 1 ? "Something is wrong" : `${bad} things are wrong`;
  if (warn > 0)
    return warn === 1 ? "It works; one thing needs a look" : `It works; ${warn} things need a look`;
  return "All is well";
}

function Item({ finding }: { finding: Finding }) {
  const { where } = finding;
  return (
    <li data-level={finding.level}>
      <Mark level={finding.level} />
      <span>
        <span class="hidden">{finding.level === "bad" ? "Wrong: " : "Warning: "}</span>
        {finding.text}{" "}
        {where ? (
          <button type="button" class="text-link" onClick={() => goTo(where)}>
            See {names[where].toLowerCase()}
          </button>
        ) : null}
        {finding.link ? <a href={finding.link.to}>{finding.link.text}</a> : null}
      </span>
    </li>
  );
}

/** A shape for each level, since not everyone tells the colours apart. */
function Mark({ level }: { level: "good" | Finding["level"] }) {
  return (
    <svg class="level" data-level={level} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      {level === "good" ? <path d="M2.5 8.5l3.5 3.5 7.5-8" /> : null}
      {level === "warn" ? <path d="M8 2L14.5 13.5H1.5zM8 6.5v3M8 11.4v.2" /> : null}
      {level === "bad" ? <path d="M3.5 3.5l9 9M12.5 3.5l-9 9" /> : null}
    </svg>
  );
}

/** The figures that matter most; each leads to where there are more. */
export function Tiles({ cluster }: { cluster: Cluster }) {
  const { live, store, languages } = cluster;
  const workers = live.data ? seen(live.data).filter((w) => w.state !== "gone") : undefined;
  const sum = (of: "slots" | "busy") => workers?.reduce((n, w) => n + w.worker[of], 0) ?? 0;
  const queues = live.data?.queues;
  const total = (of: "ready" | "delayed" | "running") => queues?.reduce((n, q) => n + q[of], 0) ?? 0;
  const oldest = queues?.flatMap((q) => q.oldest_ready_at ?? []).sort()[0];
  const hour = queues?.reduce((n, q) => n + (q.per_minute ?? []).reduce((m, one) => m + one.completed, 0), 0);
  const list = languages.data;
  const runnable = list?.filter((l) => l.state === "available" || l.state === "elsewhere").length ?? 0;
  const wait = total("ready") + total("delayed");
  return (
    <div class="tiles">
      <Tile part="workers" name="Workers" value={workers && amount(workers.length)}>
        {amount(sum("busy"))} of {amount(sum("slots"))} slots busy
      </Tile>
      <Tile part="queues" name="Waiting" value={queues && amount(wait)}>
        {oldest ? `oldest for ${roughly(ageOf(oldest))}` : `${amount(total("running"))} running`}
      </Tile>
      <Tile
        part="queues"
        name="Judged in the last hour"
        value={hour === undefined ? undefined : amount(hour)}
      >
        {((hour ?? 0) / 60).toFixed(1)} a minute
      </Tile>
      <Tile part="languages" name="Languages" value={list && amount(runnable)}>
        of {amount(list?.length ?? 0)} can be run
      </Tile>
      <Tile
        part="store"
        name="Store"
        value={store.data && { ok: "Ok", full: "Full", unavailable: "Away" }[store.data.status]}
      >
        answers in {milliseconds(store.data?.latency_ms ?? 0)}
      </Tile>
    </div>
  );
}

function Tile(props: { part: Part; name: string; value: string | undefined; children: ComponentChildren }) {
  return (
    <button type="button" class="tile" onClick={() => goTo(props.part)}>
      <span class="tile-name">{props.name}</span>
      <span class="tile-value">{props.value ?? "–"}</span>
      <span class="tile-more">{props.value === undefined ? "…" : props.children}</span>
    </button>
  );
}

/** Says how old what is shown is, and asks again now. */
export function Freshness({ cluster }: { cluster: Cluster }) {
  const { live } = cluster;
  serverTime.value; // it is told anew each second
  const reload = () => {
    live.reload();
    cluster.store.reload();
    cluster.languages.reload();
  };
  const at = live.data ? new Date(live.data.at) : undefined;
  const stale = live.error !== undefined;
  return (
    <div class="row fresh">
      <span class={stale ? "stale" : "muted"}>
        {at ? (
          <>
            {stale ? "Not refreshed since " : "Refreshed "}
            {stale ? at.toLocaleTimeString() : when(at.toISOString(), true)}
          </>
        ) : (
          "Not read yet"
        )}
        , asked every {livePeriod / 1000} s
      </span>
      <Button kind="quiet" onClick={reload}>
        Refresh
      </Button>
    </div>
  );
}
