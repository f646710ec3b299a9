import { ageOf } from "../api/clock";
import { when } from "./format";

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
