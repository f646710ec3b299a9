import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { apiKey, askForKey } from "../api/keys";
import { ApiError, messageOf } from "../api/problem";
import { amount, bytes, sentence, when } from "./format";
import { Visible } from "./named";

type ButtonProps = Omit<JSX.IntrinsicElements["button"], "type"> & {
  kind?: "plain" | "primary" | "danger" | "quiet";
  /** For forms; a button submits none by itself. */
  type?: "button" | "submit";
  /** Shows that what it has begun goes on; it cannot be pressed meanwhile, and keeps the focus. */
  busy?: boolean;
};

export function Button({ kind = "plain", type = "button", busy, class: more, ...rest }: ButtonProps) {
  return (
    <button
      {...rest}
      type={type}
      class={`button ${kind} ${more ?? ""}`}
      onClick={busy ? undefined : rest.onClick}
      aria-disabled={busy ? true : rest["aria-disabled"]}
      aria-busy={busy === true}
    />
  );
}

/** A verdict or a state, as docs/API.md names it, in colour and in words. */
export function Badge({ word, title }: { word: string; title?: string | undefined }) {
  return (
    <span class="badge" data-word={word} title={title}>
      {sentence(word)}
    </span>
  );
}

/** A value beside its limit, as a bar: how much of it is used. Without a limit, the value alone. */
export function Bar(props: { label: string; value: number; limit?: number | undefined; text: string }) {
  const { label, value, limit, text } = props;
  const share = limit ? Math.min(1, value / limit) : 0;
  const said = limit ? `${label}: ${text}, ${Math.round(share * 100)} % of its limit` : `${label}: ${text}`;
  return (
    <span class="bar" role="img" aria-label={said} title={said}>
      <span class="bar-text">{text}</span>
      {limit ? (
        <span class="bar-track">
          <span
            class="bar-fill"
            data-level={share >= 1 ? "full" : share > 0.8 ? "high" : "low"}
            style={{ width: `${share * 100}%` }}
          />
        </span>
      ) : null}
    </span>
  );
}

/** A point in time, said as it is here; its title has it in full. */
export function Time({ at, relative }: { at: string | undefined; relative?: boolean }) {
  if (!at) return <span class="muted">–</span>;
  return (
    <time dateTime={at} title={at}>
      {when(at, relative === true)}
    </time>
  );
}

export function Bytes({ n }: { n: number }) {
  return <span title={`${amount(n)} bytes`}>{bytes(n)}</span>;
}

/** Why something failed: the server's problem with all its faults, or what the browser says. */
export function ErrorNote({ error, retry }: { error: unknown; retry?: () => void }) {
  if (error === undefined || error === null) return null;
  const problem = error instanceof ApiError ? error.problem : undefined;
  const after = error instanceof ApiError ? error.retryAfter : undefined;
  if (problem?.status === 401) return <NoKey />;
  return (
    <div class="note bad" role="alert">
      <strong>
        <Visible text={problem ? problem.title : messageOf(error)} />
      </strong>
      {problem?.detail && problem.detail !== problem.title ? (
        <p>
          <Visible text={problem.detail} />
        </p>
      ) : null}
      {problem?.errors?.length ? (
        <ul>
          {problem.errors.map((f) => (
            <li key={`${f.pointer}${f.parameter}${f.detail}`}>
              {f.pointer || f.parameter ? <code>{f.pointer ?? f.parameter}</code> : null}{" "}
              <Visible text={f.detail} />
            </li>
          ))}
        </ul>
      ) : null}
      {after ? <p>Try again in {after} s.</p> : null}
      {problem?.request_id ? <p class="muted small">Request {problem.request_id}</p> : null}
      {retry ? (
        <div class="row">
          <Button onClick={retry}>Try again</Button>
        </div>
      ) : null}
    </div>
  );
}

/** Says that a key is needed, and asks for one. */
export function NoKey() {
  return (
    <div class="note warn" role="alert">
      <strong>
        {apiKey.value
          ? "The server takes this tab’s key no more."
          : "This tab has no key, and the server asks for one."}
      </strong>
      <div>
        <Button onClick={() => void askForKey("")}>Enter a key</Button>
      </div>
    </div>
  );
}

/** What stands where there is nothing to show. */
export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** What stands for a view that is on its way. */
export function Loading() {
  return (
    <p class="empty loading" aria-busy="true">
      Loading…
    </p>
  );
}

/** Copies a text, and says that it has. */
export function CopyButton({ text, label = "Copy" }: { text: string | (() => string); label?: string }) {
  const said = useSignal("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "string" ? text : text());
      said.value = "Copied";
    } catch {
      said.value = "Not allowed here";
    }
    setTimeout(() => {
      said.value = "";
    }, 2000);
  };
  return (
    <Button kind="quiet" onClick={copy}>
      <span aria-live="polite">{said.value || label}</span>
    </Button>
  );
}

/** A dialog over the page. Escape and its close button call onClose. */
export function Dialog(props: {
  title: string;
  onClose(): void;
  children: ComponentChildren;
  wide?: boolean;
}) {
  const box = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const dialog = box.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      // It may be out of the page by now, and the browser gives the focus back no more.
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard's way to close it is Escape
    <dialog
      ref={box}
      class={props.wide ? "dialog wide" : "dialog"}
      aria-labelledby={title}
      onCancel={(e) => {
        e.preventDefault();
        props.onClose();
      }}
      onClick={(e) => {
        if (e.target === box.current) props.onClose();
      }}
    >
      <div class="dialog-body">
        <header>
          <h2 id={title}>{props.title}</h2>
          <Button kind="quiet" aria-label="Close" onClick={props.onClose}>
            ✕
          </Button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

/** A column of a table: its heading, and what it shows of a row. */
export interface Column<T> {
  head: string;
  cell(row: T): ComponentChildren;
  /** For figures: on the right. */
  end?: boolean;
  /** Left out on a phone. */
  extra?: boolean;
}

/** A table with a caption for screen readers. On a phone it scrolls by itself, not the page. */
export function Table<T>(props: {
  caption: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  id(row: T): string;
}) {
  return (
    <section class="table" aria-label={props.caption} tabIndex={0}>
      <table>
        <caption class="hidden">{props.caption}</caption>
        <thead>
          <tr>
            {props.columns.map((c) => (
              <th key={c.head} scope="col" class={classOf(c)}>
                {c.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr key={props.id(row)}>
              {props.columns.map((c) => (
                <td key={c.head} class={classOf(c)} data-head={c.head}>
                  {c.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function classOf<T>(c: Column<T>): string {
  return `${c.end ? "end" : ""} ${c.extra ? "extra" : ""}`;
}
