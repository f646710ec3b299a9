import { useSignal } from "@preact/signals";
import { api, type Schemas, unwrap } from "../api/client";
import { messageOf } from "../api/problem";
import { href, type Route } from "../router";
import { Action } from "../shared/action";
import { Button, Dialog, Empty, ErrorNote, Time } from "../shared/basics";
import { amount } from "../shared/format";
import { Visible } from "../shared/named";
import { useResource } from "../shared/poll";
import { barred } from "../shared/self";
import { type Filter, filterQuery, filters, listQuery, readFilter } from "./filter";
import { Filters } from "./filters";
import { failedOf, JobLink } from "./list";
import { Pager, pageSize, readPlace } from "./pager";
import { JobTabs } from "./tabs";
import { Attempts } from "./timeline";
import { shortId } from "./times";

type Job = Schemas["Job"];

/** The jobs that Optimus itself could not judge, why, and the way to try them again. */
export function DeadLetters({ route }: { route: Route }) {
  const filter: Filter = { ...readFilter(route.query), states: ["failed"] };
  const shared: Filter = { ...filter, states: [] };
  const place = readPlace(route.query);
  const retried = useSignal<readonly string[]>([]);
  const asks = useSignal(false);
  const list = useResource(
    (signal) =>
      unwrap(api.GET("/v1/jobs", { params: { query: listQuery(filter, place.cursor, pageSize) }, signal })),
    [route.query.toString()],
    5000,
  );
  const queues = useResource((signal) => unwrap(api.GET("/v1/queues", { signal })), [], 5000);
  const known = queues.data?.queues ?? [];
  const jobs = list.data?.jobs ?? [];
  const done = (ids: readonly string[]) => {
    retried.value = [...ids, ...retried.value];
    list.reload();
    queues.reload();
  };
  const why = barred("admin");
  return (
    <div class="page jobs" id="jobs">
      <div class="row list-head">
        <h1>Jobs</h1>
        <JobTabs chosen="dead" filter={shared} failed={failedOf(known, shared)} />
      </div>
      <Filters filter={shared} path={["dead-letters"]} queues={known.map((q) => q.name)} />
      <ErrorNote error={list.error} retry={list.reload} />
      <Retried ids={retried.value} />
      {list.data && jobs.length === 0 ? <None filter={shared} first={place.page === 1} /> : null}
      {jobs.length > 0 ? (
        <>
          <p class="muted">
            These could not be judged by Optimus itself, in as many attempts as they had. What a program does
            wrong is a verdict, and never brings a job here.
          </p>
          <div class="row">
            <Action
              needs="admin"
              onClick={() => {
                asks.value = true;
              }}
            >
              Retry all shown ({amount(jobs.length)})
            </Action>
            {why ? <span class="muted small">{why}</span> : null}
          </div>
          <ul class="letters">
            {jobs.map((j) => (
              <Letter key={j.id} job={j} done={() => done([j.id])} />
            ))}
          </ul>
          <Pager
            list={`dead ${JSON.stringify(filterQuery(shared))}`}
            place={place}
            shown={jobs.length}
            next={list.data?.next_cursor}
            address={(q) => href("jobs", ["dead-letters"], { ...filterQuery(shared), ...q })}
          />
        </>
      ) : null}
      {asks.value ? (
        <RetryAll jobs={jobs.map((j) => j.id)} done={done} close={() => (asks.value = false)} />
      ) : null}
    </div>
  );
}

function Retried({ ids }: { ids: readonly string[] }) {
  const [only] = ids;
  return (
    <div role="status">
      {only === undefined ? null : (
        <p class="note">
          {ids.length === 1 ? (
            <>
              Queued again: <a href={href("jobs", [only])}>{shortId(only)}</a>. Its attempts are counted anew.
            </>
          ) : (
            <>
              {amount(ids.length)} jobs are queued again.{" "}
              <a href={href("jobs", [], { state: "queued,running" })}>Show what waits and runs</a>.
            </>
          )}
        </p>
      )}
    </div>
  );
}

function Letter({ job, done }: { job: Job; done(): void }) {
  const busy = useSignal(false);
  const error = useSignal<unknown>(undefined);
  const retry = async () => {
    busy.value = true;
    error.value = undefined;
    try {
      await redrive(job.id);
      done();
    } catch (e) {
      error.value = e;
    }
    busy.value = false;
  };
  return (
    <li class="letter">
      <div class="row">
        <JobLink id={job.id} />
        <span>{job.language}</span>
        <span class="muted small">
          {job.queue}
          {job.tenant ? ` · ${job.tenant}` : ""} · failed <Time at={job.finished_at} relative />
        </span>
        <span class="gap" />
        <Action needs="admin" busy={busy.value} label={`Retry job ${job.id}`} onClick={() => void retry()}>
          Retry
        </Action>
      </div>
      <p class="why">
        <Visible text={job.error ?? "No reason was noted."} />
      </p>
      <ErrorNote error={error.value} />
      {job.history?.length ? (
        <Attempts attempts={job.history} caption={`Attempts of job ${shortId(job.id)}`} />
      ) : null}
    </li>
  );
}

async function redrive(id: string): Promise<void> {
  await unwrap(api.POST("/v1/jobs/{id}/redrive", { params: { path: { id } } }));
}

/** Asks once more, then queues one after the other, so that a failure can be told of each. */
function RetryAll(props: { jobs: readonly string[]; done(ids: readonly string[]): void; close(): void }) {
  const jobs = useSignal(props.jobs).value;
  const at = useSignal<number | undefined>(undefined);
  const refused = useSignal<readonly { id: string; why: string }[]>([]);
  const run = async () => {
    const good: string[] = [];
    for (const [i, id] of jobs.entries()) {
      at.value = i;
      try {
        await redrive(id);
        good.push(id);
      } catch (e) {
        refused.value = [...refused.value, { id, why: messageOf(e) }];
      }
    }
    at.value = jobs.length;
    props.done(good);
    if (refused.value.length === 0) props.close();
  };
  const over = at.value === jobs.length;
  return (
    <Dialog
      title={`Retry ${amount(jobs.length)} ${jobs.length === 1 ? "job" : "jobs"}?`}
      onClose={props.close}
    >
      <p>
        Each is queued again and has all its attempts anew. What made them fail should have been mended first.
      </p>
      <p role="status">
        {at.value === undefined
          ? ""
          : over
            ? `Queued again: ${amount(jobs.length - refused.value.length)}.`
            : `${amount(at.value + 1)} of ${amount(jobs.length)}`}
      </p>
      {refused.value.length > 0 ? (
        <div class="note bad" role="alert">
          <strong>
            {refused.value.length === 1 ? "One was refused" : `${amount(refused.value.length)} were refused`}
          </strong>
          <ul>
            {refused.value.map((r) => (
              <li key={r.id}>
                <a href={href("jobs", [r.id])}>{shortId(r.id)}</a>: {r.why}
              </li>
            ))}
          </ul>
        </div>
      ) : null}
      <div class="row end">
        <Button onClick={props.close}>{over ? "Close" : "Leave them"}</Button>
        {over ? null : (
          <Button kind="primary" busy={at.value !== undefined} onClick={() => void run()}>
            Retry all
          </Button>
        )}
      </div>
    </Dialog>
  );
}

function None({ filter, first }: { filter: Filter; first: boolean }) {
  if (!first) return <Empty>There are no older dead letters.</Empty>;
  if (filters(filter)) {
    return (
      <Empty>
        No dead letter is like this. <a href={href("jobs", ["dead-letters"])}>Show all</a>.
      </Empty>
    );
  }
  return (
    <div class="empty">
      <p>
        <strong>No dead letters: everything could be judged.</strong>
      </p>
      <p>
        A job comes here when each of its attempts failed for a reason of Optimus itself, such as a worker
        that was lost or a disk that is full. It is shown with those reasons, and can be tried again.
      </p>
    </div>
  );
}
