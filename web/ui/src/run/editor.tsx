import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import {
  bracketMatching,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { effect, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { unseen } from "../shared/visible";
import { grammarOf } from "./grammars";

/** A message about a line of the source. Numbers begin with 1. */
export interface Mark {
  line: number;
  column?: number;
  severity: "error" | "warning" | "info";
  message: string;
}

/** What leads to places of the source. Numbers begin with 1. */
export interface Jumps {
  /** Shows a place, and puts the focus there. */
  jump(line: number, column?: number): void;
}

/** What others may do with the editor that is shown. */
export interface EditorHandle extends Jumps {
  /** Shows messages at their lines, in place of those before. */
  mark(marks: readonly Mark[]): void;
}

const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "13px", backgroundColor: "var(--ground)", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": {
    backgroundColor: "var(--ground)",
    color: "var(--muted)",
    borderRight: "1px solid var(--line)",
  },
  ".cm-activeLine, .cm-activeLineGutter": {
    backgroundColor: "color-mix(in srgb, var(--sunken) 70%, transparent)",
  },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--accent) 25%, transparent)",
  },
  ".cm-selectionMatch": { backgroundColor: "color-mix(in srgb, var(--accent) 15%, transparent)" },
  "&.cm-focused .cm-matchingBracket": {
    backgroundColor: "transparent",
    outline: "1px solid var(--line-strong)",
  },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-textfield": {
    backgroundColor: "var(--ground)",
    color: "var(--text)",
    border: "1px solid var(--line-strong)",
  },
  ".cm-button": {
    backgroundImage: "none",
    backgroundColor: "var(--ground)",
    color: "var(--text)",
    border: "1px solid var(--line-strong)",
  },
  ".cm-tooltip": {
    backgroundColor: "var(--raised)",
    color: "var(--text)",
    border: "1px solid var(--line)",
  },
  ".cm-diagnostic": { fontFamily: "var(--mono)", fontSize: "12px", whiteSpace: "pre-wrap" },
  // In place of pictures at data: addresses, which the page's policy forbids.
  ".cm-lint-marker": { width: "0.6em", height: "0.6em", margin: "0.45em 0 0 0.2em", borderRadius: "50%" },
  ".cm-lint-marker-error": { content: "none", backgroundColor: "var(--bad)" },
  ".cm-lint-marker-warning": { content: "none", backgroundColor: "var(--warn)" },
  ".cm-lint-marker-info": { content: "none", backgroundColor: "var(--info)" },
  ".cm-lintRange": { backgroundImage: "none !important" },
  ".cm-lintRange-error": { textDecoration: "underline wavy var(--bad)" },
  ".cm-lintRange-warning": { textDecoration: "underline wavy var(--warn)" },
  ".cm-lintRange-info": { textDecoration: "underline dotted var(--info)" },
  ".cm-specialChar": { color: "var(--bad)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp, tags.character], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.escape], color: "var(--code-number)" },
  { tag: [tags.comment, tags.meta], color: "var(--code-comment)", fontStyle: "italic" },
  {
    tag: [
      tags.function(tags.variableName),
      tags.function(tags.definition(tags.variableName)),
      tags.macroName,
    ],
    color: "var(--code-name)",
  },
  {
    tag: [tags.typeName, tags.className, tags.namespace, tags.processingInstruction],
    color: "var(--code-type)",
  },
  { tag: tags.invalid, color: "var(--bad)" },
]);

interface Props {
  text: Signal<string>;
  /** The name of the file that is edited, by which its grammar is chosen. */
  file: string;
  onRun(): void;
  /** Gets the editor once it is there. */
  onReady(handle: EditorHandle): void;
}

/**
 * The editor of the source. It stands in a shadow root: there CodeMirror's styles are constructed style
 * sheets, which the page's policy allows.
 */
export function Editor({ text, file, onRun, onReady }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const grammar = useRef(new Compartment()).current;
  const latest = useRef(onRun);
  latest.current = onRun;
  useEffect(() => {
    if (!host.current) return;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open", delegatesFocus: true });
    const editor = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: text.peek(),
        extensions: extensions(text, grammar, () => latest.current()),
      }),
    });
    view.current = editor;
    onReady(handleOf(editor));
    const stop = effect(() => {
      const to = text.value;
      const now = editor.state.doc.toString();
      if (to !== now) editor.dispatch({ changes: { from: 0, to: now.length, insert: to } });
    });
    return () => {
      stop();
      editor.destroy();
      root.replaceChildren();
    };
  }, []);
  useEffect(() => {
    let stale = false;
    void grammarOf(file).then((g) => {
      if (!stale)
        view.current?.dispatch({ effects: grammar.reconfigure([g.extension, indentUnit.of(g.indent)]) });
    });
    return () => {
      stale = true;
    };
  }, [file, grammar]);
  return <div class="editor" ref={host} />;
}

function extensions(text: Signal<string>, grammar: Compartment, run: () => void) {
  return [
    // Over what CodeMirror does itself with this key.
    Prec.highest(
      keymap.of([
        {
          key: "Mod-Enter",
          run: () => {
            run();
            return true;
          },
        },
      ]),
    ),
    lineNumbers(),
    lintGutter(),
    highlightActiveLineGutter(),
    highlightActiveLine(),
    highlightSpecialChars({ specialChars: unseen }),
    history(),
    drawSelection(),
    EditorState.allowMultipleSelections.of(true),
    indentOnInput(),
    bracketMatching(),
    closeBrackets(),
    highlightSelectionMatches(),
    syntaxHighlighting(colours),
    theme,
    grammar.of([]),
    keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, indentWithTab]),
    EditorView.contentAttributes.of({
      "aria-label": "Source code. Tab indents; press Escape, then Tab, to leave.",
      spellcheck: "false",
      autocapitalize: "off",
    }),
    EditorView.domEventHandlers({ beforeinput: replaceSelected }),
    EditorView.updateListener.of((u) => {
      if (u.docChanged) text.value = u.state.doc.toString();
    }),
  ];
}

/**
 * Types over selected text. A browser that does it writes styles into the lines that it joins, which the
 * page's policy refuses with a message.
 */
function replaceSelected(e: InputEvent, view: EditorView): boolean {
  const { from, to, empty } = view.state.selection.main;
  const text = e.data;
  if (e.inputType !== "insertText" || text === null || empty || view.composing) return false;
  const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: "input.type" });
  const handled = view.state.facet(EditorView.inputHandler).some((h) => h(view, from, to, text, insert));
  if (!handled) view.dispatch(insert());
  return true;
}

function handleOf(editor: EditorView): EditorHandle {
  const place = (line: number, column = 1) => {
    const l = editor.state.doc.line(Math.min(Math.max(1, line), editor.state.doc.lines));
    const from = Math.min(l.from + Math.max(0, column - 1), l.to);
    return { from, to: column > 1 ? (editor.state.wordAt(from)?.to ?? Math.min(from + 1, l.to)) : l.to };
  };
  return {
    jump: (line, column) => {
      const { from } = place(line, column);
      editor.dispatch({
        selection: { anchor: from },
        effects: EditorView.scrollIntoView(from, { y: "center" }),
      });
      editor.focus();
    },
    mark: (marks) => {
      const diagnostics = marks.map(
        (m): Diagnostic => ({ ...place(m.line, m.column), severity: m.severity, message: m.message }),
      );
      editor.dispatch(setDiagnostics(editor.state, diagnostics));
    },
  };
}
