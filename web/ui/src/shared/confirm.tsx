import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Button, Dialog, ErrorNote } from "./basics";

/** Asks before something is done, does it, and says in place where that fails. */
export function Confirm(props: {
  title: string;
  /** What the button that does it says. */
  action: string;
  danger?: boolean;
  children: ComponentChildren;
  work(): Promise<void>;
  onClose(): void;
}) {
  const busy = useSignal(false);
  const error = useSignal<unknown>(undefined);
  const act = async () => {
    busy.value = true;
    error.value = undefined;
    try {
      await props.work();
      props.onClose();
    } catch (e) {
      error.value = e;
      busy.value = false;
    }
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <div class="stack">{props.children}</div>
      <ErrorNote error={error.value} />
      <div class="row end">
        <Button onClick={props.onClose}>Cancel</Button>
        <Button kind={props.danger ? "danger" : "primary"} busy={busy.value} onClick={() => void act()}>
          {props.action}
        </Button>
      </div>
    </Dialog>
  );
}
