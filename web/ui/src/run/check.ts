import type { Schemas } from "../api/client";
import type { Submission } from "./draft";

// What comes from a link or the clipboard is looked at here; what its values may be the server checks.

type Fields = Record<string, unknown>;

/** Tells whether a value has the form of a submission. */
export function isSubmission(v: unknown): v is Submission {
  return (
    isObject(v) &&
    typeof v.language === "string" &&
    /^[\w.+#-]{1,64}$/.test(v.language) && // it is shown, and is not to say anything else
    only(v, "string", ["version", "source_code", "stdin", "stdin_encoding", "queue"]) &&
    only(v, "boolean", ["stop_on_failure"]) &&
    only(v, "number", ["priority"]) &&
    (v.labels === undefined || isObject(v.labels)) &&
    listOf(v.args, (a) => typeof a === "string") &&
    listOf(v.files, (f) => isObject(f) && only(f, "string", ["name", "content", "encoding"])) &&
    isLimits(v.limits) &&
    isChecker(v.checker) &&
    listOf(v.tests, isTest)
  );
}

/** Tells whether a value has the form of a test of a submission. */
export function isTest(v: unknown): v is NonNullable<Submission["tests"]>[number] {
  return (
    isObject(v) &&
    only(v, "string", ["id", "input", "expected_output", "encoding"]) &&
    only(v, "number", ["weight"]) &&
    isLimits(v.limits) &&
    isChecker(v.checker)
  );
}

const limits: readonly (keyof Schemas["LimitsRequest"])[] = [
  "cpu_ms",
  "wall_ms",
  "memory_bytes",
  "output_bytes",
  "processes",
  "file_size_bytes",
  "open_files",
  "stack_bytes",
  "disk_bytes",
];

function isLimits(v: unknown): boolean {
  if (v === undefined) return true;
  const known = (name: string) => limits.some((l) => l === name);
  return isObject(v) && Object.keys(v).every(known) && only(v, "number", limits);
}

function isChecker(v: unknown): boolean {
  if (v === undefined) return true;
  return (
    isObject(v) &&
    ["trim", "exact", "tokens", "float"].includes(String(v.kind)) &&
    only(v, "number", ["absolute", "relative"])
  );
}

function isObject(v: unknown): v is Fields {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

/** Tells whether each of the fields that is there has a type. */
function only(v: Fields, type: string, names: readonly string[]): boolean {
  return names.every((n) => v[n] === undefined || typeof v[n] === type);
}

function listOf(v: unknown, is: (one: unknown) => boolean): boolean {
  return v === undefined || v === null || (Array.isArray(v) && v.every(is));
}
