import { expect, test } from "@playwright/test";
import { type Filter, filterQuery, listQuery, readFilter, states } from "../src/jobs/filter";
import { attemptsOf, momentsOf } from "../src/jobs/history";
import type { Happening } from "../src/jobs/watch";

const at = (second: number) => new Date(Date.UTC(2026, 0, 2, 15, 4, second)).toISOString();

const job = {
  id: "0190a6d2-7f3c-8000-8000-5b2d1c0e9a47",
  state: "completed" as const,
  verdict: "accepted",
  language: "python",
  queue: "default",
  priority: 0,
  attempts: 2,
  max_attempts: 3,
  created_at: at(0),
  started_at: at(20),
  finished_at: at(30),
  history: [
    { worker: "a", started_at: at(1), ended_at: at(10), reason: "lease expired", counted: true },
    { worker: "b", started_at: at(20), ended_at: at(30), counted: true },
  ],
};

type Data<T extends Happening["type"]> = Extract<Happening, { type: T }>["data"];
const state = (second: number, s: object): Happening => ({
  type: "state",
  data: { time: at(second), ...s } as Data<"state">,
});
const judged = (second: number, id: string, verdict: string): Happening => ({
  type: "test",
  data: { time: at(second), id, verdict, score: 0, weight: 1 },
});
const lost = (second: number): Happening => ({
  type: "lost",
  data: { time: at(second), reason: "it broke off" },
});

const submitted = state(0, { state: "queued" });
const begun = (second: number, attempt: number) => state(second, { state: "running", attempt });
const again = state(10, { state: "queued", reason: "lease expired" });
const over = state(30, { state: "completed", verdict: "accepted" });

test("a timeline has the times of the events, and the workers of the attempts", () => {
  const moments = momentsOf(job, [
    submitted,
    begun(1, 1),
    again,
    begun(20, 2),
    judged(25, "1", "accepted"),
    over,
  ]);
  expect(moments.map((m) => [m.at, m.what])).toEqual([
    [at(0), "Queued in default"],
    [at(1), "Attempt 1 began on a"],
    [at(10), "The attempt ended without a verdict, and it was queued again"],
    [at(20), "Attempt 2 began on b"],
    [at(25), "Test 1 judged"],
    [at(30), "Completed: accepted"],
  ]);
  expect(moments[2]?.more).toBe("lease expired");
});

test("a timeline whose old events are gone names the attempts that are left", () => {
  const moments = momentsOf(job, [begun(20, 2), over]);
  expect(moments.map((m) => m.what)).toEqual([
    "Queued in default",
    "Attempt 2 began on b",
    "Completed: accepted",
  ]);
});

test("what is asked of an attempt begins no other", () => {
  const asked = state(5, { state: "running", attempt: 2, reason: "cancellation requested" });
  const ended = state(6, { state: "cancelled", attempt: 2, verdict: "cancelled" });
  expect(momentsOf(job, [begun(20, 2), asked, ended]).map((m) => m.what)).toEqual([
    "Queued in default",
    "Attempt 2 began on b",
    "Cancellation requested",
    "Cancelled",
  ]);
});

test("a timeline counts the tests of an attempt, and tells once of a server that stays away", () => {
  const tests = [judged(2, "1", "accepted"), judged(3, "2", "accepted"), judged(4, "3", "wrong_answer")];
  const moments = momentsOf(job, [
    submitted,
    begun(1, 1),
    ...tests,
    lost(5),
    lost(6),
    lost(8),
    again,
    begun(20, 2),
    over,
  ]);
  const counted = moments.find((m) => m.what === "3 tests judged");
  expect(counted).toMatchObject({ at: at(4), more: "2 accepted, 1 wrong answer", tone: "bad" });
  expect(moments.filter((m) => m.what === "This page lost the server").map((m) => m.at)).toEqual([at(5)]);
});

test("a job that ran once has an attempt without a history, one that waits has none", () => {
  const { history: _, ...once } = job;
  expect(attemptsOf({ ...once, worker: "b" })).toEqual([
    { worker: "b", started_at: at(20), ended_at: at(30), counted: true },
  ]);
  const { started_at: __, finished_at: ___, ...waits } = once;
  expect(attemptsOf({ ...waits, state: "queued" })).toEqual([]);
});

test("a filter is the same once it was in an address", () => {
  const all: Filter = { states: [], queue: "", tenant: "", time: "", since: "", until: "" };
  const some: Filter[] = [
    all,
    { ...all, states: [...states], queue: "slow", tenant: "pupils & co", time: "24h" },
    { ...all, states: ["failed"], time: "between", since: at(0), until: at(9) },
    { ...all, time: "between", until: at(9) },
    { ...all, time: "between" },
  ];
  for (const f of some) expect(readFilter(new URLSearchParams(filterQuery(f)))).toEqual(f);
  const strange = new URLSearchParams("state=failed,nonsense&time=constructor&since=yesterday");
  expect(readFilter(strange)).toEqual({ ...all, states: ["failed"] });
});

test("a filter asks the server for what it says", () => {
  const all: Filter = { states: [], queue: "", tenant: "", time: "", since: "", until: "" };
  expect(listQuery(all, "", 100)).toEqual({ limit: 100 });
  const hour: Filter = { ...all, states: ["failed", "queued"], queue: "slow", time: "1h" };
  expect(listQuery(hour, "c", 5, Date.parse("2026-01-02T15:00:00.000Z"))).toEqual({
    limit: 5,
    cursor: "c",
    state: ["failed", "queued"],
    queue: "slow",
    since: "2026-01-02T14:00:00.000Z",
  });
});
