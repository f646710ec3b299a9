import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { api, type Schemas, unwrap } from "../api/client";
import { ended } from "../api/events";
import { href, type Route } from "../router";
import { Badge, Button, type Column, Empty, ErrorNote, Table, Time } from "../shared/basics";
import { useResource } from "../shared/poll";
import { may, self } from "../shared/self";
import { type Filter, filterQuery, filters, listQuery, readFilter } from "./filter";
import { type Counts, countsOf, Filters } from "./filters";
import { Pager, pageSize, readPlace } from "./pager";
import { JobTabs } from "./tabs";
import { ranFor, shortId, waitedFor } from "./times";

type Job = Schemas["Job"];

/** All jobs, newest first, as they are now. */
export function List({ route }: { route: Route }) {
  const filter = readFilter(route.query);
  const place = readPlace(route.query);
  const live = useSignal(true);
  const busy = useSignal(false);
  const list = useResource(
    async (signal) => {
      const query = listQuery(filter, place.cursor, pageSize);
      const page = await unwrap(api.GET("/v1/jobs", { params: { query }, signal }));
      busy.value = page.jobs?.some((j) => !ended(j.state)) ?? false;
      return page;
    },
    [route.query.toString()],
    live.value ? (busy.value ? 1000 : 3000) : undefined,
  );
  const queues = useResource(
    (signal) => unwrap(api.GET("/v1/queues", { signal })),
    [],
    live.value ? 3000 : undefined,
  );
  const jobs = list.data?.jobs;
  const known = queues.data?.queues ?? [];
  return (
    <div class="page jobs" id="jobs">
      <div class="row list-head">
        <h1>Jobs</h1>
        <JobTabs chosen="all" filter={filter} failed={failedOf(known, filter)} />
        <span class="gap" />
        <Button
          kind="quiet"
          aria-pressed={live.value}
          title={live.value ? "The list follows what happens" : "The list stays as it is"}
          onClick={() => {
            live.value = !live.value;
          }}
        >
          <span class="pulse" data-on={live.value && list.error === undefined} aria-hidden="true" />
          Live
        </Button>
      </div>
      <Filters
        filter={filter}
        path={[]}
        queues={known.map((q) => q.name)}
        counts={countable(filter) && queues.data ? countsOf(known, filter.queue) : undefined}
      />
      <ErrorNote error={list.error} retry={list.reload} />
      {jobs?.length === 0 ? <None filter={filter} first={place.page === 1} /> : null}
      {jobs?.length ? (
        <>
          <Table caption="Jobs, newest first" rows={jobs} id={(j) => j.id} columns={columns()} />
          <Pager
            list={JSON.stringify(filterQuery(filter))}
            place={place}
            shown={jobs.length}
            next={list.data?.next_cursor}
            address={(q) => href("jobs", [], { ...filterQuery(filter), ...q })}
          />
        </>
      ) : null}
    </div>
  );
}

/** Queues count the jobs of all tenants, and of all times. */
function countable(f: Filter): boolean {
  return may("admin") && self.value !== undefined && f.tenant === "" && f.time === "";
}

/** How many dead letters there are; undefined where that is not known. */
export function failedOf(queues: readonly Schemas["Queue"][], f: Filter): number | undefined {
  if (!may("admin") || queues.length === 0) return undefined;
  const counts: Counts = countsOf(queues, f.queue);
  return counts.failed;
}

function columns(): Column<Job>[] {
  const tenants = may("admin") && self.value?.keys_needed === true;
  const all: Column<Job>[] = [
    { head: "State", cell: (j) => <JobState job={j} /> },
    { head: "Job", cell: (j) => <JobName job={j} /> },
    { head: "Language", cell: (j) => j.language, extra: true },
    { head: "Queue", cell: (j) => j.queue, extra: true },
    { head: "Made", cell: (j) => <Time at={j.created_at} relative /> },
    { head: "Waited", cell: waitedFor, end: true, extra: true },
    { head: "Ran", cell: ranFor, end: true, extra: true },
    { head: "Attempts", cell: (j) => attempts(j), end: true, extra: true },
    { head: "Worker", cell: (j) => j.worker ?? <span class="muted">–</span>, extra: true },
  ];
  if (tenants) all.splice(4, 0, { head: "Tenant", cell: (j) => j.tenant ?? "", extra: true });
  return all;
}

function attempts(j: Job): ComponentChildren {
  const text = `${j.attempts} of ${j.max_attempts}`;
  return j.attempts > 1 ? <strong>{text}</strong> : <span class="muted">{text}</span>;
}

/** A job's id; on a phone with its language below. */
function JobName({ job }: { job: Job }) {
  return (
    <>
      <JobLink id={job.id} />
      <span class="muted small phone-only">{job.language}</span>
    </>
  );
}

export function JobLink({ id }: { id: string }) {
  return (
    <a class="id" href={href("jobs", [id])} title={id}>
      {shortId(id)}
    </a>
  );
}

/** A job's verdict, or its state as long as it has none. */
function JobState({ job }: { job: Job }) {
  if (job.state === "failed") return <Badge word="failed" title={job.error} />;
  const more = job.cancel_requested ? "cancelling" : job.state === "queued" && job.started_at ? "again" : "";
  return (
    <>
      <Badge word={job.verdict ?? job.state} />
      {more ? <span class="muted small"> {more}</span> : null}
    </>
  );
}

function None({ filter, first }: { filter: Filter; first: boolean }) {
  if (!first) return <Empty>There are no older jobs.</Empty>;
  if (filters(filter)) {
    return (
      <Empty>
        No job is like this. <a href={href("jobs")}>Show all jobs</a>, or choose other states or another time.
      </Empty>
    );
  }
  return (
    <div class="empty">
      <p>
        <strong>There are no jobs.</strong>
      </p>
      <p>
        <a href={href("run")}>Run a program</a>, and it appears here at once: with its verdict, its times and
        all that happened to it. Jobs that are submitted through the <a href="docs">API</a> do so too.
      </p>
    </div>
  );
}
