import { effect, signal } from "@preact/signals";
import { api, type Schemas, unwrap } from "../api/client";
import { apiKey } from "../api/keys";

/** What may be done with a key. */
export type Role = "submit" | "read" | "admin";

/** Who this tab is to the server, and what it may do; undefined until that is known. */
export const self = signal<Schemas["Self"] | undefined>(undefined);

/** Asks who this tab is, at once and whenever its key changes, until the signal. */
export function watchSelf(until: AbortSignal): void {
  const stop = effect(() => {
    apiKey.value; // with another key one is another
    self.value = undefined;
    void refreshSelf(until);
  });
  until.addEventListener("abort", stop);
}

/** Asks again who this tab is. What fails here also fails in what the view asks, which tells. */
export async function refreshSelf(until?: AbortSignal): Promise<void> {
  const key = apiKey.peek();
  try {
    const answer = await unwrap(api.GET("/v1/self", until ? { signal: until } : {}));
    if (apiKey.peek() === key) self.value = answer;
  } catch {
    // unknown as before
  }
}

/** What each role lets one do, in words. */
export const roles: readonly { role: Role; text: string }[] = [
  { role: "submit", text: "Submit jobs; cancel and delete its tenant’s own." },
  {
    role: "read",
    text: "See its tenant’s own jobs, and the languages, queues, workers and the store’s health.",
  },
  {
    role: "admin",
    text: "Everything, for every tenant: pause and drain queues, retry dead letters, change keys and languages, export and import.",
  },
];

/** Says why something that needs a role cannot be done; undefined where it can, or where that is not known yet. */
export function whyNot(role: Role): string | undefined {
  const me = self.value;
  if (!me || me.may?.includes(role)) return undefined;
  const held = me.roles?.join(" and ") || "no role";
  return `This needs a key with the role ${role}; yours has ${held}.`;
}
