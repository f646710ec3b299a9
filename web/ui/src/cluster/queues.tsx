import { useSignal } from "@preact/signals";
import { api, unwrap } from "../api/client";
import { href } from "../router";
import { Action } from "../shared/action";
import { Badge, Empty } from "../shared/basics";
import { Cards } from "../shared/cards";
import { Ago } from "../shared/clock";
import { Confirm } from "../shared/confirm";
import { amount, bytes } from "../shared/format";
import { barred } from "../shared/self";
import type { Queue } from "./data";
import { Spark, Throughput } from "./throughput";

type Change = "pause" | "drain" | "resume";

/** The queues: what waits in each, how it moves, and what an admin does with it. */
export function Queues({ queues, reload }: { queues: readonly Queue[]; reload(): void }) {
  const asked = useSignal<{ queue: Queue; change: Change } | undefined>(undefined);
  if (queues.length === 0) {
    return <Empty>There is no queue yet: the first job that is submitted makes its own.</Empty>;
  }
  const reason = barred("admin");
  const ask = (queue: Queue, change: Change) => {
    asked.value = { queue, change };
  };
  return (
    <>
      <Cards
        caption="Queues and what waits in them"
        rows={queues}
        id={(q) => q.name}
        columns={[
          { head: "Queue", cell: (q) => <strong>{q.name}</strong> },
          { head: "State", cell: (q) => <State of={q} /> },
          { head: "Ready", cell: (q) => amount(q.ready), end: true },
          { head: "Delayed", cell: (q) => amount(q.delayed), end: true },
          { head: "Running", cell: (q) => amount(q.running), end: true },
          { head: "Oldest waits since", cell: (q) => <Ago at={q.oldest_ready_at} /> },
          { head: "Last hour", cell: (q) => <Spark of={q} />, extra: true },
          { head: "Dead letters", cell: (q) => <DeadLetters of={q} />, end: true, extra: true },
          { head: "Size", cell: (q) => bytes(q.bytes), end: true, extra: true },
          { head: "Actions", cell: (q) => <Actions of={q} ask={ask} />, end: true },
        ]}
      />
      {queues.map((q) =>
        q.unserved ? (
          <p key={q.name} class="note warn">
            <strong>{q.name} is not served:</strong> {q.unserved}.
          </p>
        ) : null,
      )}
      {reason ? <p class="muted small">Pause, drain and resume are not yours: {lower(reason)}</p> : null}
      <Throughput queues={queues} />
      {asked.value ? (
        <Ask
          {...asked.value}
          reload={reload}
          onClose={() => {
            asked.value = undefined;
          }}
        />
      ) : null}
    </>
  );
}

function lower(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function State({ of }: { of: Queue }) {
  if (of.unserved) return <Badge word="unserved" title={of.unserved} />;
  return <Badge word={of.state} />;
}

function DeadLetters({ of }: { of: Queue }) {
  if (of.failed === 0) return <>0</>;
  return (
    <a href={href("jobs", ["dead-letters"], { queue: of.name })} title="Jobs that could not be judged">
      {amount(of.failed)}
    </a>
  );
}

function Actions({ of, ask }: { of: Queue; ask(queue: Queue, change: Change): void }) {
  const button = (change: Change, text: string) => (
    <Action needs="admin" onClick={() => ask(of, change)} label={`${text} the queue ${of.name}`}>
      {text}
    </Action>
  );
  return (
    <span class="row actions">
      {of.state === "running" ? (
        <>
          {button("pause", "Pause")}
          {button("drain", "Drain")}
        </>
      ) : (
        button("resume", "Resume")
      )}
    </span>
  );
}

const words: Record<Change, { title: string; action: string; text: string }> = {
  pause: {
    title: "Pause the queue",
    action: "Pause",
    text: "Nothing more is taken from it. It still takes submissions, and running jobs go on.",
  },
  drain: {
    title: "Drain the queue",
    action: "Drain",
    text: "It takes no more submissions: they are refused (503). What it holds is finished.",
  },
  resume: {
    title: "Resume the queue",
    action: "Resume",
    text: "It takes submissions, and jobs are taken from it, as usual.",
  },
};

/** Asks before the state of a queue is changed, for everybody. */
function Ask(props: { queue: Queue; change: Change; reload(): void; onClose(): void }) {
  const { queue, change } = props;
  const { title, action, text } = words[change];
  const work = async () => {
    const options = { params: { path: { name: queue.name } } };
    switch (change) {
      case "pause":
        await unwrap(api.POST("/v1/queues/{name}/pause", options));
        break;
      case "drain":
        await unwrap(api.POST("/v1/queues/{name}/drain", options));
        break;
      case "resume":
        await unwrap(api.POST("/v1/queues/{name}/resume", options));
    }
    props.reload();
  };
  return (
    <Confirm title={title} action={action} work={work} onClose={props.onClose}>
      <p>
        <strong>{queue.name}</strong> holds {amount(queue.unfinished)} unfinished{" "}
        {queue.unfinished === 1 ? "job" : "jobs"}, of every tenant.
      </p>
      <p>{text}</p>
    </Confirm>
  );
}
