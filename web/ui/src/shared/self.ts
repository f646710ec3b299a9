import { effect, signal } from "@preact/signals";
import { api, type Schemas, unwrap } from "../api/client";
import { apiKey } from "../api/keys";

export type Role = "submit" | "read" | "admin";

/** Who asks, and what is allowed: GET /v1/self; undefined until the server has said it. */
export const self = signal<Schemas["Self"] | undefined>(undefined);

let begun = false;

/** Asks the server who asks, now and whenever another key is used. */
export function watchSelf(): void {
  if (begun) return;
  begun = true;
  effect(() => {
    const key = apiKey.value;
    self.value = undefined;
    void load(key);
  });
}

/** Asks again who asks: the server may need keys by now, or none. */
export function refreshSelf(): void {
  void load(apiKey.peek());
}

async function load(key: string): Promise<void> {
  try {
    const known = await unwrap(api.GET("/v1/self"));
    if (apiKey.peek() === key) self.value = known;
  } catch {
    // Whatever the page asks for next says what is wrong; nothing is barred on a guess.
    if (apiKey.peek() === key) self.value = undefined;
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

/** Tells whether an operation that needs a role is allowed, as far as is known. */
export function may(role: Role): boolean {
  return self.value?.may?.includes(role) ?? true;
}

/** Says why an operation that needs a role is not allowed; undefined where it is. */
export function barred(role: Role): string | undefined {
  if (may(role)) return undefined;
  const has = (self.value?.roles ?? []).join(", ") || "none";
  return `This needs a key with the role ${role}; yours has ${has}.`;
}
