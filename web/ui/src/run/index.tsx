import "./run.css";
import { type Signal, useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { api, type Schemas, unwrap } from "../api/client";
import { go, href, type Route } from "../router";
import { Button, ErrorNote, Loading } from "../shared/basics";
import { useResource } from "../shared/poll";
import { may } from "../shared/self";
import { Tabs } from "../shared/tabs";
import { tabStore } from "../storage";
import { outputText } from "./content";
import {
  draft,
  draftSlot,
  fromSubmission,
  keep,
  kept,
  restore,
  type Submission,
  sampleOf,
  snapshot,
  toSubmission,
} from "./draft";
import { useDrops } from "./dropped";
import { Editor, type EditorHandle } from "./editor";
import { ExportDialog, type Exported } from "./export";
import { InputPanel, type InputTab } from "./input";
import { busy, leave, outputOf, resume, run, submit } from "./job";
import { failureMark, marksOf } from "./messages";
import { Result } from "./result";
import { readShared } from "./share";
import { Toolbar } from "./toolbar";

type Pane = "code" | "input" | "result";

/** Write a program, run or judge it, and see what became of it. */
export function View({ route }: { route: Route }) {
  const list = useResource((signal) => unwrap(api.GET("/v1/languages", { signal })), []);
  const languages = list.data?.languages ?? undefined;
  if (!languages) {
    return (
      <div class="page">
        <h1 class="hidden">Run</h1>
        {list.error === undefined ? <Loading /> : null}
        <ErrorNote error={list.error} retry={list.reload} />
      </div>
    );
  }
  return <Workbench route={route} languages={languages} />;
}

/** What of the form is shown, and what is said of it. */
interface Shown {
  pane: Signal<Pane>;
  input: Signal<InputTab>;
  notice: Signal<Notice | undefined>;
  /** Why the form cannot be sent. */
  refused: Signal<unknown>;
}

function Workbench({ route, languages }: { route: Route; languages: Schemas["LanguageInfo"][] }) {
  const shown: Shown = {
    pane: useSignal<Pane>("code"),
    input: useSignal<InputTab>("stdin"),
    notice: useSignal<Notice | undefined>(undefined),
    refused: useSignal<unknown>(undefined),
  };
  const { pane, input } = shown;
  const exported = useSignal<Exported | undefined>(undefined);
  const editor = useRef<EditorHandle>(undefined);
  const getEditor = () => editor.current;
  const language = useComputed(() => find(languages, draft.language.value, draft.version.value)).value;
  // What has run may be of another language than the one that is chosen by now.
  const sent = run.value?.sent;
  const ran = sent ? find(languages, sent.language, sent.version ?? "") : language;
  useDraft(languages);
  useAddress(route, languages, shown);
  useDrops(() => {
    input.value = "tests";
    pane.value = "input";
  });
  useMarks(getEditor, ran?.source_file ?? "main");
  const start = useStart(languages, shown);
  const show = () => {
    try {
      const sent = run.peek()?.sent;
      exported.value = sent ? { sent, form: toSubmissionOrNone() } : { form: toSubmission() };
    } catch (error) {
      shown.refused.value = error;
    }
  };
  const ready = (handle: EditorHandle) => {
    const jump = (line: number, column: number) => {
      pane.value = "code";
      handle.jump(line, column);
    };
    editor.current = { ...handle, jump };
  };
  return (
    <div class="run" data-pane={pane.value}>
      <h1 class="hidden">Run</h1>
      <Toolbar
        languages={languages}
        language={language}
        start={start}
        show={show}
        sample={(text) => takeSample(text, language, shown)}
      />
      <Notes shown={shown} language={language} />
      <div class="panes">
        <Tabs
          id="pane"
          label="Parts of the page"
          chosen={pane.value}
          choose={(p) => (pane.value = p)}
          tabs={panes}
        />
      </div>
      <div class="work">
        <div class="left">
          <div class="code" id="pane-panel-code">
            <Editor
              text={draft.source}
              file={language?.source_file ?? "main"}
              onRun={start}
              onReady={ready}
            />
          </div>
          <div class="given" id="pane-panel-input">
            <InputPanel chosen={input} language={language} />
          </div>
        </div>
        <div class="right" id="pane-panel-result">
          <Result language={ran} editor={getEditor} />
        </div>
      </div>
      {exported.value ? (
        <ExportDialog of={exported.value} close={() => (exported.value = undefined)} />
      ) : null}
    </div>
  );
}

const panes: readonly { name: Pane; title: string }[] = [
  { name: "code", title: "Code" },
  { name: "input", title: "Input" },
  { name: "result", title: "Result" },
];

/** Gives what sends the form, which Ctrl+Enter does too, wherever the focus is. */
function useStart(languages: readonly Schemas["LanguageInfo"][], shown: Shown): () => void {
  const start = () => {
    if (busy.peek() || !may("submit")) return;
    shown.refused.value = undefined;
    shown.notice.value = undefined;
    let submission: Submission;
    try {
      submission = toSubmission();
    } catch (error) {
      shown.refused.value = error;
      shown.input.value = "limits";
      shown.pane.value = "input";
      return;
    }
    shown.pane.value = "result";
    const now = find(languages, submission.language, submission.version ?? "");
    void submit(submission, now?.compiled === true);
  };
  const latest = useRef(start);
  latest.current = start;
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey) || e.defaultPrevented) return;
      if (document.querySelector("dialog[open]")) return;
      e.preventDefault();
      latest.current();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return () => latest.current();
}

/** What is to be said of the form, above it. */
function Notes({ shown, language }: { shown: Shown; language: Schemas["LanguageInfo"] | undefined }) {
  const notice = shown.notice.value;
  return (
    <div class="notes">
      <ErrorNote error={shown.refused.value} />
      {notice ? <NoticeBar notice={notice} close={() => (shown.notice.value = undefined)} /> : null}
      {language?.available === false ? <Unavailable language={language} /> : null}
      {may("submit") ? null : (
        <p class="note warn">This key may read, but not submit: programs cannot be run with it.</p>
      )}
      {kept.value ? null : (
        <p class="note warn">
          This is too much for the tab to keep: it is lost when the page is loaded again.
        </p>
      )}
    </div>
  );
}

/** Something that was done to the form, and what can be done about it: such as to take it back. */
interface Notice {
  text: string;
  bad?: boolean;
  act?: { name: string; work(): void };
}

function NoticeBar({ notice, close }: { notice: Notice; close(): void }) {
  return (
    <div class={notice.bad ? "note bad row" : "note row"} role={notice.bad ? "alert" : "status"}>
      <span>{notice.text}</span>
      <span class="gap" />
      {notice.act ? (
        <Button
          onClick={() => {
            close();
            notice.act?.work();
          }}
        >
          {notice.act.name}
        </Button>
      ) : null}
      <Button kind="quiet" onClick={close} aria-label="Close the message">
        ✕
      </Button>
    </div>
  );
}

function Unavailable({ language }: { language: Schemas["LanguageInfo"] }) {
  return (
    <p class="note warn">
      {language.display_name} cannot be run here for now.{" "}
      {language.how_to_get ? (
        <>
          Whoever operates this server gets it with: <code>{language.how_to_get}</code>
        </>
      ) : null}
    </p>
  );
}

/** Gives a language by its name or alias, and its version where one is stated. */
function find(
  languages: readonly Schemas["LanguageInfo"][],
  name: string,
  version: string,
): Schemas["LanguageInfo"] | undefined {
  const named = languages.filter((l) => l.name === name || l.aliases?.includes(name));
  return named.find((l) => l.version === version) ?? named[0];
}

/** Fills the form with what the tab has kept, else with a sample, and keeps it from then on. */
function useDraft(languages: readonly Schemas["LanguageInfo"][]): void {
  useEffect(() => {
    if (draft.language.peek() === "" && !restore()) {
      const there = languages.filter((l) => l.available);
      const first = there.find((l) => l.name === "python") ?? there[0] ?? languages[0];
      draft.source.value = sampleOf(first);
      draft.language.value = first?.name ?? "";
    }
    return keep();
  }, []);
}

/** Opens what the address names: a job to follow, or a submission that was shared. */
function useAddress(route: Route, languages: readonly Schemas["LanguageInfo"][], to: Shown): void {
  const id = route.path[0] ?? "";
  const shared = route.query.get("s") ?? "";
  useEffect(() => {
    const show = (s: Submission, text: string) => {
      try {
        const before = toSubmissionOrNone();
        const undo = { name: "Undo", work: snapshot() };
        const left = fromSubmission(s, find(languages, s.language, s.version ?? ""));
        to.input.value = s.tests?.length ? "tests" : "stdin";
        const more =
          left.length > 0 ? ` Left out, since this form has no place for it: ${left.join(", ")}.` : "";
        const touched = before && JSON.stringify(before) !== JSON.stringify(toSubmissionOrNone());
        to.notice.value = { text: text + more, ...(touched ? { act: undo } : {}) };
      } catch (error) {
        failed(error);
      }
    };
    const failed = (error: unknown) => {
      to.notice.value = { text: error instanceof Error ? error.message : String(error), bad: true };
    };
    if (shared) {
      readShared(shared)
        .then((s) => {
          // What is shown is of another program: it goes, unless it is still under way.
          const runs = busy.peek();
          if (!runs) leave();
          show(
            s,
            runs ? "Opened from a link. The job beside it is of the program before." : "Opened from a link.",
          );
        })
        .catch(failed)
        .finally(() => go(href("run"), { replace: true }));
      return;
    }
    if (!id || run.peek()?.id === id) return;
    const sample = sampleOf(find(languages, draft.language.peek(), draft.version.peek()));
    const own = tabStore.get(draftSlot) !== undefined || draft.source.peek() !== sample;
    to.pane.value = "result";
    void resume(id, (name) => find(languages, name, "")?.compiled === true).then((s) => {
      if (!s || run.peek()?.id !== id) return;
      const submitted = () => show(s, "This is what was submitted.");
      if (!own) submitted();
      else if (!isOfForm(s)) {
        const text = "The result is of another program than the one in the editor.";
        to.notice.value = { text, act: { name: "Show that program", work: submitted } };
      }
    });
  }, [id, shared]);
}

/** Puts a sample into the editor; a program of one's own that stood there can be had back. */
function takeSample(text: string, of: Schemas["LanguageInfo"] | undefined, to: Shown): void {
  const before = draft.source.peek();
  const own = before.trim() !== "" && !Object.values(of?.samples ?? {}).includes(before);
  to.notice.value = own
    ? {
        text: "The sample stands in place of your program.",
        act: { name: "Undo", work: () => (draft.source.value = before) },
      }
    : undefined;
  draft.source.value = text;
  to.pane.value = "code";
}

/** Tells whether the form holds the program of a submission. */
function isOfForm(s: Submission): boolean {
  const file = s.files?.[0];
  const source = s.source_code ?? (file ? outputText(file.content, file.encoding) : "");
  return s.language === draft.language.peek() && source === draft.source.peek();
}

function toSubmissionOrNone(): Submission | undefined {
  try {
    return toSubmission();
  } catch {
    return undefined;
  }
}

/** Shows the messages of the last compile, or where the program failed, beside the lines of the source. */
function useMarks(editor: () => EditorHandle | undefined, file: string): void {
  const now = run.value;
  const stderr = now?.compile ? outputText(now.compile.stderr, now.compile.stderr_encoding) : "";
  const broken =
    now?.phase === "ended" ? now.tests.find((t) => t.report?.verdict === "runtime_error") : undefined;
  useEffect(() => {
    if (stderr) editor()?.mark(marksOf(stderr, file));
    else if (broken) editor()?.mark(failureMark(outputOf(broken, "stderr").text, file));
    else editor()?.mark([]);
  }, [now?.id, stderr, broken?.report]);
}
