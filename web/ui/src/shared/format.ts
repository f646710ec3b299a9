/** Gives a number with separators, as in 1,234,567. */
export function amount(n: number): string {
  return n.toLocaleString("en-US");
}

/** Gives bytes in units of 1024, with three digits: 8.07 MiB. */
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let v = n;
  while (v >= 1024 && unit < units.length - 1) {
    v /= 1024;
    unit++;
  }
  return `${unit === 0 ? v : digits(v)} ${units[unit]}`;
}

/** Gives milliseconds as 9.4 ms, 1.20 s or 3 min 5 s. */
export function milliseconds(ms: number): string {
  if (ms < 1000) return `${digits(ms)} ms`;
  if (ms < 60_000) return `${digits(ms / 1000)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Gives three significant digits, more where they stand before the point; a whole number as it is. */
function digits(v: number): string {
  if (Number.isInteger(v)) return String(v);
  return v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2);
}

/** Gives a word of the API as people read it: wrong_answer becomes Wrong answer. */
export function sentence(word: string): string {
  const text = word.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Gives a point in time as it is here, or how long ago it is. */
export function when(at: string, relative: boolean): string {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return at;
  if (!relative) {
    return time.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  }
  const seconds = Math.round((Date.now() - time.getTime()) / 1000);
  const ago = (n: number, unit: string) => (seconds < 0 ? `in ${-n} ${unit}` : `${n} ${unit} ago`);
  const size = Math.abs(seconds);
  if (size < 2) return "now";
  if (size < 60) return ago(seconds, "s");
  if (size < 3600) return ago(Math.trunc(seconds / 60), "min");
  if (size < 86_400) return ago(Math.trunc(seconds / 3600), "h");
  return ago(Math.trunc(seconds / 86_400), "d");
}
