import { Badge, CopyButton } from "../shared/basics";
import { Facts } from "../shared/facts";
import { bytes, milliseconds } from "../shared/format";
import type { Store as Health } from "./data";
import { isNarrow } from "./findings";

const kinds: Record<Health["kind"], string> = {
  file: "A file of this server’s",
  redis: "A server that speaks the Redis protocol",
  redis_sentinel: "A server that Sentinels watch, and its replicas",
  redis_cluster: "A Redis Cluster",
};

const outlives: Record<Health["durability"], string> = {
  local: "the end of the store’s process",
  fsync: "a power cut too",
  replicated: "the loss of the store’s machine too",
};

/** What keeps the jobs, and how it fares. */
export function Store({ health }: { health: Health }) {
  const warnings = health.warnings ?? [];
  return (
    <div class="frame">
      <Facts
        of={[
          ["State", <Badge key="state" word={health.status} title={health.reason} />],
          ["Kept in", health.version ? `${kinds[health.kind]}: ${health.version}` : kinds[health.kind]],
          ["What is acknowledged outlives", `${outlives[health.durability]} (${health.durability})`],
          ["Answers in", milliseconds(health.latency_ms)],
          ["Size", bytes(health.bytes ?? 0)],
          ["Free", <Room key="room" of={health} />],
          ["Schema", health.schema ? <Schema key="schema" of={health.schema} /> : undefined],
        ]}
      />
      {health.reason ? <p class="note bad">{health.reason}</p> : null}
      {warnings.map((text) => (
        <p key={text} class="note warn">
          {text}
        </p>
      ))}
    </div>
  );
}

function Room({ of }: { of: Health }) {
  if (of.free_bytes === undefined) return <span>No limit is known</span>;
  return <span class={isNarrow(of) ? "soon" : ""}>{bytes(of.free_bytes)}</span>;
}

const upgrade = "optimus admin store upgrade";

function Schema({ of }: { of: NonNullable<Health["schema"]> }) {
  if (of.known <= of.written) return <span>Form {of.written}, the newest</span>;
  return (
    <span class="row command">
      Form {of.written} of {of.known}: <code>{upgrade}</code>
      <CopyButton text={upgrade} />
    </span>
  );
}
