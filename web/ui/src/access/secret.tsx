import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import type { Schemas } from "../api/client";
import { Button, Dialog } from "../shared/basics";

/** A key that was just made, and what it means for this tab. */
export interface Made {
  key: Schemas["NewKey"];
  /** This tab uses it from now on: its own was replaced, or the server needed none before. */
  taken: boolean;
}

/** Shows a key that was just made: this once. It is not closed by mistake. */
export function Secret({ made, onClose }: { made: Made; onClose(): void }) {
  const kept = useSignal(false);
  const warned = useSignal(false);
  const leave = () => {
    if (kept.value || warned.value) onClose();
    else warned.value = true;
  };
  const { name, roles, secret } = made.key;
  return (
    <Dialog title="The new key" onClose={leave}>
      <div class="stack">
        <p>
          For <strong>{name}</strong>, with {roles?.length === 1 ? "the role" : "the roles"}{" "}
          {roles?.join(", ")}. It is shown this once: the server keeps only its hash.
        </p>
        <SecretField
          secret={secret}
          onCopied={() => {
            kept.value = true;
          }}
        />
        {made.taken ? <p class="note">This tab uses it from now on.</p> : null}
        {warned.value && !kept.value ? (
          <p class="note warn" role="alert">
            It was not copied, and is not shown again. Close once more to leave it all the same.
          </p>
        ) : null}
        <div class="row end">
          <Button kind={kept.value ? "primary" : "plain"} onClick={leave}>
            Done
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

/** The key, to be copied by a button or, where the browser does not let the page, by hand. */
function SecretField({ secret, onCopied }: { secret: string; onCopied(): void }) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const said = useSignal("Copy the key");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(secret);
      said.value = "Copied";
      onCopied();
    } catch {
      input.current?.select();
      said.value = "Press Ctrl+C";
    }
  };
  return (
    <>
      <label for={id}>Key</label>
      <div class="row secret">
        <input
          id={id}
          ref={input}
          readOnly
          value={secret}
          onFocus={(e) => e.currentTarget.select()}
          onCopy={onCopied}
        />
        <Button kind="primary" onClick={() => void copy()}>
          <span aria-live="polite">{said.value}</span>
        </Button>
      </div>
    </>
  );
}
