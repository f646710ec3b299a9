import type { Schemas } from "../api/client";
import { isTest } from "./check";
import { type Content, contentOf } from "./content";
import { fromTest, newRow, type TestRow } from "./draft";

/** Bounds of what is taken from files, in bytes where nothing else is said. */
export interface FileBounds {
  /** A .zip as it is. */
  archive: number;
  /** One file, and all of them together. */
  file: number;
  together: number;
  files: number;
  tests: number;
}

/** Gives the bounds: what the server would take, or what it takes by default while that is not known. */
export function fileBounds(limits: Schemas["Bounds"] | undefined): FileBounds {
  const tests = limits?.tests ?? 1000;
  return {
    archive: 64 << 20,
    file: Math.max(limits?.input_bytes ?? 16 << 20, limits?.expected_output_bytes ?? 16 << 20),
    together: limits?.body_bytes ?? 32 << 20,
    files: 2 * tests + 100,
    tests,
  };
}

/** A file that was dropped, chosen, or found in a .zip. */
export interface NamedFile {
  /** With its folders, / between them. */
  path: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** What was made of files. */
export interface Imported {
  tests: TestRow[];
  /** What was left aside, in words. */
  notes: string[];
}

/** Makes tests of files: of a .zip's and of pairs such as 1.in and 1.out. Errors say what is wrong. */
export async function importFiles(files: readonly File[], bounds: FileBounds): Promise<Imported> {
  const found: NamedFile[] = [];
  let together = 0;
  for (const file of files) {
    const zip = /\.zip$/i.test(file.name);
    if (file.size > (zip ? bounds.archive : bounds.file)) {
      throw new Error(
        `${file.name} has ${mib(file.size)}; the most is ${mib(zip ? bounds.archive : bounds.file)}.`,
      );
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    const more = zip
      ? await unzip(file.name, bytes, bounds)
      : [{ path: file.webkitRelativePath || file.name, bytes }];
    together += more.reduce((n, f) => n + f.bytes.length, 0);
    if (together > bounds.together)
      throw new Error(`The files have more than ${mib(bounds.together)} together.`);
    found.push(...more);
  }
  return pairUp(found, bounds.tests);
}

/** Gives an archive's files, each of the size and the checksum that it states: less would lose a part of a test. */
async function unzip(
  name: string,
  archive: Uint8Array<ArrayBuffer>,
  bounds: FileBounds,
): Promise<NamedFile[]> {
  const { ZipReader, Uint8ArrayReader, Uint8ArrayWriter } = await import(
    "@zip.js/zip.js/lib/zip-core-custom.js"
  );
  const files: NamedFile[] = [];
  let together = 0;
  let reading = "";
  try {
    const reader = new ZipReader(new Uint8ArrayReader(archive), {
      useWebWorkers: false,
      checkSignature: true,
      filenameValidation: "tolerant", // a name is no path here
    });
    for await (const entry of reader.getEntriesGenerator()) {
      if (entry.directory || ignored(entry.filename)) continue;
      if (files.length === bounds.files) throw new Bound(`${name} holds more than ${bounds.files} files.`);
      if (entry.uncompressedSize > bounds.file) {
        throw new Bound(
          `${entry.filename} in ${name} has ${mib(entry.uncompressedSize)}; the most is ${mib(bounds.file)}.`,
        );
      }
      together += entry.uncompressedSize;
      if (together > bounds.together) throw new Bound(`${name} holds more than ${mib(bounds.together)}.`);
      reading = `${entry.filename}: `;
      files.push({
        path: entry.filename,
        bytes: new Uint8Array(await entry.getData(new Uint8ArrayWriter())),
      });
      reading = "";
    }
  } catch (error) {
    if (error instanceof Bound) throw error;
    const why = error instanceof Error ? error.message : error;
    throw new Error(`${name} cannot be read as a .zip: ${reading}${why}.`);
  }
  return files;
}

class Bound extends Error {}

function ignored(path: string): boolean {
  return path.endsWith("/") || path.startsWith("__MACOSX/") || /(^|\/)\.[^/]*$/.test(path);
}

function mib(n: number): string {
  return `${(n / (1 << 20)).toFixed(n < 10 << 20 ? 1 : 0)} MiB`;
}

/** Pairs inputs with outputs by their names, in the order that people count in. */
export function pairUp(files: readonly NamedFile[], most: number): Imported {
  const pairs = new Map<string, { name: string; input?: Content; expected?: Content }>();
  const odd: string[] = [];
  for (const file of files) {
    if (ignored(file.path)) continue;
    const part = partOf(file.path);
    if (!part) {
      odd.push(file.path);
      continue;
    }
    const pair = pairs.get(part.pair) ?? { name: part.name };
    if (pair[part.kind] !== undefined)
      throw new Error(`${file.path}: another file is this test's ${part.kind} too.`);
    pair[part.kind] = contentOf(file.bytes);
    pairs.set(part.pair, pair);
  }
  const order = new Intl.Collator("en", { numeric: true });
  const sorted = [...pairs].sort(([a], [b]) => order.compare(a, b)).map(([, p]) => p);
  const lone = sorted.filter((p) => p.input === undefined).map((p) => p.name);
  const tests = sorted.filter((p) => p.input !== undefined);
  if (tests.length === 0) {
    throw new Error(
      "There are no tests in it. Inputs and outputs are paired by name, such as 1.in and 1.out.",
    );
  }
  if (tests.length > most) throw new Error(`There are ${tests.length} tests; the most is ${most}.`);
  const names = new Set(tests.map((p) => p.name));
  const open = tests.filter((p) => p.expected === undefined).map((p) => p.name);
  const notes: string[] = [];
  if (odd.length > 0) notes.push(`Neither input nor output, and left: ${some(odd)}.`);
  if (lone.length > 0) notes.push(`Outputs without an input, and left: ${some(lone)}.`);
  if (open.length > 0) notes.push(`Without an expected output, so only run: ${some(open)}.`);
  return {
    tests: tests.map((p) =>
      newRow({ id: names.size === tests.length ? p.name : "", input: p.input ?? "", expected: p.expected }),
    ),
    notes,
  };
}

function some(names: string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}

/** Tells of which test a file is the input or the expected output; by its extension, else by its name. */
function partOf(path: string): { kind: "input" | "expected"; pair: string; name: string } | undefined {
  const file = path.slice(path.lastIndexOf("/") + 1);
  const dot = file.lastIndexOf(".");
  const stem = dot > 0 ? file.slice(0, dot) : file;
  const extension = dot > 0 ? file.slice(dot + 1).toLowerCase() : "";
  const folder = path.slice(0, path.length - file.length);
  if (["in", "inp", "input"].includes(extension)) return { kind: "input", pair: folder + stem, name: stem };
  if (["out", "ans", "a", "ok", "output", "expected", "exp"].includes(extension)) {
    return { kind: "expected", pair: folder + stem, name: stem };
  }
  if (!["", "txt", "dat"].includes(extension)) return undefined;
  // input1.txt and output1.txt; in/1.txt and out/1.txt
  const word = /(^|[^a-z])(inputs?|in|outputs?|out|answers?|ans|expected)(?![a-z])/i;
  for (const [where, rest] of [
    [stem, folder],
    [folder, stem],
  ] as const) {
    const m = word.exec(where);
    if (!m?.[2]) continue;
    const kind = m[2].toLowerCase().startsWith("in") ? "input" : "expected";
    const left = where.replace(word, "$1*");
    const name = (where === stem ? stem.replace(word, "$1") : rest).replace(
      /^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu,
      "",
    );
    return { kind, pair: where === stem ? folder + left : left + rest, name: name || stem };
  }
  return undefined;
}

/** What stands between a test's input and its output in pasted text, and between tests. */
export const separators = { parts: "---", tests: "===" };

/** Reads pasted tests: JSON as the API takes it, or text with separators. Errors say what is wrong. */
export function readPasted(text: string, most: number): TestRow[] {
  const trimmed = text.trim();
  if (trimmed === "") throw new Error("There is nothing to add.");
  const rows = trimmed.startsWith("[") || trimmed.startsWith("{") ? ofJSON(trimmed) : undefined;
  const tests = rows ?? ofText(text);
  if (tests.length > most) throw new Error(`There are ${tests.length} tests; the most is ${most}.`);
  return tests;
}

/** Gives undefined where it is no JSON: an input may begin with a bracket too. */
function ofJSON(text: string): TestRow[] | undefined {
  let v: unknown;
  try {
    v = JSON.parse(text);
  } catch {
    return undefined;
  }
  const list = Array.isArray(v) ? v : (v as { tests?: unknown }).tests;
  if (!Array.isArray(list)) return undefined;
  return list.map((t: unknown, i) => {
    if (!isTest(t))
      throw new Error(`Test ${i + 1} is not as the API takes it: {"input": "…", "expected_output": "…"}.`);
    return fromTest(t);
  });
}

function ofText(text: string): TestRow[] {
  return splitAt(text, separators.tests).map((test, i) => {
    const [input = "", expected, ...more] = splitAt(test, separators.parts);
    if (more.length > 0) {
      throw new Error(
        `Test ${i + 1} has more than one line ${separators.parts}; ${separators.tests} begins a new test.`,
      );
    }
    return newRow({ input, expected });
  });
}

function splitAt(text: string, line: string): string[] {
  const parts: string[][] = [[]];
  for (const l of text.replace(/\n$/, "").split("\n")) {
    if (l.trimEnd() === line) parts.push([]);
    else parts.at(-1)?.push(l);
  }
  return parts.map((p) => (p.length > 0 ? `${p.join("\n")}\n` : ""));
}
