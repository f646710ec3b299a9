import { computed, signal } from "@preact/signals";
import { tabStore } from "../storage";

const slot = "optimus.key";

/**
 * The API key, kept for this tab alone; empty is none. It is sent in a header, never in an address. Where
 * the browser keeps nothing for this page, it lasts until the page is left.
 */
export const apiKey = signal(tabStore.get(slot) ?? "");

/**
 * Whether the user was asked for a key and gave none, or has forgotten it: what the page reads by itself
 * then fails without a question, so that there is not one every few seconds.
 */
export const refused = signal(false);

/** A request that waits for a key. */
interface Ask {
  /** Why a key is asked for; empty where the user wants to give another. */
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
  tabStore.set(slot, key || undefined);
  refused.value = key === "";
  apiKey.value = key;
  settle(key || undefined);
}

/** Leaves what was asked for without a key: the requests that wait fail. */
export function refuseKey(): void {
  if (asked.value) refused.value = true;
  settle(undefined);
}

function settle(key: string | undefined): void {
  const waiting = ask.value;
  ask.value = undefined;
  waiting?.answer(key);
}
