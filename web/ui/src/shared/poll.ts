import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { apiKey } from "../api/keys";
import { isAbort } from "../api/problem";

/**
 * Calls work at once, and again each time that ms milliseconds have gone by since it ended, while the page
 * is seen, until the signal.
 */
export function every(ms: number, until: AbortSignal, work: (signal: AbortSignal) => Promise<void>): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let working = false;
  const turn = async () => {
    clearTimeout(timer);
    if (until.aborted || working || document.hidden) return; // once it is seen again, it is asked again
    working = true;
    await work(until);
    working = false;
    if (!until.aborted) timer = setTimeout(turn, ms);
  };
  const seen = () => void turn();
  document.addEventListener("visibilitychange", seen);
  until.addEventListener("abort", () => {
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", seen);
  });
  void turn();
}

/** What a view shows of the server, as it was when it was asked last. */
export interface Resource<T> {
  /** Undefined until the first answer; what was known stays when a later request fails. */
  data: T | undefined;
  /** Why the last request failed. */
  error: unknown;
  loading: boolean;
  /** Asks again, now. */
  reload(): void;
}

/**
 * Asks the server for what a view shows: at once, whenever one of the inputs changes, and every so many
 * milliseconds where that is stated. A request is broken off when it is overtaken, and with the view.
 * Another API key may see other things: what was known is forgotten, and asked for anew.
 */
export function useResource<T>(
  load: (signal: AbortSignal) => Promise<T>,
  inputs: readonly unknown[],
  milliseconds?: number,
): Resource<T> {
  const state: Signal<Omit<Resource<T>, "reload">> = useSignal<Omit<Resource<T>, "reload">>({
    data: undefined,
    error: undefined,
    loading: true,
  });
  const turn = useSignal(0);
  const current = useRef(load);
  current.current = load;
  const key = apiKey.value;
  const usedKey = useRef(key);
  const wanted = useRef<readonly unknown[]>([]);
  useEffect(() => {
    if (usedKey.current !== key) state.value = { data: undefined, error: undefined, loading: true };
    usedKey.current = key;
    const wants = [...inputs, turn.value, key];
    const same = wants.length === wanted.current.length && wants.every((v, i) => v === wanted.current[i]);
    wanted.current = wants;
    // Who wants it no longer kept up to date has what there is, unless it was on its way.
    if (milliseconds === undefined && same && !state.peek().loading) return undefined;
    const control = new AbortController();
    const ask = async (signal: AbortSignal) => {
      state.value = { ...state.peek(), loading: true };
      try {
        const data = await current.current(signal);
        if (!signal.aborted) state.value = { data, error: undefined, loading: false };
      } catch (error) {
        if (!signal.aborted && !isAbort(error)) state.value = { ...state.peek(), error, loading: false };
      }
    };
    if (milliseconds === undefined) void ask(control.signal);
    else every(milliseconds, control.signal, ask);
    return () => control.abort();
  }, [...inputs, milliseconds, turn.value, key]);
  return {
    ...state.value,
    reload: () => {
      turn.value++;
    },
  };
}
