import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { api, identify, type Schemas, unwrap } from "../api/client";
import { apiKey, setKey } from "../api/keys";
import { ApiError } from "../api/problem";
import { Confirm } from "../shared/confirm";
import { self } from "../shared/self";
import type { Made } from "./secret";

type Key = Schemas["KeyInfo"];

const overlaps = [
  ["0", "Not at all: it leaked"],
  ["3600", "1 hour"],
  ["86400", "1 day"],
  ["604800", "7 days"],
  ["2592000", "30 days"],
] as const;

/** Asks how long the old key shall still hold, and replaces it. */
export function Rotate(props: { of: Key; onMade(made: Made): void; onClose(): void }) {
  const { of, onMade } = props;
  const overlap = useSignal("86400");
  const id = useId();
  const made = useSignal<Made | undefined>(undefined);
  const work = async () => {
    const path = { id: of.id };
    const body = { overlap_seconds: Number(overlap.value) };
    const key = await unwrap(api.POST("/v1/keys/{id}/rotate", { params: { path }, body }));
    const taken = await isOver();
    if (taken) setKey(key.secret);
    made.value = { key, taken };
  };
  const close = () => (made.value ? onMade(made.value) : props.onClose());
  return (
    <Confirm title="Rotate the key" action="Rotate" work={work} onClose={close}>
      <p>
        A new key takes the place of <code>{of.id}</code> of <strong>{of.name}</strong>, with the same roles,
        rate and time to live. Whoever uses the old one must be given the new one.
      </p>
      <div class="access-field">
        <label for={id}>The old key still holds</label>
        <select
          id={id}
          value={overlap.value}
          onChange={(e) => {
            overlap.value = e.currentTarget.value;
          }}
        >
          {overlaps.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </div>
    </Confirm>
  );
}

/** Whether this tab's key holds no more: it is the one that was replaced. */
async function isOver(): Promise<boolean> {
  if (!apiKey.value) return false;
  try {
    await identify(apiKey.value);
    return false;
  } catch (error) {
    return !(error instanceof ApiError || error instanceof TypeError);
  }
}

/** Asks whether a key shall be revoked, and does it. */
export function Revoke({ of, onClose }: { of: Key; onClose(): void }) {
  const work = async () => {
    await unwrap(api.DELETE("/v1/keys/{id}", { params: { path: { id: of.id } } }));
  };
  return (
    <Confirm title="Revoke the key" action="Revoke" danger work={work} onClose={onClose}>
      <p>
        The key <code>{of.id}</code> of <strong>{of.name}</strong> is refused at once on this server, and
        within two seconds on every other of the store. Its jobs stay. This cannot be undone.
      </p>
      {of.name === self.value?.tenant ? (
        <p class="note warn">It may be the key of this tab, which then asks for another.</p>
      ) : null}
    </Confirm>
  );
}
