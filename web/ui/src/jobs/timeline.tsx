import type { Schemas } from "../api/client";
import { type Column, Time } from "../shared/basics";
import { Cards } from "../shared/cards";
import { milliseconds } from "../shared/format";
import { Visible } from "../shared/named";
import { momentsOf } from "./history";
import { between } from "./times";
import type { Happening } from "./watch";

/** What happened to a job, from its submission to now. */
export function Timeline({ job, happened }: { job: Schemas["Job"]; happened: readonly Happening[] }) {
  const moments = momentsOf(job, happened);
  return (
    <ol class="timeline">
      {moments.map((m, i) => (
        <li key={i} data-tone={m.tone}>
          <span class="at muted small">
            <time dateTime={m.at} title={m.at}>
              {i === 0 ? clock(m.at) : `+${milliseconds(between(job.created_at, m.at))}`}
            </time>
          </span>
          <span class="what">
            <Visible text={m.what} />
            {m.more ? (
              <span class="muted">
                {" · "}
                <Visible text={m.more} />
              </span>
            ) : null}
          </span>
        </li>
      ))}
    </ol>
  );
}

function clock(at: string): string {
  return new Date(at).toLocaleTimeString();
}

/** A job's attempts, and why those ended that gave no verdict. */
export function Attempts({
  attempts,
  caption,
}: {
  attempts: readonly Schemas["Attempt"][];
  caption: string;
}) {
  const rows = attempts.map((a, i) => ({ ...a, number: i + 1 }));
  const columns: Column<(typeof rows)[number]>[] = [
    {
      head: "Attempt",
      cell: (a) => (
        <>
          <span class="phone-word">Attempt </span>
          {a.number}
        </>
      ),
    },
    {
      head: "Worker",
      cell: (a) => (
        <span class="wrap">
          <Visible text={a.worker || "–"} />
        </span>
      ),
    },
    { head: "Began", cell: (a) => <Time at={a.started_at} />, extra: true },
    {
      head: "Took",
      cell: (a) => (a.ended_at ? milliseconds(between(a.started_at, a.ended_at)) : "runs"),
      end: true,
    },
    {
      head: "Why it ended",
      cell: (a) =>
        a.reason ? (
          <span class="wrap">
            <Visible text={a.reason} />
            {a.counted ? null : <span class="muted small"> (not counted)</span>}
          </span>
        ) : a.ended_at ? (
          "It gave its report"
        ) : (
          "–"
        ),
    },
  ];
  return <Cards caption={caption} rows={rows} id={(a) => String(a.number)} columns={columns} />;
}
