import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import type { Schemas } from "../api/client";
import { Table } from "../shared/basics";
import { Chart, clock, type Series } from "../shared/chart";
import { amount } from "../shared/format";
import type { Queue } from "./data";

type Minute = Schemas["MinuteCounters"];

/** What is drawn of each minute. */
const counts = ["submitted", "completed", "failed", "cancelled"] as const;

/** What happened in each minute of the last hour, in one queue or in all, as a chart and as a table. */
export function Throughput({ queues }: { queues: readonly Queue[] }) {
  const chosen = useSignal("");
  const id = useId();
  const of = queues.some((q) => q.name === chosen.value) ? chosen.value : "";
  const minutes = sum(queues.filter((q) => of === "" || q.name === of));
  const where = of || (queues.length === 1 ? (queues[0]?.name ?? "") : "all queues");
  const values = (what: (typeof counts)[number]) => minutes.map((m) => m[what]);
  const series: Series[] = [
    { name: "Completed", values: values("completed"), colour: "accent" },
    { name: "Failed", values: values("failed"), colour: "bad" },
    { name: "Cancelled", values: values("cancelled"), colour: "quiet" },
    { name: "Submitted", values: values("submitted"), colour: "line", line: true },
  ];
  return (
    <div class="throughput">
      <div class="row spread">
        <h3>Jobs a minute, in the last hour</h3>
        {queues.length > 1 ? (
          <span class="row">
            <label for={id} class="muted small">
              Queue
            </label>
            <select
              id={id}
              value={of}
              onChange={(e) => {
                chosen.value = e.currentTarget.value;
              }}
            >
              <option value="">All</option>
              {queues.map((q) => (
                <option key={q.name} value={q.name}>
                  {q.name}
                </option>
              ))}
            </select>
          </span>
        ) : null}
      </div>
      <Chart
        label={`Jobs a minute in the last hour, ${where}`}
        times={minutes.map((m) => m.minute)}
        series={series}
      />
      <AsTable minutes={minutes} where={where} />
    </div>
  );
}

/** Adds up the minutes of some queues, which are the same ones. */
function sum(queues: readonly Queue[]): Minute[] {
  const all = queues.map((q) => q.per_minute ?? []);
  return (all[0] ?? []).map((first, i) => {
    const minute = { ...first };
    for (const other of all.slice(1)) for (const what of counts) minute[what] += other[i]?.[what] ?? 0;
    return minute;
  });
}

/** The minutes in which something happened, for who cannot see the chart or wants the figures. */
function AsTable({ minutes, where }: { minutes: readonly Minute[]; where: string }) {
  const busy = minutes.filter((m) => counts.some((what) => m[what] > 0)).reverse();
  return (
    <details class="as-table">
      <summary class="muted small">As a table</summary>
      {busy.length === 0 ? (
        <p class="muted small">Nothing happened in the last hour.</p>
      ) : (
        <Table
          caption={`Jobs of each minute in the last hour in which there were any, ${where}`}
          rows={busy}
          id={(m) => m.minute}
          columns={[
            { head: "Minute", cell: (m) => <time dateTime={m.minute}>{clock(m.minute)}</time> },
            { head: "Submitted", cell: (m) => amount(m.submitted), end: true },
            { head: "Completed", cell: (m) => amount(m.completed), end: true },
            { head: "Failed", cell: (m) => amount(m.failed), end: true },
            { head: "Cancelled", cell: (m) => amount(m.cancelled), end: true },
          ]}
        />
      )}
    </details>
  );
}

/** The last hour of a queue in the height of a line. */
export function Spark({ of }: { of: Queue }) {
  const ended = (of.per_minute ?? []).map((m) => m.completed + m.failed + m.cancelled);
  const total = ended.reduce((a, b) => a + b, 0);
  const highest = Math.max(1, ...ended);
  return (
    <span class="spark" title={`${amount(total)} ended in the last hour`}>
      <svg width={90} height={20} aria-hidden="true">
        <polyline points={ended.map((n, i) => `${i * 1.5},${19 - (18 * n) / highest}`).join(" ")} />
      </svg>
      <span>{amount(total)}</span>
    </span>
  );
}
