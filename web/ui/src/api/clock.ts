import { signal } from "@preact/signals";

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
