import { Badge, Button, Empty } from "../shared/basics";
import { Cards } from "../shared/cards";
import { Ago } from "../shared/clock";
import { forget, type Live, type Seen, seen, type Worker } from "./data";

/** The workers: what each runs, how busy it is, and when it was last heard of. */
export function Workers({ live }: { live: Live }) {
  const list = seen(live);
  if (list.length === 0) {
    return (
      <Empty>
        No worker is registered. <code>optimus serve</code> has one of its own, <code>optimus work</code> is
        one for a store that others share.
      </Empty>
    );
  }
  return (
    <Cards
      caption="Workers and what they run"
      rows={list}
      id={(w) => w.worker.name}
      columns={[
        { head: "Worker", cell: (w) => <Name of={w} /> },
        { head: "State", cell: (w) => <State of={w} /> },
        { head: "Slots", cell: (w) => (w.state === "gone" ? "–" : <Slots of={w.worker} />) },
        { head: "Languages", cell: (w) => <Lanes of={w.worker} /> },
        { head: "Queues", cell: (w) => (w.worker.queues?.length ? w.worker.queues.join(", ") : "All") },
        { head: "Last seen", cell: (w) => <Ago at={w.worker.seen_at} /> },
        { head: "Up since", cell: (w) => <Ago at={w.worker.started_at} />, extra: true },
      ]}
    />
  );
}

function Name({ of }: { of: Seen }) {
  return (
    <span class="two-lines">
      <strong class={of.state === "gone" ? "muted" : ""}>{of.worker.name}</strong>
      <span class="muted small">{of.worker.version}</span>
    </span>
  );
}

const titles = {
  working: "It runs jobs",
  idle: "It waits for jobs",
  late: "It says every five seconds that it is there, and has not for longer",
  gone: "It is no longer registered: it was stopped, or is lost",
};

function State({ of }: { of: Seen }) {
  return (
    <span class="row state">
      <Badge word={of.state} title={titles[of.state]} />
      {of.state === "gone" ? (
        <Button
          kind="quiet"
          onClick={() => forget(of.worker.name)}
          aria-label={`Forget the worker ${of.worker.name}`}
        >
          Forget
        </Button>
      ) : null}
    </span>
  );
}

/** Up to so many slots are drawn one by one. */
const single = 16;

/** How many slots are busy: a box for each, or a bar of many. */
function Slots({ of }: { of: Worker }) {
  const { busy, slots } = of;
  const text = `${busy} of ${slots}`;
  return (
    <span class="slots" role="img" aria-label={`${text} slots busy`} title={`${text} slots busy`}>
      <span>{text}</span>
      {slots <= single ? (
        <span class="boxes">
          {Array.from({ length: slots }, (_, i) => i).map((i) => (
            <span key={i} data-busy={i < busy} />
          ))}
        </span>
      ) : (
        <span class="bar-track">
          <span class="bar-fill" style={{ width: `${Math.min(100, (100 * busy) / slots)}%` }} />
        </span>
      )}
    </span>
  );
}

/** What a worker takes jobs of; a lane of its own tier is marked. */
function Lanes({ of }: { of: Worker }) {
  const lanes = of.lanes ?? [];
  if (lanes.length === 0) return <span class="soon">None: it has no image</span>;
  return (
    <ul class="lanes">
      {lanes.map((lane) => {
        const [language = lane, tier] = lane.split("/");
        return (
          <li key={lane} title={lane}>
            {language}
            {tier && tier !== "shared" ? <span class="muted"> · {tier}</span> : null}
          </li>
        );
      })}
    </ul>
  );
}
