import { useEffect } from "preact/hooks";
import { ageOf } from "../api/clock";
import { askForKey, refused, setKey } from "../api/keys";
import type { Route } from "../router";
import { Button, NoKey, Time } from "../shared/basics";
import { Facts } from "../shared/facts";
import { amount, bytes, milliseconds } from "../shared/format";
import { refreshSelf, roles, self } from "../shared/self";
import { StoredKeys } from "./stored";

export function View(_: { route: Route }) {
  useEffect(refreshSelf, []);
  return (
    <div class="page">
      <h1>Access</h1>
      <You />
      <Roles />
      <StoredKeys />
      <Bounds />
    </div>
  );
}

/** Who this tab is to the server. */
function You() {
  const me = self.value;
  if (!me) {
    if (!refused.value) return <p class="muted">Asking the server who you are…</p>;
    return <NoKey />;
  }
  if (!me.keys_needed) {
    return (
      <section class="note" aria-label="No keys">
        <strong>This server asks for no key: whoever reaches it may do everything.</strong>
        <p>
          It listens to its own machine alone. The first key that is made below closes it: from then on each
          request needs one.
        </p>
      </section>
    );
  }
  return (
    <section class="frame" aria-labelledby="you">
      <h2 id="you">The key of this tab</h2>
      <Facts
        of={[
          ["Tenant", <strong key="tenant">{me.tenant}</strong>],
          ["Roles", me.roles?.join(", ")],
          ["Requests", me.requests_per_minute ? `${amount(me.requests_per_minute)} a minute` : "No bound"],
          ["Holds until", <Expiry key="expiry" at={me.expires_at} />],
          ["Kept", "In this tab alone, until it is closed"],
        ]}
      />
      <div class="row">
        <Button onClick={() => void askForKey("")}>Use another key</Button>
        <Button kind="danger" onClick={() => setKey("")}>
          Forget the key
        </Button>
      </div>
    </section>
  );
}

const day = 86_400_000;

/** When a key expires; one that soon does is marked. */
function Expiry({ at }: { at: string | undefined }) {
  if (!at) return <span>It never expires</span>;
  const left = -ageOf(at);
  return (
    <span class={left < 7 * day ? "soon" : ""}>
      <Time at={at} /> {left > 0 ? "(" : ""}
      {left > 0 ? <Time at={at} relative /> : null}
      {left > 0 ? ")" : ""}
    </span>
  );
}

/** What each role allows, and which of them this tab has. */
function Roles() {
  const may = self.value?.may;
  return (
    <section class="frame" aria-labelledby="roles">
      <h2 id="roles">What the roles allow</h2>
      <ul class="roles">
        {roles.map(({ role, text }) => {
          const allowed = may?.includes(role);
          return (
            <li key={role} data-allowed={allowed}>
              <span aria-hidden="true" class="mark">
                {allowed === undefined ? "·" : allowed ? "✓" : "✕"}
              </span>
              <code>{role}</code>
              <span>
                {text}
                {allowed === undefined ? null : (
                  <span class="hidden">{allowed ? " You may." : " You may not."}</span>
                )}
              </span>
            </li>
          );
        })}
      </ul>
      <p class="muted small">admin implies the others, and submit implies read.</p>
    </section>
  );
}

/** What may be submitted here at most. */
function Bounds() {
  const limits = self.value?.limits;
  if (!limits) return null;
  const run = limits.run;
  const size = (n: number | undefined) => (n === undefined ? undefined : bytes(n));
  const time = (n: number | undefined) => (n === undefined ? undefined : milliseconds(n));
  const count = (n: number | undefined) => (n === undefined ? undefined : amount(n));
  return (
    <details class="frame">
      <summary>
        <h2>What may be submitted at most</h2>
      </summary>
      <h3>A submission</h3>
      <Facts
        of={[
          ["Request", size(limits.body_bytes)],
          ["Source files", `${amount(limits.files)}, together ${bytes(limits.source_bytes)}`],
          ["Tests", count(limits.tests)],
          ["Input of a test", size(limits.input_bytes)],
          ["Expected output of a test", size(limits.expected_output_bytes)],
          ["Arguments", `${amount(limits.args)}, together ${bytes(limits.arg_bytes)}`],
          ["Jobs of a batch", count(limits.batch_jobs)],
          ["Priority", `${limits.min_priority} to ${limits.max_priority}`],
          ["Queues", self.value?.queues?.join(", ")],
        ]}
      />
      <h3>A run</h3>
      <Facts
        of={[
          ["Processor time", time(run.cpu_ms)],
          ["Real time", time(run.wall_ms)],
          ["Memory", size(run.memory_bytes)],
          ["Output", size(run.output_bytes)],
          ["Processes and threads", count(run.processes)],
          ["Open files", count(run.open_files)],
          ["Largest file", size(run.file_size_bytes)],
          ["All files", size(run.disk_bytes)],
        ]}
      />
    </details>
  );
}
