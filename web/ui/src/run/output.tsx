import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Button, CopyButton } from "../shared/basics";
import { bytes } from "../shared/format";
import { Visible } from "../shared/named";
import { cutAt, exactly, sizeOf } from "./content";
import type { Jumps } from "./editor";
import { Messages } from "./messages";

/** How much of an output is shown at first, with places that lead to the source, and with each press of "Show more", in characters. */
const first = 32 << 10;
const more = 256 << 10;

interface Props {
  title: string;
  text: string;
  /** More was written than is kept. */
  truncated?: boolean;
  /** It goes on: the end is shown. */
  live?: boolean;
  /** The source file's name, where places in it are to be led to. */
  file?: string | undefined;
  editor?: () => Jumps | undefined;
}

/** What a program has written, as text. Of much it shows the beginning, so that the page stays quick. */
export function Output({ title, text, truncated, live, file, editor }: Props) {
  const room = useSignal(first);
  const wrap = useSignal(true);
  const shown = live ? text.slice(cutAt(text, text.length - 8192)) : text.slice(0, cutAt(text, room.value));
  const led = file && editor ? shown.slice(0, cutAt(shown, first)) : "";
  const end = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (live && end.current) end.current.scrollTop = end.current.scrollHeight;
  }, [live, shown]);
  const rest = live ? 0 : text.length - shown.length;
  return (
    <section class="written" aria-label={title}>
      <header class="row">
        <h3>{title}</h3>
        <span class="muted small">{live ? "so far" : bytes(sizeOf(text))}</span>
        {truncated ? (
          <span class="badge" data-word="output_limit_exceeded">
            Truncated
          </span>
        ) : null}
        <span class="gap" />
        {text.length > 0 && !live ? (
          <>
            <Button kind="quiet" aria-pressed={wrap.value} onClick={() => (wrap.value = !wrap.value)}>
              Wrap
            </Button>
            <CopyButton text={text} />
            <Button
              kind="quiet"
              onClick={() => save(text, `${title.toLowerCase().replaceAll(" ", "-")}.txt`)}
            >
              Save
            </Button>
          </>
        ) : null}
      </header>
      {text === "" ? (
        <p class="muted small none">nothing</p>
      ) : (
        <pre
          ref={end}
          class={wrap.value ? "output" : "output long"}
          tabIndex={0}
          role="region"
          aria-label={`${title}, text`}
        >
          {file && editor ? <Messages text={led} file={file} editor={editor} /> : null}
          <Visible text={shown.slice(led.length)} />
        </pre>
      )}
      {rest > 0 ? (
        <p class="row small more">
          <span class="muted">{bytes(rest)} more</span>
          <Button onClick={() => (room.value += more)}>Show more</Button>
        </p>
      ) : null}
      {truncated ? (
        <p class="small muted">The program wrote more than is kept: what stands here is its beginning.</p>
      ) : null}
    </section>
  );
}

/** Saves a text as a file, of bytes that are no text as they were. */
export function save(text: string, name: string, type = "text/plain"): void {
  const url = URL.createObjectURL(new Blob(exactly(text), { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
