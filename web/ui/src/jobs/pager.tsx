import { useEffect } from "preact/hooks";
import { go } from "../router";
import "../shared/action.css";
import { amount } from "../shared/format";
import { tabStore } from "../storage";

/** Jobs on a page: few enough that the page stays quick, however many jobs there are. */
export const pageSize = 100;

/** A page of a list: where it begins, and its number, from 1. */
export interface Place {
  cursor: string;
  page: number;
}

export function readPlace(query: URLSearchParams): Place {
  const cursor = query.get("cursor") ?? "";
  const page = Math.trunc(Number(query.get("page")));
  return cursor && page > 1 ? { cursor, page } : { cursor: "", page: 1 };
}

const slot = "optimus.jobs.pages";

/**
 * The cursors by which the pages of a list were reached: the server leads to older jobs alone, so the way
 * back is kept, for this tab.
 */
function trail(list: string): string[] {
  try {
    const kept = JSON.parse(tabStore.get(slot) ?? "null") as {
      list: string;
      cursors: string[];
    } | null;
    if (kept?.list === list && Array.isArray(kept.cursors)) return kept.cursors;
  } catch {
    // of an earlier version of this page
  }
  return [];
}

function keepTrail(list: string, place: Place): void {
  const cursors = trail(list).slice(0, place.page - 1);
  cursors[place.page - 1] = place.cursor;
  tabStore.set(slot, JSON.stringify({ list, cursors }));
}

/** Leads through the pages of a list. */
export function Pager(props: {
  /** Names the list: pages of another are not led back to. */
  list: string;
  place: Place;
  shown: number;
  next: string | undefined;
  address(query: Record<string, string>): string;
}) {
  const { list, place, shown, next, address } = props;
  useEffect(() => keepTrail(list, place), [list, place.cursor, place.page]);
  const to = (cursor: string, page: number) => {
    go(address(cursor ? { cursor, page: String(page) } : {}));
    document.getElementById("jobs")?.scrollIntoView({ block: "nearest" });
    scrollTo({ top: 0 });
  };
  const before = trail(list)[place.page - 2];
  const from = (place.page - 1) * pageSize;
  if (place.page === 1 && !next) return null;
  return (
    <nav class="pager" aria-label="Pages">
      <span class="muted small" role="status">
        Page {amount(place.page)} · jobs {amount(from + 1)} to {amount(from + shown)}
      </span>
      <Step off={place.page === 1} go={() => to("", 1)}>
        Newest
      </Step>
      <Step
        off={place.page === 1 || (before === undefined && place.page > 2)}
        go={() => to(before ?? "", place.page - 1)}
      >
        Newer
      </Step>
      <Step off={!next} go={() => to(next ?? "", place.page + 1)}>
        Older
      </Step>
    </nav>
  );
}

/** A button that keeps the focus where it leads nowhere any more. */
function Step(props: { off: boolean; go(): void; children: string }) {
  return (
    <button
      type="button"
      class={props.off ? "button barred" : "button"}
      aria-disabled={props.off}
      onClick={props.off ? undefined : props.go}
    >
      {props.children}
    </button>
  );
}
