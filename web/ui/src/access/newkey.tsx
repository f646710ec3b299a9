import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { api, type Schemas, unwrap } from "../api/client";
import { setKey } from "../api/keys";
import { ApiError } from "../api/problem";
import { Button, Dialog, ErrorNote } from "../shared/basics";
import { type Role, roles, self } from "../shared/self";
import type { Made } from "./secret";

const day = 86_400_000;
const times = [
  ["", "Never"],
  ["7", "In 7 days"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["180", "In 180 days"],
  ["365", "In a year"],
] as const;

/** Asks what a new key shall be, and makes it. */
export function NewKey(props: { onMade(made: Made): void; onClose(): void }) {
  const open = self.value?.keys_needed === false;
  const name = useSignal("");
  const held = useSignal<readonly Role[]>(open ? ["admin"] : ["submit", "read"]);
  const days = useSignal("");
  const rate = useSignal("");
  const busy = useSignal(false);
  const error = useSignal<unknown>(undefined);
  const submit = async (e: Event) => {
    e.preventDefault();
    if (busy.value) return;
    busy.value = true;
    error.value = undefined;
    const body: Schemas["KeyRequest"] = { name: name.value.trim(), roles: [...held.value] };
    if (rate.value) body.rate = Number(rate.value);
    if (days.value) body.expires_at = new Date(Date.now() + Number(days.value) * day).toISOString();
    try {
      const key = await unwrap(api.POST("/v1/keys", { body }));
      if (open) setKey(key.secret); // from now on there is no way in without one
      props.onMade({ key, taken: open });
    } catch (failure) {
      error.value = failure;
      busy.value = false;
    }
  };
  const toggle = (role: Role) => () => {
    held.value = held.value.includes(role) ? held.value.filter((r) => r !== role) : [...held.value, role];
  };
  return (
    <Dialog title="New key" onClose={props.onClose}>
      <form class="stack" onSubmit={(e) => void submit(e)}>
        {open ? (
          <p>
            This is the first key, so it needs the role admin. From then on each request needs a key; this tab
            takes the new one.
          </p>
        ) : null}
        <Name of={name} error={error.value} />
        <fieldset class="role-choices">
          <legend>Roles</legend>
          {roles.map(({ role, text }) => (
            <label key={role}>
              <input type="checkbox" checked={held.value.includes(role)} onChange={toggle(role)} />
              <span>
                <code>{role}</code> <span class="muted small">{text}</span>
              </span>
            </label>
          ))}
        </fieldset>
        <Expires of={days} />
        <Rate of={rate} />
        <ErrorNote error={error.value} />
        <div class="row end">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={busy.value} disabled={held.value.length === 0}>
            Make the key
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface Field {
  of: { value: string };
}

function Name({ of, error }: Field & { error: unknown }) {
  const id = useId();
  const note = useId();
  const faults = error instanceof ApiError ? (error.problem.errors ?? []) : [];
  return (
    <>
      <label for={id}>Tenant</label>
      <input
        id={id}
        value={of.value}
        required
        // biome-ignore lint/a11y/noAutofocus: the first field of a dialog that was just opened
        autoFocus
        maxLength={63}
        autocomplete="off"
        spellcheck={false}
        placeholder="course-2"
        aria-describedby={note}
        aria-invalid={faults.some((f) => f.pointer?.endsWith("/name"))}
        onInput={(e) => {
          of.value = e.currentTarget.value;
        }}
      />
      <p id={note} class="muted small">
        Whose jobs they are. Lower-case letters, digits and . _ + -; several keys may share it.
      </p>
    </>
  );
}

function Expires({ of }: Field) {
  const id = useId();
  return (
    <div class="access-field">
      <label for={id}>Expires</label>
      <select
        id={id}
        value={of.value}
        onChange={(e) => {
          of.value = e.currentTarget.value;
        }}
      >
        {times.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

function Rate({ of }: Field) {
  const id = useId();
  return (
    <div class="access-field">
      <label for={id}>Requests per second</label>
      <input
        id={id}
        type="number"
        min="0.01"
        max="1000000"
        step="any"
        placeholder="as the server’s"
        value={of.value}
        onInput={(e) => {
          of.value = e.currentTarget.value;
        }}
      />
    </div>
  );
}
