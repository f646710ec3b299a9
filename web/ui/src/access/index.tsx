import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { apiKey, asked, askForKey, refuseKey, setKey } from "../api/keys";
import { Button, Dialog } from "../shared/basics";

/** Shows that a key is held, and opens the dialog to change or forget it. */
export function AccessButton() {
  if (!apiKey.value) return null;
  return (
    <Button kind="quiet" onClick={() => void askForKey("")} title="The API key of this tab">
      Key
    </Button>
  );
}

/** Asks for an API key whenever a request needs one. */
export function AccessDialog() {
  const key = useSignal("");
  const field = useId();
  const reason = asked.value;
  if (reason === undefined) return null;
  const submit = (e: Event) => {
    e.preventDefault();
    if (!key.value.trim()) return;
    setKey(key.value.trim());
    key.value = "";
  };
  return (
    <Dialog title="API key" onClose={refuseKey}>
      <form onSubmit={submit} class="stack">
        {reason ? <p>{reason}</p> : null}
        <label for={field}>Key</label>
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
            <Button kind="danger" onClick={() => setKey("")}>
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
