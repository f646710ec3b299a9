import { href } from "../router";
import { amount } from "../shared/format";
import { type Filter, filterQuery } from "./filter";

/** Leads between all jobs and the dead letters. What both can be filtered by is kept. */
export function JobTabs(props: { chosen: "all" | "dead"; filter: Filter; failed?: number | undefined }) {
  const { chosen, failed } = props;
  const query = { ...filterQuery(props.filter), state: "" };
  const here = (tab: string) => (tab === chosen ? ("page" as const) : undefined);
  return (
    <nav class="subnav" aria-label="Lists of jobs">
      <a href={href("jobs", [], query)} aria-current={here("all")}>
        All jobs
      </a>
      <a href={href("jobs", ["dead-letters"], query)} aria-current={here("dead")}>
        Dead letters
        {failed ? <span class="alarm">{amount(failed)}</span> : null}
      </a>
    </nav>
  );
}
