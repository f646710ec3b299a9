import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Schemas } from "../api/client";
import { Badge, Bar, Button } from "../shared/basics";
import { bytes, milliseconds } from "../shared/format";
import { Visible } from "../shared/named";
import type { TestState } from "./job";

const firstRows = 100;

interface Props {
  tests: readonly TestState[];
  limitsOf(t: TestState): Schemas["LimitsRequest"];
  chosen: string | undefined;
  choose(id: string): void;
  running: boolean;
}

/** The verdict of each test, with what it took beside its limits. */
export function TestTable({ tests, limitsOf, chosen, choose, running }: Props) {
  const shown = useSignal(firstRows);
  const failedOnly = useSignal(false);
  // A row is made anew only where its test has changed: there may be a thousand.
  const made = useRef(new WeakMap<TestState, { chosen: boolean; row: JSX.Element }>()).current;
  const failed = tests.filter((t) => t.report && t.report.verdict !== "accepted");
  const all = failedOnly.value ? failed : tests;
  const rows = all.slice(0, shown.value).map((t) => {
    const is = t.id === chosen;
    const before = made.get(t);
    if (before && before.chosen === is && t.report) return before.row;
    const row = (
      <Row key={t.id} test={t} limits={limitsOf(t)} chosen={is} choose={choose} running={running} />
    );
    made.set(t, { chosen: is, row });
    return row;
  });
  // The table scrolls by itself: what it is chosen for is not to be looked for.
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    const row = box.current?.querySelector<HTMLElement>('tr[data-chosen="true"]');
    if (!box.current || !row) return;
    const { scrollTop, clientHeight } = box.current;
    const [top, height] = [row.offsetTop, row.offsetHeight];
    const seen = top - height >= scrollTop && top + height <= scrollTop + clientHeight; // below the heading
    if (!seen) box.current.scrollTop = top - (clientHeight - height) / 2;
  }, [chosen, running]);
  return (
    <div class="tests">
      <section class="table" aria-label="Tests" tabIndex={0} ref={box}>
        <table>
          <caption class="hidden">Verdicts of the tests</caption>
          <thead>
            <tr>
              <th scope="col">Test</th>
              <th scope="col">Verdict</th>
              <th scope="col">CPU</th>
              <th scope="col" class="extra">
                Wall
              </th>
              <th scope="col">Memory</th>
            </tr>
          </thead>
          <tbody>{rows}</tbody>
        </table>
      </section>
      {all.length > shown.value || (failed.length > 0 && tests.length > 10) ? (
        <p class="row small more">
          {failed.length > 0 && tests.length > 10 ? (
            <Button aria-pressed={failedOnly.value} onClick={() => (failedOnly.value = !failedOnly.value)}>
              Only those not accepted ({failed.length})
            </Button>
          ) : null}
          {all.length > shown.value ? (
            <Button onClick={() => (shown.value = all.length)}>Show all {all.length}</Button>
          ) : null}
        </p>
      ) : null}
    </div>
  );
}

interface RowProps {
  test: TestState;
  limits: Schemas["LimitsRequest"];
  chosen: boolean;
  choose(id: string): void;
  running: boolean;
}

function Row({ test, limits, chosen, choose, running }: RowProps) {
  const r = test.report?.run;
  const writes = test.stdout !== "" || test.stderr !== "";
  const word = test.report?.verdict ?? (running && writes ? "running" : undefined);
  return (
    <tr data-chosen={chosen} onClick={() => choose(test.id)}>
      <td>
        <button type="button" class="link" aria-pressed={chosen} onClick={() => choose(test.id)}>
          <Visible text={test.id} />
        </button>
      </td>
      <td>{word ? <Badge word={word} title={test.report?.reason} /> : <span class="muted">waits</span>}</td>
      <td>
        {r ? (
          <Bar label="CPU time" value={r.cpu_ms} limit={limits.cpu_ms} text={milliseconds(r.cpu_ms)} />
        ) : null}
      </td>
      <td class="extra">
        {r ? (
          <Bar label="Wall time" value={r.wall_ms} limit={limits.wall_ms} text={milliseconds(r.wall_ms)} />
        ) : null}
      </td>
      <td>
        {r?.memory_bytes !== undefined ? (
          <Bar
            label="Memory"
            value={r.memory_bytes}
            limit={limits.memory_bytes}
            text={bytes(r.memory_bytes)}
          />
        ) : null}
      </td>
    </tr>
  );
}
