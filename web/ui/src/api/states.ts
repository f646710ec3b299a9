import type { components } from "./schema";

/** Tells whether an attempt begins with an event: one that runs may also be asked to stop. */
export function begins(e: components["schemas"]["StateEvent"]): boolean {
  return e.state === "running" && !e.reason;
}
