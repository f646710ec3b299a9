import { cutAt } from "./content";

/** A line of a comparison: the same in both, expected alone, or actual alone. Numbers begin with 1. */
export interface DiffLine {
  kind: "same" | "expected" | "actual";
  text: string;
  expected?: number;
  actual?: number;
  /** What differs from its counterpart, as a range of the text. */
  changed?: [from: number, to: number];
}

/** Equal lines that are not shown. */
export interface Fold {
  kind: "fold";
  lines: number;
}

/** How many lines are compared at most, and how many differences are looked for before lines are paired by number. */
const mostLines = 20_000;
const mostSteps = 400;

/** Compares two outputs by lines. cut says that lines beyond the bound were not compared. */
export function diffLines(expected: string, actual: string): { lines: DiffLine[]; cut: boolean } {
  const a = linesOf(expected);
  const b = linesOf(actual);
  const cut = a.length > mostLines || b.length > mostLines;
  if (cut) {
    a.length = Math.min(a.length, mostLines);
    b.length = Math.min(b.length, mostLines);
  }
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (
    tail < a.length - head &&
    tail < b.length - head &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  )
    tail++;
  const lines: DiffLine[] = [];
  const same = (i: number, j: number) =>
    lines.push({ kind: "same", text: a[i] ?? "", expected: i + 1, actual: j + 1 });
  for (let i = 0; i < head; i++) same(i, i);
  const midA = a.slice(head, a.length - tail);
  const midB = b.slice(head, b.length - tail);
  let i = head;
  let j = head;
  for (const step of script(midA, midB)) {
    if (step === "same") same(i++, j++);
    else if (step === "expected") lines.push({ kind: "expected", text: a[i] ?? "", expected: ++i });
    else lines.push({ kind: "actual", text: b[j] ?? "", actual: ++j });
  }
  for (; i < a.length; i++, j++) same(i, j);
  markChanges(lines);
  return { lines, cut };
}

/** Splits text into lines that keep their line break, so that one that is missing shows. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

type Step = DiffLine["kind"];

/** Gives the shortest way from a to b (Myers, "An O(ND) Difference Algorithm"), or a plain one where that is long. */
function script(a: readonly string[], b: readonly string[]): Step[] {
  const trace: Int32Array[] = [];
  const size = Math.min(mostSteps, a.length + b.length);
  let v = new Int32Array(2 * size + 3);
  for (let d = 0; d <= size; d++) {
    trace.push(v.slice());
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && at(v, k - 1, size) < at(v, k + 1, size));
      let x = down ? at(v, k + 1, size) : at(v, k - 1, size) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      v[k + size + 1] = x;
      if (x >= a.length && x - k >= b.length) return walkBack(trace, a.length, b.length, size);
    }
    v = v.slice();
  }
  return [...a.map((): Step => "expected"), ...b.map((): Step => "actual")];
}

function at(v: Int32Array, k: number, size: number): number {
  return v[k + size + 1] ?? 0;
}

function walkBack(trace: readonly Int32Array[], n: number, m: number, size: number): Step[] {
  const steps: Step[] = [];
  let x = n;
  let y = m;
  for (let d = trace.length - 1; d >= 0 && (x > 0 || y > 0); d--) {
    const v = trace[d] ?? new Int32Array(0);
    const k = x - y;
    const down = k === -d || (k !== d && at(v, k - 1, size) < at(v, k + 1, size));
    const before = down ? k + 1 : k - 1;
    const fromX = d === 0 ? 0 : at(v, before, size);
    const fromY = d === 0 ? 0 : fromX - before;
    while (x > fromX && y > fromY) {
      steps.push("same");
      x--;
      y--;
    }
    if (d === 0) break;
    steps.push(down ? "actual" : "expected");
    if (down) y--;
    else x--;
  }
  return steps.reverse();
}

/** Pairs the lines of each difference, in order, and marks what differs within them. */
function markChanges(lines: DiffLine[]): void {
  for (let i = 0; i < lines.length; ) {
    let j = i;
    while (j < lines.length && lines[j]?.kind !== "same") j++;
    const block = lines.slice(i, j);
    const gone = block.filter((l) => l.kind === "expected");
    const come = block.filter((l) => l.kind === "actual");
    gone.forEach((l, n) => {
      const other = come[n];
      if (other) markPair(l, other);
    });
    i = j + 1;
  }
}

function markPair(a: DiffLine, b: DiffLine): void {
  let head = 0;
  while (head < a.text.length && head < b.text.length && a.text[head] === b.text[head]) head++;
  let tail = 0;
  const room = Math.min(a.text.length, b.text.length) - head;
  while (tail < room && a.text[a.text.length - 1 - tail] === b.text[b.text.length - 1 - tail]) tail++;
  const parts = (l: DiffLine, at: number) => cutAt(l.text, at) !== at;
  if (parts(a, head) || parts(b, head)) head--;
  if (parts(a, a.text.length - tail) || parts(b, b.text.length - tail)) tail--;
  a.changed = [head, a.text.length - tail];
  b.changed = [head, b.text.length - tail];
}

/** Leaves out equal lines that are further than around lines from a difference. */
export function fold(lines: readonly DiffLine[], around = 3): (DiffLine | Fold)[] {
  const near = new Uint8Array(lines.length);
  lines.forEach((l, i) => {
    if (l.kind !== "same") near.fill(1, Math.max(0, i - around), i + around + 1);
  });
  const shown: (DiffLine | Fold)[] = [];
  lines.forEach((l, i) => {
    if (near[i]) {
      shown.push(l);
      return;
    }
    const last = shown.at(-1);
    if (last?.kind === "fold") last.lines++;
    else shown.push({ kind: "fold", lines: 1 });
  });
  return shown;
}
