import { effect, signal } from "@preact/signals";
import { api, type Schemas, unwrap } from "./client";
import { apiKey } from "./keys";

/** Whose key it is, what it may do, and what a request may ask for; undefined until the server has said so. */
export const self = signal<Schemas["Self"] | undefined>(undefined);

/** Asks the server at once, and whenever the key changes. */
export function followSelf(): void {
  effect(() => {
    apiKey.value; // whose self it is
    const control = new AbortController();
    void unwrap(api.GET("/v1/self", { signal: control.signal })).then(
      (s) => {
        self.value = s;
      },
      () => {
        // Whatever it is, the view that is shown meets it too, and says it.
        if (!control.signal.aborted) self.value = undefined;
      },
    );
    return () => control.abort();
  });
}

/** Tells whether a role's operations are allowed; undefined while that is not known. */
export function may(role: "submit" | "read" | "admin"): boolean | undefined {
  return self.value?.may?.includes(role);
}
