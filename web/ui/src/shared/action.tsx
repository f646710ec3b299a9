import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { Button } from "./basics";
import { barred, type Role } from "./self";
import "./action.css";

/**
 * A button of an operation that a role, or the state of things, may not allow. Where it is not allowed the
 * button can still be reached, and says why.
 */
export function Action(props: {
  onClick(): void;
  /** The role that it needs. */
  needs?: Role;
  /** Why it cannot be done now. */
  why?: string | undefined;
  kind?: "plain" | "primary" | "danger" | "quiet";
  busy?: boolean;
  label?: string;
  children: ComponentChildren;
}) {
  const { onClick, needs, kind, busy, label, children } = props;
  const id = useId();
  const why = (needs ? barred(needs) : undefined) ?? props.why;
  const tone = kind ? { kind } : {};
  if (why === undefined) {
    return (
      <Button {...tone} busy={busy === true} onClick={onClick} aria-label={label}>
        {children}
      </Button>
    );
  }
  return (
    <>
      <Button
        {...tone}
        class="barred"
        aria-disabled="true"
        aria-describedby={id}
        title={why}
        aria-label={label}
      >
        {children}
      </Button>
      <span id={id} class="hidden">
        {why}
      </span>
    </>
  );
}
