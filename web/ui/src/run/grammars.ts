import { type LanguageSupport, StreamLanguage, type StreamParser } from "@codemirror/language";
import type { Extension } from "@codemirror/state";

/** How a language is highlighted and indented. */
export interface Grammar {
  extension: Extension;
  /** One step of indentation. */
  indent: string;
}

const legacy = async (parser: Promise<StreamParser<unknown>>): Promise<Extension> =>
  StreamLanguage.define(await parser);
const whole = async (support: Promise<LanguageSupport>): Promise<Extension> => support;

const cpp = () => whole(import("@codemirror/lang-cpp").then((m) => m.cpp()));
const clike = (name: "csharp" | "kotlin" | "scala" | "dart" | "objectiveC") =>
  legacy(import("@codemirror/legacy-modes/mode/clike").then((m) => m[name]));
const shell = () => legacy(import("@codemirror/legacy-modes/mode/shell").then((m) => m.shell));
const script = (typescript: boolean) => () =>
  whole(import("@codemirror/lang-javascript").then((m) => m.javascript({ typescript })));

/** Grammars by the extension of a source file: the catalogue of languages is open. Each is loaded when needed. */
const grammars: Record<string, () => Promise<Extension>> = {
  py: () => whole(import("@codemirror/lang-python").then((m) => m.python())),
  c: cpp,
  h: cpp,
  cc: cpp,
  cpp,
  cxx: cpp,
  java: () => whole(import("@codemirror/lang-java").then((m) => m.java())),
  rs: () => whole(import("@codemirror/lang-rust").then((m) => m.rust())),
  js: script(false),
  mjs: script(false),
  cjs: script(false),
  ts: script(true),
  go: () => whole(import("@codemirror/lang-go").then((m) => m.go())),
  php: () => whole(import("@codemirror/lang-php").then((m) => m.php())),
  sh: shell,
  bash: shell,
  cs: () => clike("csharp"),
  kt: () => clike("kotlin"),
  scala: () => clike("scala"),
  dart: () => clike("dart"),
  m: () => clike("objectiveC"),
  rb: () => legacy(import("@codemirror/legacy-modes/mode/ruby").then((m) => m.ruby)),
  lua: () => legacy(import("@codemirror/legacy-modes/mode/lua").then((m) => m.lua)),
  pl: () => legacy(import("@codemirror/legacy-modes/mode/perl").then((m) => m.perl)),
  hs: () => legacy(import("@codemirror/legacy-modes/mode/haskell").then((m) => m.haskell)),
  swift: () => legacy(import("@codemirror/legacy-modes/mode/swift").then((m) => m.swift)),
  pas: () => legacy(import("@codemirror/legacy-modes/mode/pascal").then((m) => m.pascal)),
  r: () => legacy(import("@codemirror/legacy-modes/mode/r").then((m) => m.r)),
  jl: () => legacy(import("@codemirror/legacy-modes/mode/julia").then((m) => m.julia)),
  ml: () => legacy(import("@codemirror/legacy-modes/mode/mllike").then((m) => m.oCaml)),
  fs: () => legacy(import("@codemirror/legacy-modes/mode/mllike").then((m) => m.fSharp)),
  erl: () => legacy(import("@codemirror/legacy-modes/mode/erlang").then((m) => m.erlang)),
  clj: () => legacy(import("@codemirror/legacy-modes/mode/clojure").then((m) => m.clojure)),
  lisp: () => legacy(import("@codemirror/legacy-modes/mode/commonlisp").then((m) => m.commonLisp)),
  f90: () => legacy(import("@codemirror/legacy-modes/mode/fortran").then((m) => m.fortran)),
  d: () => legacy(import("@codemirror/legacy-modes/mode/d").then((m) => m.d)),
  tcl: () => legacy(import("@codemirror/legacy-modes/mode/tcl").then((m) => m.tcl)),
  groovy: () => legacy(import("@codemirror/legacy-modes/mode/groovy").then((m) => m.groovy)),
  sql: () => legacy(import("@codemirror/legacy-modes/mode/sql").then((m) => m.standardSQL)),
};

const twoSpaces = new Set([
  "js",
  "mjs",
  "cjs",
  "ts",
  "rb",
  "lua",
  "c",
  "h",
  "cc",
  "cpp",
  "cxx",
  "sh",
  "bash",
]);

/** Gives the grammar of a source file's language; of an unknown one, plain text. */
export async function grammarOf(file: string): Promise<Grammar> {
  const extension = file.slice(file.lastIndexOf(".") + 1).toLowerCase();
  const load = Object.hasOwn(grammars, extension) ? grammars[extension] : undefined;
  return {
    // Where the server is away just now the source is edited as plain text.
    extension: load ? await load().catch(() => []) : [],
    indent: extension === "go" ? "\t" : twoSpaces.has(extension) ? "  " : "    ",
  };
}
