import { computed, signal } from "@preact/signals";

/** Where in the page one is: the address's fragment, such as #/jobs/ID?state=failed. */
export interface Route {
  /** The view's name, such as "jobs". */
  view: string;
  /** What follows it, decoded. */
  path: string[];
  query: URLSearchParams;
}

const fragment = signal(location.hash);
addEventListener("hashchange", () => {
  fragment.value = location.hash;
});

/** The route that is shown. */
export const route = computed(() => parseRoute(fragment.value));

function parseRoute(hash: string): Route {
  const [path = "", query = ""] = split(hash.replace(/^#\/?/, ""));
  const [view = "", ...rest] = path.split("/").filter(Boolean).map(decode);
  return { view: view || "run", path: rest, query: new URLSearchParams(query) };
}

function split(text: string): [string, string] {
  const at = text.indexOf("?");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Gives the address of a route, for a link: href("jobs", [id]). Empty values of the query are left out. */
export function href(view: string, path: readonly string[] = [], query: Record<string, string> = {}): string {
  const given = Object.entries(query).filter(([, v]) => v !== "");
  const text = new URLSearchParams(given).toString();
  return `#/${[view, ...path].map(encodeURIComponent).join("/")}${text && `?${text}`}`;
}

/** Goes to an address of {@link href}; in place of the one before, where that should not be gone back to. */
export function go(to: string, how: { replace?: boolean } = {}): void {
  if (how.replace) {
    history.replaceState(null, "", to);
    fragment.value = location.hash;
  } else {
    location.hash = to;
  }
}
