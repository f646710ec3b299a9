import { api, base, type Schemas, send, unwrap } from "./client";
import { serverNow } from "./clock";
import { ApiError, problemOf } from "./problem";
import { readEvents } from "./sse";

/** An event of a job; docs/API.md, "Follow a job". */
export type JobEvent =
  | { type: "state"; data: Schemas["StateEvent"] }
  | { type: "compiled"; data: Schemas["CompiledEvent"] }
  | { type: "test"; data: Schemas["TestEvent"] }
  | { type: "output"; data: Schemas["OutputEvent"] }
  | { type: "restart"; data: Schemas["RestartEvent"] }
  /** The stream broke off, and is begun again from where it was. */
  | { type: "lost"; data: { time: string; reason: string } }
  /** The stream goes on after that, be there something to tell or not. */
  | { type: "found" }
  /** The job has ended; this is the last event. */
  | { type: "end"; data: Schemas["Job"] };

const types = new Set(["state", "compiled", "test", "output", "restart"]);

/** Tells whether a job in this state changes no more. */
export function ended(state: string): boolean {
  return state === "completed" || state === "failed" || state === "cancelled";
}

/**
 * Follows a job until it has ended, from its first event on, and gives its report last. A stream that
 * breaks off is taken up where it was, however often. Errors are ApiErrors; a signal ends it with an
 * AbortError.
 */
export async function* follow(id: string, signal: AbortSignal): AsyncGenerator<JobEvent> {
  let last = "";
  let away = false;
  for (let pause = 250; ; pause = Math.min(2 * pause, 10_000)) {
    let reason = "The stream of events broke off.";
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (last) headers["Last-Event-ID"] = last;
      const response = await send(
        new Request(`${base}v1/jobs/${encodeURIComponent(id)}/events`, {
          headers,
          signal,
          cache: "no-store",
        }),
      );
      if (!response.ok || !response.body) throw await problemOf(response);
      if (away) yield { type: "found" };
      away = false;
      for await (const e of readEvents(response.body)) {
        pause = 250;
        last = e.id;
        if (types.has(e.event)) yield { type: e.event, data: JSON.parse(e.data) } as JobEvent;
      }
      // It ends with the job, and where the server stops.
      const job = await report(id, signal);
      if (ended(job.state)) {
        yield { type: "end", data: job };
        return;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ApiError && error.status < 500 && error.status !== 429) throw error;
      if (error instanceof ApiError) reason = error.message;
    }
    away = true;
    yield { type: "lost", data: { time: serverNow(), reason } };
    await sleep(pause, signal);
  }
}

/** Gives a job as it is. */
export function report(id: string, signal: AbortSignal): Promise<Schemas["Job"]> {
  return unwrap(api.GET("/v1/jobs/{id}", { params: { path: { id } }, signal }));
}

/** Waits for some milliseconds, or until the signal. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
