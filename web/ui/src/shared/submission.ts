import type { Schemas } from "../api/client";

type Submission = Schemas["JobRequest"];

/** Tells whether a submission is a plain run: one test, whose output nothing is compared with. */
export function isPlain(s: Submission): boolean {
  const [only, ...more] = s.tests ?? [];
  if (only === undefined) return true;
  return (
    more.length === 0 &&
    only.id === "1" &&
    only.expected_output === undefined &&
    !only.limits &&
    !only.checker
  );
}

/**
 * Gives a submission that the server gave back as the form has it: a plain run with its input alone, where
 * the server has made it one test.
 */
export function asWritten(s: Submission): Submission {
  const only = s.tests?.[0];
  if (!only || !isPlain(s)) return s;
  const { tests: _, ...rest } = s;
  const run: Submission = { ...rest, stdin: only.input ?? "" };
  if (only.encoding) run.stdin_encoding = only.encoding;
  return run;
}
