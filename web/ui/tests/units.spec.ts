import { expect, test } from "@playwright/test";
import { readEvents } from "../src/api/sse";
import { contentOf, cutAt, exactly, fromBase64, outputText, sizeOf, toBase64 } from "../src/run/content";
import { diffLines, fold } from "../src/run/diff";
import { pairUp } from "../src/run/files";
import { milliseconds } from "../src/shared/format";
import { visible } from "../src/shared/visible";

/** Numbers of a fixed sequence, the same in each run. */
function sequence(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return Math.floor((x / 2 ** 32) * below);
  };
}

test("a difference leads from the one text to the other, and is no longer than need be", () => {
  const next = sequence(7);
  for (let round = 0; round < 300; round++) {
    const make = () =>
      Array.from({ length: next(12) }, () => `${"abc"[next(3)]}\n`).join("") + (next(2) ? "x" : "");
    const [a, b] = [make(), make()];
    const { lines } = diffLines(a, b);
    const side = (not: string) =>
      lines
        .filter((l) => l.kind !== not)
        .map((l) => l.text)
        .join("");
    expect(side("actual")).toBe(a);
    expect(side("expected")).toBe(b);
    const same = lines.filter((l) => l.kind === "same").length;
    expect(same).toBe(commonLength(a.match(/[^\n]*\n|[^\n]+$/g) ?? [], b.match(/[^\n]*\n|[^\n]+$/g) ?? []));
  }
});

/** The longest common subsequence, by the textbook's table. */
function commonLength(a: string[], b: string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const x of a) {
    const next = [0];
    for (const [j, y] of b.entries()) {
      next.push(x === y ? (row[j] ?? 0) + 1 : Math.max(next[j] ?? 0, row[j + 1] ?? 0));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

test("outputs that have nothing in common are compared too, and long ones up to a bound", () => {
  const a = Array.from({ length: 3000 }, (_, i) => `a${i}\n`).join("");
  const b = Array.from({ length: 3000 }, (_, i) => `b${i}\n`).join("");
  expect(diffLines(a, b).lines).toHaveLength(6000);
  const { lines, cut } = diffLines("x\n".repeat(30_000), `${"x\n".repeat(30_000)}y`);
  expect(cut).toBe(true);
  expect(fold(lines)).toEqual([{ kind: "fold", lines: 20_000 }]);
});

test("bytes come through base64, and those that are no UTF-8 are told apart", () => {
  const next = sequence(11);
  for (let round = 0; round < 500; round++) {
    const bytes = Uint8Array.from({ length: next(40) }, () => (next(3) ? next(256) : 0x80 + next(0x80)));
    expect(fromBase64(toBase64(bytes))).toEqual(bytes);
    const text = outputText(toBase64(bytes), "base64");
    // Back again: a lone surrogate is its byte.
    const parts = Array.from(text, (c) => {
      const code = c.codePointAt(0) ?? 0;
      return code >= 0xdc00 && code <= 0xdcff ? [code - 0xdc00] : [...new TextEncoder().encode(c)];
    });
    expect(Uint8Array.from(parts.flat())).toEqual(bytes);
    expect(sizeOf(text)).toBe(bytes.length);
    const saved = exactly(text).flatMap((p) => [
      ...(typeof p === "string" ? new TextEncoder().encode(p) : p),
    ]);
    expect(Uint8Array.from(saved)).toEqual(bytes);
  }
  expect(typeof contentOf(Uint8Array.of(0xff))).toBe("object");
  for (const s of ["", "abc", "é", "✓", "😀", "a✓😀"])
    expect(sizeOf(s)).toBe(new TextEncoder().encode(s).length);
});

test("what is named in an output is bounded, and nothing is lost", () => {
  const many = visible("\x1ba".repeat(10_000));
  expect(many.length).toBeLessThan(4100);
  expect(many.map((p) => p.text).join("")).toBe("␛a".repeat(10_000));
  expect(visible("\0".repeat(100_000))).toHaveLength(1);
  expect(visible("\xa0\0".repeat(8) + "\0".repeat(8)).at(-1)?.text).toBe("␀×9");
  expect(visible("plain\n\ttext ✓ 😀 עברית")).toEqual([{ text: "plain\n\ttext ✓ 😀 עברית" }]);
});

test("what chooses forms, joins or piles up unseen is named; emoji and accents are not", () => {
  const shown = (text: string) =>
    visible(text)
      .map((p) => p.text)
      .join("");
  expect(shown("a\ufe00b\u{e0101}c\u034fd\u180be\ufe0ff")).toBe(
    "a⟨U+FE00⟩b⟨U+E0101⟩c⟨U+034F⟩d⟨U+180B⟩e⟨U+FE0F⟩f",
  );
  const plain = "❤\ufe0f 1\ufe0f\u20e3 e\u0301 נִקּוּד ที่ กำ";
  expect(visible(plain)).toEqual([{ text: plain }]);
  expect(shown(`z${"\u0301".repeat(300)}!`)).toBe(`z${"\u0301".repeat(6)}⟨U+0301⟩×294!`);
});

test("a difference begins and ends between characters", () => {
  const changed = (a: string, b: string) =>
    diffLines(a, b).lines.map((l) => l.text.slice(...(l.changed ?? [0])));
  expect(changed("ok 😀!", "ok 😁!")).toEqual(["😀", "😁"]);
  expect(changed("𐀀x", "𐐀x")).toEqual(["𐀀", "𐐀"]); // of the same second half
  expect(changed("a😀", "a")).toEqual(["😀", ""]);
  expect(changed("😀", "😀😀")).toEqual(["", "😀"]);
  for (const at of [0, 1, 2, 3, 4]) expect(cutAt("a😀b", at)).toBe(at === 2 ? 1 : at);
});

test("times of more than a minute are said in whole seconds below sixty", () => {
  expect([59_000, 60_000, 119_700, 120_000].map(milliseconds)).toEqual([
    "59 s",
    "1 min 0 s",
    "2 min 0 s",
    "2 min 0 s",
  ]);
});

test("files are paired by all the names that are in use", () => {
  const names = (...paths: string[]) =>
    pairUp(
      paths.map((path) => ({ path, bytes: new TextEncoder().encode(path) })),
      100,
    ).tests.map((t) => [t.id, t.input, t.expected]);
  expect(names("a/10.in", "a/10.out", "a/9.in", "a/9.out")).toEqual([
    ["9", "a/9.in", "a/9.out"],
    ["10", "a/10.in", "a/10.out"],
  ]);
  expect(names("input2.txt", "output2.txt")).toEqual([["2", "input2.txt", "output2.txt"]]);
  expect(names("in/01.txt", "out/01.txt", "in/02.txt", "out/02.txt").map(([id]) => id)).toEqual(["01", "02"]);
  expect(names("x.in", "x.ans", "y.in").map(([id, , e]) => [id, e])).toEqual([
    ["x", "x.ans"],
    ["y", undefined],
  ]);
  expect(names("s1/1.in", "s1/1.out", "s2/1.in", "s2/1.out").map(([id]) => id)).toEqual(["", ""]);
  expect(() => names("lone.out")).toThrow("no tests");
});

test("events are read however the stream is cut", async () => {
  const text =
    ': hello\n\nid: 1\nevent: state\ndata: {"a":"✓"}\n\nid: 2\r\ndata: x\ndata: y\n\nid: 3\ndata: unfinished';
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size < 20; size++) {
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(control) {
        for (let at = 0; at < bytes.length; at += size) control.enqueue(bytes.slice(at, at + size));
        control.close();
      },
    });
    const events = [];
    for await (const e of readEvents(stream)) events.push(e);
    expect(events).toEqual([
      { id: "1", event: "state", data: '{"a":"✓"}' },
      { id: "2", event: "message", data: "x\ny" },
    ]);
  }
  const endless = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (control) => control.enqueue(new Uint8Array(1000).fill(0x61)),
  });
  await expect(readEvents(endless, 10_000).next()).rejects.toThrow("too long");
  const lines = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull: (control) => control.enqueue(new TextEncoder().encode("data: and on\n")),
  });
  await expect(readEvents(lines, 10_000).next()).rejects.toThrow("too long");
});

test("a stream that has gone silent is given up, so that it is begun again", async () => {
  let cancelled = false;
  const silent = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (control) => control.enqueue(new TextEncoder().encode("id: 1\ndata: x\n\n: comment\n")),
    cancel: () => {
      cancelled = true;
    },
  });
  const events = readEvents(silent, 10_000, 100);
  expect((await events.next()).value).toEqual({ id: "1", event: "message", data: "x" });
  await expect(events.next()).rejects.toThrow("nothing for too long");
  expect(cancelled).toBe(true);
});
