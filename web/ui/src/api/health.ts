import { signal } from "@preact/signals";
import { every } from "../shared/poll";
import { base } from "./client";

/** How the server is: undefined until it has answered first. */
export const health = signal<Health | undefined>(undefined);

export interface Health {
  state: "ready" | "not ready" | "unreachable";
  version: string;
  /** Why it is not ready, in words. */
  reasons: string[];
}

/** Looks now and then how the server is, until the signal. Probes are no part of the OpenAPI document. */
export function watchHealth(until: AbortSignal): void {
  every(15_000, until, async (signal) => {
    try {
      const response = await fetch(`${base}ready`, { signal, cache: "no-store" });
      health.value = read(await response.json(), response.ok);
    } catch {
      if (until.aborted) return;
      health.value = { state: "unreachable", version: health.value?.version ?? "", reasons: [] };
    }
  });
}

function read(body: unknown, ok: boolean): Health {
  const b = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  return {
    state: ok ? "ready" : "not ready",
    version: typeof b.version === "string" ? b.version : "",
    reasons: Array.isArray(b.reasons) ? b.reasons.map(String) : [],
  };
}
