import "./access.css";
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { apiKey, asked, askForKey, refuseKey, setKey } from "../api/keys";
import { Button, Dialog, Time } from "../shared/basics";
import { self } from "../shared/self";

/** Says whose key this tab has and what it may do, and opens the dialog to change or forget it. */
export function AccessButton() {
  if (!apiKey.value) return null;
  const who = self.value;
  return (
    <Button kind="quiet" onClick={() => void askForKey("")} title="The API key of this tab">
      Key
      {who?.tenant ? <span class="wide-only">of {who.tenant}</span> : null}
    </Button>
  );
}

/** Asks for an API key whenever a request needs one, and shows what the one that is there allows. */
export function AccessDialog() {
  const key = useSignal("");
  const field = useId();
  const reason = asked.value;
  if (reason === undefined) return null;
  const use = (to: string) => {
    setKey(to);
    key.value = "";
    // Who changes the key by choice sees all with the new one; what waits for a key goes on with it.
    if (reason === "") location.reload();
  };
  const submit = (e: Event) => {
    e.preventDefault();
    if (key.value.trim()) use(key.value.trim());
  };
  return (
    <Dialog title="API key" onClose={refuseKey}>
      {apiKey.value ? <Allowed /> : null}
      <form onSubmit={submit} class="stack">
        {reason ? <p>{reason}</p> : null}
        <label for={field}>{apiKey.value ? "Another key" : "Key"}</label>
        <input
          id={field}
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          autoFocus
          value={key.value}
          onInput={(e) => {
            key.value = e.currentTarget.value;
          }}
        />
        <p class="muted small">It is kept in this tab alone, until the tab is closed.</p>
        <div class="row end">
          {apiKey.value ? (
            <Button kind="danger" onClick={() => use("")}>
              Forget the key
            </Button>
          ) : null}
          <Button kind="primary" type="submit">
            Use this key
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

const roles = {
  submit: "submit jobs, and cancel and delete its own",
  read: "read its own jobs; languages, queues and workers",
  admin: "do everything, for every tenant",
} as const;

/** What the key of this tab may do. */
function Allowed() {
  const who = self.value;
  if (!who) return null;
  return (
    <dl class="allowed">
      <div>
        <dt>Tenant</dt>
        <dd>{who.tenant}</dd>
      </div>
      <div>
        <dt>May</dt>
        <dd>
          <ul>
            {(who.may ?? []).map((r) => (
              <li key={r}>
                <b>{r}</b>: {roles[r]}
              </li>
            ))}
          </ul>
        </dd>
      </div>
      {who.requests_per_minute ? (
        <div>
          <dt>Requests</dt>
          <dd>{who.requests_per_minute} a minute</dd>
        </div>
      ) : null}
      {who.expires_at ? (
        <div>
          <dt>Holds until</dt>
          <dd>
            <Time at={who.expires_at} />
          </dd>
        </div>
      ) : null}
    </dl>
  );
}
