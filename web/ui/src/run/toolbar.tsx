import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Schemas } from "../api/client";
import { messageOf } from "../api/problem";
import { Button } from "../shared/basics";
import { may } from "../shared/self";
import { chooseLanguage, draft, toSubmission } from "./draft";
import { busy } from "./job";
import { shareLink } from "./share";

interface Props {
  languages: readonly Schemas["LanguageInfo"][];
  language: Schemas["LanguageInfo"] | undefined;
  start(): void;
  /** Shows the submission as a command and as JSON. */
  show(): void;
  /** Puts a sample into the editor. */
  sample(text: string): void;
}

/** Language and version, samples, what to do with the program, and Run. */
export function Toolbar({ languages, language, start, show, sample }: Props) {
  const names = [...new Map(languages.map((l) => [l.name, l])).values()];
  const versions = languages.filter((l) => l.name === language?.name);
  return (
    <div class="bar-top" role="group" aria-label="Program">
      <select
        aria-label="Language"
        value={language?.name ?? ""}
        onChange={(e) => {
          const to = languages.find((l) => l.name === e.currentTarget.value);
          if (to) chooseLanguage(to, language);
        }}
      >
        {language ? null : <option value="">{draft.language.value || "No language"}</option>}
        {names.map((l) => (
          <option key={l.name} value={l.name}>
            {l.display_name}
            {l.available ? "" : " (not here)"}
          </option>
        ))}
      </select>
      {versions.length > 1 ? (
        <select
          aria-label="Version"
          value={language?.version ?? ""}
          onChange={(e) => (draft.version.value = e.currentTarget.value)}
        >
          {versions.map((l) => (
            <option key={l.version} value={l.version}>
              {l.version}
            </option>
          ))}
        </select>
      ) : null}
      <Samples language={language} take={sample} />
      <span class="gap" />
      <Share />
      <Button onClick={show} title="As curl, as JSON">
        Export
      </Button>
      <Button
        kind="primary"
        class="go"
        busy={busy.value}
        disabled={!may("submit")}
        onClick={start}
        title={!may("submit") ? "This key may not submit" : "Ctrl+Enter"}
      >
        <svg viewBox="0 0 12 12" width="10" height="10" aria-hidden="true">
          <path d="M2 1l9 5-9 5z" fill="currentColor" />
        </svg>
        {busy.value ? "Running…" : "Run"}
      </Button>
    </div>
  );
}

const samples = [
  ["hello", "Hello, world"],
  ["error", "One with an error"],
  ["limit", "One that never ends"],
] as const;

/** The language's own programs, to start from. */
function Samples({ language, take }: Pick<Props, "language"> & { take: Props["sample"] }) {
  const there = samples.filter(([name]) => language?.samples[name]);
  if (there.length === 0) return null;
  return (
    <select
      aria-label="Sample"
      value=""
      onChange={(e) => {
        const name = there.find(([n]) => n === e.currentTarget.value)?.[0];
        if (name) take(language?.samples[name] ?? "");
        e.currentTarget.value = "";
      }}
    >
      <option value="">Sample…</option>
      {there.map(([name, text]) => (
        <option key={name} value={name}>
          {text}
        </option>
      ))}
    </select>
  );
}

/** Copies a link that holds all of the form. */
function Share() {
  const said = useSignal<{ text: string; bad: boolean; link?: string } | undefined>(undefined);
  const share = async () => {
    try {
      const link = await shareLink(toSubmission());
      try {
        await navigator.clipboard.writeText(link);
        said.value = {
          text: "The link is copied. It holds the program itself: no server keeps it.",
          bad: false,
          link,
        };
      } catch {
        said.value = {
          text: "This is the link. It holds the program itself: no server keeps it.",
          bad: false,
          link,
        };
      }
    } catch (error) {
      said.value = { text: messageOf(error), bad: true };
    }
  };
  // A link holds what stood there when it was made.
  useEffect(() => {
    said.value = undefined;
  }, [draft.source.value, draft.language.value, draft.tests.value, draft.stdin.value]);
  const onKey = (e: KeyboardEvent & { currentTarget: HTMLElement }) => {
    if (e.key !== "Escape") return;
    said.value = undefined;
    e.currentTarget.querySelector("button")?.focus();
  };
  const now = said.value;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape closes what its button has opened
    <span class="share" onKeyDown={onKey}>
      <Button onClick={() => void share()}>Share</Button>
      {now ? (
        <div class={now.bad ? "note bad pop" : "note pop"} role={now.bad ? "alert" : "status"}>
          <p>{now.text}</p>
          {now.link ? (
            <input readOnly aria-label="Link" value={now.link} onFocus={(e) => e.currentTarget.select()} />
          ) : null}
          <Button onClick={() => (said.value = undefined)}>Close</Button>
        </div>
      ) : null}
    </span>
  );
}
