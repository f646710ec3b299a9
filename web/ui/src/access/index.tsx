import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { identify } from "../api/client";
import { apiKey, asked, askForKey, refused, refuseKey, setKey } from "../api/keys";
import { ApiError } from "../api/problem";
import { href } from "../router";
import { Button, Dialog, ErrorNote } from "../shared/basics";
import { self, watchSelf } from "../shared/self";
import "./access.css";

/** Shows whose key this tab has, and leads to the view of it; asks for one where it has none but needs it. */
export function AccessButton() {
  useEffect(watchSelf, []);
  if (refused.value) {
    return (
      <Button kind="primary" onClick={() => void askForKey("")}>
        Enter a key
      </Button>
    );
  }
  const me = self.value;
  const name = me?.keys_needed ? me.tenant : "Access";
  const says = me?.keys_needed ? `Access: ${me.tenant}, ${me.roles?.join(" and ")}` : "Access";
  return (
    <a class="button quiet access-link" href={href("access")} aria-label={says} title={says}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" class="access-icon">
        <circle cx="5" cy="8" r="3" />
        <path d="M8 8h6.5M12 8v3M14.5 8v2" />
      </svg>
      <span class="wide-only">{name}</span>
    </a>
  );
}

/** Asks for an API key whenever a request needs one. */
export function AccessDialog() {
  const reason = asked.value;
  return reason === undefined ? null : <KeyQuestion reason={reason} />;
}

/** What a key may hold: it is sent in a header, which takes nothing else. */
const visible = /^[\x21-\x7e]+$/;

function KeyQuestion({ reason }: { reason: string }) {
  const key = useSignal("");
  const busy = useSignal(false);
  const error = useSignal<unknown>(undefined);
  const input = useRef<HTMLInputElement>(null);
  const field = useId();
  const note = useId();
  const submit = async (e: Event) => {
    e.preventDefault();
    const given = key.value.trim();
    if (!given || busy.value) return;
    busy.value = true;
    error.value = undefined;
    try {
      if (!visible.test(given))
        throw new Error("A key has letters, digits and signs of ASCII, and no spaces.");
      await identify(given);
      setKey(given);
    } catch (failure) {
      error.value = failure;
      busy.value = false;
      input.current?.select();
    }
  };
  const wrong = error.value instanceof Error && !(error.value instanceof ApiError);
  return (
    <Dialog title="API key" onClose={refuseKey}>
      <form onSubmit={(e) => void submit(e)} class="stack">
        {reason ? <p>{reason}</p> : null}
        <label for={field}>Key</label>
        <input
          ref={input}
          id={field}
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          autoFocus
          aria-invalid={wrong}
          aria-describedby={note}
          value={key.value}
          onInput={(e) => {
            key.value = e.currentTarget.value;
          }}
        />
        <ErrorNote error={error.value} />
        <p id={note} class="muted small">
          It is kept in this tab alone, until the tab is closed. Whoever runs this server makes keys: in this
          page under Access, or by <code>optimus admin keys create</code>.
        </p>
        <div class="row end">
          {apiKey.value ? (
            <Button kind="danger" onClick={() => setKey("")}>
              Forget the key
            </Button>
          ) : null}
          <Button kind="primary" type="submit" busy={busy.value}>
            Use this key
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
