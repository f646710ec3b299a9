import createClient from "openapi-fetch";
import { apiKey, askForKey } from "./keys";
import { errorOf, problemOf } from "./problem";
import type { components, paths } from "./schema";

/** The schemas of the API, such as Schemas["Job"]. */
export type Schemas = components["schemas"];

/** Where this page is, whatever path a proxy has put it under; it ends with a slash. */
export const base = new URL(".", document.baseURI).href;

/**
 * Sends a request with the key, where there is one. Where the server says that it needs one (401) the
 * user is asked, and the request is sent again with what was given.
 */
export async function send(request: Request): Promise<Response> {
  for (;;) {
    const used = apiKey.value;
    const one = request.clone();
    if (used) one.headers.set("Authorization", `Bearer ${used}`);
    const response = await fetch(one);
    if (response.status !== 401) return response;
    if (apiKey.value !== used) continue; // another request has been given one meanwhile
    const { message } = await problemOf(response.clone());
    const key = await askForKey(used ? message : "This server asks for an API key.");
    if (key === undefined) return response;
  }
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

/** Gives the options of a call with a signal that ends it; undefined is none. */
export function until(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}
