import { batch, effect, type Signal, signal } from "@preact/signals";
import type { Schemas } from "../api/client";
import { tabStore } from "../storage";
import { bytesOf, type Content, contentOf, fromBase64, sizeOf, toBase64 } from "./content";

/** What is submitted; docs/API.md, "Submit a job". */
export type Submission = Schemas["JobRequest"];
export type CheckerKind = Schemas["CheckerRequest"]["kind"];

/** A test as a row of the form. */
export interface TestRow {
  /** Tells the rows apart, in this page alone. */
  key: number;
  /** Its name; empty is its number. */
  id: string;
  input: Content;
  /** Undefined: every output is accepted of a program that ends well. */
  expected: Content | undefined;
  weight: number;
  checker: Schemas["CheckerRequest"];
}

/** Limits as the form has them: text, empty for the language's own. Units are those of {@link limitFields}. */
export type LimitTexts = Record<LimitName, string>;
export type LimitName = "cpu_ms" | "wall_ms" | "memory_bytes" | "output_bytes" | "processes";

/** The limits that the form has; a value is multiplied by scale for the API. */
export const limitFields: readonly { name: LimitName; label: string; unit: string; scale: number }[] = [
  { name: "cpu_ms", label: "CPU time", unit: "ms", scale: 1 },
  { name: "wall_ms", label: "Wall time", unit: "ms", scale: 1 },
  { name: "memory_bytes", label: "Memory", unit: "MiB", scale: 1 << 20 },
  { name: "output_bytes", label: "Output", unit: "KiB", scale: 1 << 10 },
  { name: "processes", label: "Processes", unit: "", scale: 1 },
];

const noLimits: LimitTexts = { cpu_ms: "", wall_ms: "", memory_bytes: "", output_bytes: "", processes: "" };

/** What the form holds. */
export const draft = {
  language: signal(""),
  /** Empty: the catalogue's own choice. */
  version: signal(""),
  source: signal(""),
  stdin: signal<Content>(""),
  tests: signal<TestRow[]>([]),
  limits: signal<LimitTexts>(noLimits),
  /** One argument a line. */
  args: signal(""),
  stopOnFailure: signal(false),
};

/** Sources of languages that were left for another, by name. */
const left = new Map<string, string>();

let rows = 0;

/** Makes a row, with a key of its own. */
export function newRow(from: Partial<Omit<TestRow, "key">> = {}): TestRow {
  return { id: "", input: "", expected: "", weight: 1, checker: { kind: "trim" }, ...from, key: ++rows };
}

export function changeRow(key: number, change: Partial<TestRow>): void {
  draft.tests.value = draft.tests.value.map((t) => (t.key === key ? { ...t, ...change } : t));
}

/** Changes the language, and shows the source that was left there, else its sample. */
export function chooseLanguage(to: Schemas["LanguageInfo"], from: Schemas["LanguageInfo"] | undefined): void {
  batch(() => {
    if (draft.source.value !== sampleOf(from)) left.set(draft.language.value, draft.source.value);
    draft.language.value = to.name;
    draft.version.value = "";
    draft.source.value = left.get(to.name) ?? sampleOf(to);
  });
}

export function sampleOf(language: Schemas["LanguageInfo"] | undefined): string {
  return language?.samples.hello ?? "";
}

/** Gives what is submitted. Errors say which field of the form is no number. */
export function toSubmission(): Submission {
  const s: Submission = { language: draft.language.value, source_code: draft.source.value };
  if (draft.version.value) s.version = draft.version.value;
  const args = draft.args.value.split("\n").filter((a) => a !== "");
  if (args.length > 0) s.args = args;
  const limits = limitsOf(draft.limits.value);
  if (Object.keys(limits).length > 0) s.limits = limits;
  if (draft.tests.value.length > 0) {
    s.tests = draft.tests.value.map(toTest);
    if (draft.stopOnFailure.value) s.stop_on_failure = true;
  } else if (typeof draft.stdin.value !== "string") {
    s.stdin = toBase64(draft.stdin.value);
    s.stdin_encoding = "base64";
  } else if (draft.stdin.value !== "") {
    s.stdin = draft.stdin.value;
  }
  return s;
}

function limitsOf(texts: LimitTexts): Schemas["LimitsRequest"] {
  const limits: Schemas["LimitsRequest"] = {};
  for (const { name, label, scale } of limitFields) {
    const text = texts[name].trim();
    if (text === "") continue;
    const n = Number(text);
    if (!Number.isFinite(n) || n <= 0) throw new Error(`${label}: “${text}” is no number above 0.`);
    limits[name] = Math.round(n * scale);
  }
  return limits;
}

function toTest(row: TestRow): Schemas["TestRequest"] {
  const t: Schemas["TestRequest"] = {};
  if (row.id) t.id = row.id;
  if (row.weight !== 1) t.weight = row.weight;
  if (row.checker.kind !== "trim") t.checker = row.checker;
  const { input, expected } = row;
  if (typeof input === "string" && (expected === undefined || typeof expected === "string")) {
    t.input = input;
    if (expected !== undefined) t.expected_output = expected;
    return t;
  }
  const encode = (c: Content) => toBase64(bytesOf(c));
  t.encoding = "base64";
  t.input = encode(input);
  if (expected !== undefined) t.expected_output = encode(expected);
  return t;
}

/**
 * Shows a submission in the form, in place of what it holds, and gives what of it the form has no place for,
 * in words: of its queue, where that is not its language's own. Errors say what the form cannot show.
 */
export function fromSubmission(s: Submission, language?: Schemas["LanguageInfo"]): string[] {
  const files = s.files ?? [];
  if (files.length > 1) throw new Error("It has several files; this page edits one.");
  const file = files[0];
  const source = s.source_code ?? (file ? textOf(file.content, file.encoding) : "");
  const tests = (s.tests ?? []).map((t) => fromTest(t, s.checker));
  const stdin = decode(s.stdin ?? "", s.stdin_encoding);
  batch(() => {
    draft.language.value = s.language;
    draft.version.value = s.version ?? "";
    draft.source.value = source;
    draft.stdin.value = stdin;
    draft.tests.value = tests;
    draft.args.value = (s.args ?? []).join("\n");
    draft.stopOnFailure.value = s.stop_on_failure === true;
    draft.limits.value = limitTexts(s.limits);
  });
  return leftOut(s, language?.queue);
}

/** Notes what the form holds, and gives what puts it back. */
export function snapshot(): () => void {
  const back = Object.values(draft).map((s: Signal<unknown>) => {
    const value = s.peek();
    return () => {
      s.value = value;
    };
  });
  return () => batch(() => back.forEach((one) => void one()));
}

/** Says what of a submission the form has no place for. */
function leftOut(s: Submission, ownQueue: string | undefined): string[] {
  const shown = new Set<string>(limitFields.map((f) => f.name));
  const limits = Object.keys(s.limits ?? {}).filter((name) => !shown.has(name));
  const found: [boolean, string][] = [
    [limits.length > 0, `the limits ${limits.join(", ")}`],
    [s.tests?.some((t) => Object.keys(t.limits ?? {}).length > 0) === true, "limits of single tests"],
    [s.args?.some((a) => a === "" || a.includes("\n")) === true, "arguments that are no line each"],
    [Boolean(s.queue) && s.queue !== ownQueue, "the queue"],
    [Boolean(s.priority), "the priority"],
    [Object.keys(s.labels ?? {}).length > 0, "the labels"],
  ];
  return found.filter(([is]) => is).map(([, what]) => what);
}

export function limitTexts(limits: Schemas["LimitsRequest"] | undefined): LimitTexts {
  const texts = { ...noLimits };
  for (const { name, scale } of limitFields) {
    const v = limits?.[name];
    if (v !== undefined) texts[name] = String(Number((v / scale).toFixed(3)));
  }
  return texts;
}

export function fromTest(t: Schemas["TestRequest"], checker?: Schemas["CheckerRequest"]): TestRow {
  return newRow({
    id: t.id ?? "",
    input: decode(t.input ?? "", t.encoding),
    expected: t.expected_output === undefined ? undefined : decode(t.expected_output, t.encoding),
    weight: t.weight ?? 1,
    checker: t.checker ?? checker ?? { kind: "trim" },
  });
}

function decode(text: string, encoding: string | undefined): Content {
  if (encoding !== "base64") return text;
  try {
    return contentOf(fromBase64(text));
  } catch {
    throw new Error("It has a text that is said to be base64, and is no base64.");
  }
}

function textOf(text: string, encoding: string | undefined): string {
  const c = decode(text, encoding);
  if (typeof c !== "string") throw new Error("Its source is no text.");
  return c;
}

/** The name by which the tab keeps what the form holds. */
export const draftSlot = "optimus.draft";
/** The most that a tab keeps, in characters: a browser's own bound is about five million. */
const most = 2_000_000;

/** Whether the tab keeps what the form holds; it does not where that is too much. */
export const kept = signal(true);

/** What the form holds as the tab keeps it: as it stands, so what is half typed in too. */
interface Kept {
  form: { [K in keyof typeof draft]: (typeof draft)[K]["value"] };
  left: [string, string][];
}

/** Bytes in JSON. */
interface Packed {
  base64: string;
}

function isPacked(v: unknown): v is Packed {
  return typeof v === "object" && v !== null && typeof (v as Packed).base64 === "string";
}

/** Restores what this tab has kept; false where it has nothing. */
export function restore(): boolean {
  try {
    const { form, left: others } = JSON.parse(tabStore.get(draftSlot) ?? "", (_, v: unknown) =>
      isPacked(v) ? fromBase64(v.base64) : v,
    ) as Kept;
    const tests = form.tests.map(({ key: _, ...row }) => newRow({ ...row, expected: row.expected }));
    batch(() => {
      for (const [name, source] of others) left.set(name, source);
      draft.language.value = form.language;
      draft.version.value = form.version;
      draft.source.value = form.source;
      draft.stdin.value = form.stdin;
      draft.tests.value = tests;
      draft.limits.value = { ...noLimits, ...form.limits };
      draft.args.value = form.args;
      draft.stopOnFailure.value = form.stopOnFailure;
    });
    return true;
  } catch {
    return false; // nothing, or of an earlier version of this page
  }
}

function packed(): string {
  const form = Object.fromEntries(Object.entries(draft).map(([name, s]) => [name, s.peek()]));
  return JSON.stringify({ form, left: [...left] }, (_, v: unknown) =>
    v instanceof Uint8Array ? { base64: toBase64(v) } : v,
  );
}

/** Keeps what the form holds in this tab, from now on. */
export function keep(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const save = () => {
    clearTimeout(timer);
    timer = undefined;
    const big = draft.tests.peek().reduce((n, t) => n + sizeOf(t.input) + sizeOf(t.expected ?? ""), 0);
    const text = big + sizeOf(draft.stdin.peek()) > most ? "" : packed();
    kept.value = text !== "" && text.length <= most && tabStore.set(draftSlot, text);
  };
  const stop = effect(() => {
    for (const s of Object.values(draft)) s.value; // whichever changes
    if (draft.language.value === "") return;
    timer ??= setTimeout(save, 300);
  });
  addEventListener("pagehide", save);
  return () => {
    removeEventListener("pagehide", save);
    stop();
    save();
  };
}
