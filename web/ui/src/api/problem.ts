import type { components } from "./schema";

/** A problem as the API tells it (RFC 9457). */
export type Problem = components["schemas"]["Problem"];

/** ApiError is an answer of the server that is no success. Its message says what to do. */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly problem: Problem,
    /** Seconds after which to try again, where the server says so. */
    readonly retryAfter?: number,
  ) {
    super(problem.detail ?? problem.title);
  }

  get status(): number {
    return this.problem.status;
  }
}

/** Reads the problem of an answer; what is none, such as a proxy's page, becomes one. */
export async function problemOf(response: Response): Promise<ApiError> {
  let body: unknown;
  try {
    body = await response.json();
  } catch {
    body = undefined;
  }
  return errorOf(response, body);
}

/** As {@link problemOf}, for an answer whose body has been read. */
export function errorOf(response: Response, body: unknown): ApiError {
  const seconds = Number(response.headers.get("Retry-After") ?? Number.NaN);
  return new ApiError(
    isProblem(body)
      ? body
      : {
          code: "unknown",
          type: "about:blank",
          status: response.status,
          title: `The server answered with status ${response.status}`,
        },
    Number.isFinite(seconds) ? seconds : undefined,
  );
}

function isProblem(v: unknown): v is Problem {
  if (typeof v !== "object" || v === null) return false;
  const p = v as Record<string, unknown>;
  const texts = [p.title, p.code, p.detail ?? "", p.request_id ?? ""];
  const faults = p.errors ?? [];
  return (
    typeof p.status === "number" &&
    texts.every((t) => typeof t === "string") &&
    Array.isArray(faults) &&
    faults.every(isFault)
  );
}

function isFault(v: unknown): boolean {
  if (typeof v !== "object" || v === null) return false;
  const f = v as Record<string, unknown>;
  return [f.detail, f.pointer ?? "", f.parameter ?? ""].every((t) => typeof t === "string");
}

/** Says in words why something failed, whatever it is. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof TypeError) return "The server cannot be reached.";
  return error instanceof Error ? error.message : String(error);
}

/** Tells whether something ended because this page broke it off. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
