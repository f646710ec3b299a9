import { computed, signal } from "@preact/signals";

const slot = "optimus.key";

/** The API key, kept for this tab alone; empty is none. It is sent in a header, never in an address. */
export const apiKey = signal(sessionStorage.getItem(slot) ?? "");

/** A request that waits for a key. */
interface Ask {
  /** Why a key is asked for: the server's own words. */
  reason: string;
  /** Ends the wait; undefined is a refusal. */
  answer(key: string | undefined): void;
  /** What all that wait for this ask are given. */
  given: Promise<string | undefined>;
}

const ask = signal<Ask | undefined>(undefined);

/** Why a key is asked for, while one is. */
export const asked = computed(() => ask.value?.reason);

/** Asks the user for a key: one question, however many requests wait for it. */
export function askForKey(reason: string): Promise<string | undefined> {
  if (ask.value) return ask.value.given;
  let answer: Ask["answer"] = () => {};
  const given = new Promise<string | undefined>((resolve) => {
    answer = resolve;
  });
  ask.value = { reason, answer, given };
  return given;
}

/** Gives the key that was asked for, or a new one; an empty one forgets it. */
export function setKey(key: string): void {
  apiKey.value = key;
  if (key) sessionStorage.setItem(slot, key);
  else sessionStorage.removeItem(slot);
  settle(key || undefined);
}

/** Leaves what was asked for without a key: the requests that wait fail. */
export function refuseKey(): void {
  settle(undefined);
}

function settle(key: string | undefined): void {
  const waiting = ask.value;
  ask.value = undefined;
  waiting?.answer(key);
}
