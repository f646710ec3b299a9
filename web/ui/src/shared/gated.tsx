import type { ComponentProps } from "preact";
import { useId } from "preact/hooks";
import { Button } from "./basics";
import "./gated.css";
import { type Role, whyNot } from "./self";

/**
 * A button for what needs a role. Where the key does not hold it, the button does nothing and says why;
 * it can still be reached by keyboard, so that everybody can learn the reason.
 */
export function Gated({ needs, onClick, ...rest }: ComponentProps<typeof Button> & { needs: Role }) {
  const id = useId();
  const reason = whyNot(needs);
  if (reason === undefined) return <Button {...rest} {...(onClick ? { onClick } : {})} />;
  return (
    <>
      <Button {...rest} aria-disabled={true} aria-describedby={id} title={reason} />
      <span id={id} class="hidden">
        {reason}
      </span>
    </>
  );
}
