import createClient from "openapi-fetch";
import { apiKey, askForKey, refused } from "./keys";
import { errorOf, problemOf } from "./problem";
import type { components, paths } from "./schema";

/** The schemas of the API, such as Schemas["Job"]. */
export type Schemas = components["schemas"];

/** Where this page is, whatever path a proxy has put it under; it ends with a slash. */
export const base = new URL(".", document.baseURI).href;

/**
 * Sends a request with the key, where there is one. Where the server says that it needs one (401) the
 * user is asked, and the request is sent again with what was given. Who has given none before is asked
 * again by what changes something, not by what merely reads.
 */
export async function send(request: Request): Promise<Response> {
  for (;;) {
    const used = apiKey.value;
    const one = request.clone();
    if (used) one.headers.set("Authorization", `Bearer ${used}`);
    const response = await fetch(one);
    if (response.status !== 401) return response;
    const { message } = await problemOf(response.clone());
    if (apiKey.value !== used) continue; // another request has been given one meanwhile
    if (refused.value && request.method === "GET") return response;
    const key = await askForKey(used ? whyRefused(response, message) : "This server asks for an API key.");
    if (key === undefined) return response;
  }
}

/** Says why the server does not take a key: it expired, or is none that it knows. */
function whyRefused(response: Response, message: string): string {
  if (response.headers.get("WWW-Authenticate")?.includes("invalid_token"))
    return `The server says: ${message}.`;
  return "The server does not know this key: it is mistyped, or was revoked.";
}

/** The typed client: api.GET("/v1/jobs/{id}", {params: …}). Use it with {@link unwrap}. */
export const api = createClient<paths>({
  baseUrl: base.slice(0, -1),
  fetch: send,
  querySerializer: { array: { style: "form", explode: false } }, // the API's lists: state=queued,running
});

/** Gives the data of an answer, or throws an ApiError with the server's problem. */
export async function unwrap<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw errorOf(response, error);
  return data as T;
}

/**
 * Asks whose a key is, without asking the user for one. A key that the server does not take gives an
 * Error that says why; whatever else goes wrong is thrown as by {@link unwrap}.
 */
export async function identify(key: string): Promise<Schemas["Self"]> {
  const { data, error, response } = await api.GET("/v1/self", {
    headers: { Authorization: `Bearer ${key}` },
    fetch: (request) => fetch(request),
  });
  if (data) return data;
  const failure = errorOf(response, error);
  throw response.status === 401 ? new Error(whyRefused(response, failure.message)) : failure;
}

/** Gives the options of a call with a signal that ends it; undefined is none. */
export function until(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}
