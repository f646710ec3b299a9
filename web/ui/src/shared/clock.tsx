import { signal } from "@preact/signals";
import { when } from "./format";

/** How far the server's clock is before this machine's, in milliseconds. */
let ahead = 0;

/** The server's time, to the second, in milliseconds since 1970; it moves while the page is seen. */
export const serverTime = signal(Date.now());

setInterval(() => {
  if (!document.hidden) serverTime.value = Date.now() + ahead;
}, 1000);

/** Takes the server's time from an answer: ages are told by its clock, however wrong this machine's is. */
export function readClock(response: Response): void {
  const said = Date.parse(response.headers.get("Date") ?? "");
  if (Number.isNaN(said)) return;
  const off = said + 500 - Date.now(); // it is cut off to the second
  ahead = Math.abs(off) < 2000 ? 0 : off;
  serverTime.value = Date.now() + ahead;
}

/** The server's time, as its answers have it. */
export function serverNow(): string {
  return new Date(Date.now() + ahead).toISOString();
}

/** How long ago something was by the server's clock, in milliseconds. */
export function ageOf(at: string): number {
  return serverTime.value - Date.parse(at);
}

/** Gives a time of some seconds or more in its largest unit: 16 s, 3 min. */
export function roughly(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const units = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
  ] as const;
  const unit = units.find(([size]) => seconds >= size);
  return unit ? `${Math.floor(seconds / unit[0])} ${unit[1]}` : `${seconds} s`;
}

/** How long ago something was, as in "12 s ago"; its title has the time in full. */
export function Ago({ at }: { at: string | undefined }) {
  if (!at) return <span class="muted">–</span>;
  const shifted = new Date(Date.now() - Math.max(0, ageOf(at))).toISOString();
  return (
    <time dateTime={at} title={when(at, false)}>
      {when(shifted, true)}
    </time>
  );
}
