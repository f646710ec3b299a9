import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { save } from "../run/output";
import { Button, CopyButton } from "../shared/basics";
import { amount, bytes } from "../shared/format";
import { Visible } from "../shared/named";

/** How many lines are shown at first, and with each press of "Show more". */
const first = 1000;
const more = 5000;

/** A source file as text, with its lines numbered. */
export function Source(props: {
  name: string;
  text: string;
  size: number;
  /** A line to show, from 1; it is shown anew whenever the object is another. */
  target?: Signal<{ line: number } | undefined>;
}) {
  const { name, text, size } = props;
  const room = useSignal(first);
  const box = useRef<HTMLPreElement>(null);
  const target = props.target?.value;
  const lines = text.replace(/\n$/, "").split("\n");
  const shown = lines.slice(0, Math.max(room.value, Math.min(target?.line ?? 0, 4 * more)));
  useEffect(() => {
    if (!target) return;
    const line = box.current?.children[target.line - 1];
    line?.scrollIntoView({ block: "center" });
    box.current?.focus({ preventScroll: true });
  }, [target]);
  return (
    <section class="out" aria-label={name}>
      <header class="row">
        <h3>
          <Visible text={name} />
        </h3>
        <span class="muted small">{bytes(size)}</span>
        <span class="gap" />
        <CopyButton text={text} />
        <Button kind="quiet" onClick={() => save(text, name.split("/").at(-1) ?? name)}>
          Save
        </Button>
      </header>
      <pre class="output source" ref={box} tabIndex={0} role="region" aria-label={`${name}, text`}>
        {shown.map((line, i) => (
          <span key={i} class="line" data-marked={target?.line === i + 1}>
            <Visible text={line} />
            {"\n"}
          </span>
        ))}
      </pre>
      {shown.length < lines.length ? (
        <p class="row small more">
          <span class="muted">{amount(lines.length - shown.length)} more lines</span>
          <Button onClick={() => (room.value = shown.length + more)}>Show more</Button>
        </p>
      ) : null}
    </section>
  );
}
