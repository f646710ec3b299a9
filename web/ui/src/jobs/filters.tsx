import { useId } from "preact/hooks";
import type { Schemas } from "../api/client";
import { go, href } from "../router";
import { Button } from "../shared/basics";
import { amount, sentence } from "../shared/format";
import { may, self } from "../shared/self";
import { type Filter, filterQuery, filters, type State, spans, states } from "./filter";

/** How many jobs are in each state, where that is known. */
export type Counts = Readonly<Record<State, number>>;

/** Counts the jobs that queues hold, of one queue where it is named. */
export function countsOf(queues: readonly Schemas["Queue"][], queue: string): Counts {
  const sum = { queued: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
  for (const q of queues) {
    if (queue && q.name !== queue) continue;
    sum.queued += q.ready + q.delayed;
    sum.running += q.running;
    sum.completed += q.completed;
    sum.failed += q.failed;
    sum.cancelled += q.cancelled;
  }
  return sum;
}

/** The form that says which jobs are shown. What is chosen is in the page's address at once. */
export function Filters(props: {
  filter: Filter;
  /** The path of the list, below #/jobs. */
  path: readonly string[];
  queues: readonly string[];
  counts?: Counts | undefined;
}) {
  const { filter, path, counts } = props;
  const set = (change: Partial<Filter>) =>
    go(href("jobs", path, filterQuery({ ...filter, ...change })), { replace: true });
  return (
    <search class="filters" aria-label="Which jobs are shown">
      {path.length === 0 ? <StateChips filter={filter} counts={counts} set={set} /> : null}
      <div class="row choices">
        <QueueSelect queue={filter.queue} queues={props.queues} set={set} />
        <TimeSelect filter={filter} set={set} />
        {may("admin") && self.value?.keys_needed ? (
          <TextFilter label="Tenant" value={filter.tenant} set={(tenant) => set({ tenant })} />
        ) : null}
        <GoToJob />
        {filters(filter) ? (
          <Button kind="quiet" onClick={() => go(href("jobs", path), { replace: true })}>
            Show all
          </Button>
        ) : null}
      </div>
    </search>
  );
}

type Set = (change: Partial<Filter>) => void;

function StateChips({ filter, counts, set }: { filter: Filter; counts: Counts | undefined; set: Set }) {
  const toggle = (s: State) =>
    filter.states.includes(s) ? filter.states.filter((one) => one !== s) : [...filter.states, s];
  return (
    <fieldset class="chips">
      <legend class="hidden">States</legend>
      {states.map((s) => (
        <label key={s} class="chip" data-word={s}>
          <input
            type="checkbox"
            checked={filter.states.includes(s)}
            onChange={() => set({ states: states.filter((one) => toggle(s).includes(one)) })}
          />
          {sentence(s)}
          {counts ? <span class="number">{amount(counts[s])}</span> : null}
        </label>
      ))}
    </fieldset>
  );
}

function QueueSelect({ queue, queues, set }: { queue: string; queues: readonly string[]; set: Set }) {
  const id = useId();
  const names = queue && !queues.includes(queue) ? [...queues, queue] : queues;
  return (
    <div class="choice">
      <label for={id}>Queue</label>
      <select id={id} value={queue} onChange={(e) => set({ queue: e.currentTarget.value })}>
        <option value="">All</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

function TimeSelect({ filter, set }: { filter: Filter; set: Set }) {
  const id = useId();
  return (
    <>
      <div class="choice">
        <label for={id}>Made</label>
        <select
          id={id}
          value={filter.time}
          onChange={(e) => set({ time: e.currentTarget.value, since: "", until: "" })}
        >
          <option value="">Any time</option>
          {Object.entries(spans).map(([name, { title }]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
          <option value="between">Between…</option>
        </select>
      </div>
      {filter.time === "between" ? (
        <>
          <PointInput label="From" at={filter.since} set={(since) => set({ time: "between", since })} />
          <PointInput label="To" at={filter.until} set={(until) => set({ time: "between", until })} />
        </>
      ) : null}
    </>
  );
}

function PointInput({ label, at, set }: { label: string; at: string; set(at: string): void }) {
  const id = useId();
  return (
    <div class="choice">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="datetime-local"
        value={localOf(at)}
        onChange={(e) => {
          const t = new Date(e.currentTarget.value);
          set(Number.isNaN(t.getTime()) ? "" : t.toISOString());
        }}
      />
    </div>
  );
}

/** Gives a point in time as a field of local time has it. */
function localOf(at: string): string {
  if (!at) return "";
  const t = new Date(at);
  return new Date(t.getTime() - t.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function TextFilter(props: { label: string; value: string; set(value: string): void }) {
  const id = useId();
  return (
    <div class="choice">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        type="text"
        spellcheck={false}
        autocomplete="off"
        value={props.value}
        placeholder="All"
        onChange={(e) => props.set(e.currentTarget.value.trim())}
      />
    </div>
  );
}

/** Opens the job whose id is pasted. */
function GoToJob() {
  const id = useId();
  const submit = (e: SubmitEvent) => {
    e.preventDefault();
    const field = (e.currentTarget as HTMLFormElement).elements.namedItem("id");
    const text = field instanceof HTMLInputElement ? field.value.trim() : "";
    if (text) go(href("jobs", [text]));
  };
  return (
    <form class="choice find" onSubmit={submit}>
      <label for={id}>Find</label>
      <input
        id={id}
        name="id"
        type="text"
        spellcheck={false}
        autocomplete="off"
        placeholder="Job id, Enter"
      />
    </form>
  );
}
