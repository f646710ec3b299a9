import type { components } from "./schema";

/** Tells whether an attempt begins with an event: older stores told a wish to cancel by one, too, with the reason. */
export function begins(e: components["schemas"]["StateEvent"]): boolean {
  return e.state === "running" && !e.reason;
}
