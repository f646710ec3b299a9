/** What a program reads or writes: text, or bytes that are no UTF-8. */
export type Content = string | Uint8Array<ArrayBuffer>;

/** Gives bytes as text where they are UTF-8, else as they are. */
export function contentOf(bytes: Uint8Array<ArrayBuffer>): Content {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return bytes;
  }
}

export function bytesOf(c: Content): Uint8Array<ArrayBuffer> {
  return typeof c === "string" ? new TextEncoder().encode(c) : c;
}

/** How many bytes it has in UTF-8. */
export function sizeOf(c: Content): number {
  if (typeof c !== "string") return c.length;
  let n = c.length;
  for (let i = 0; i < c.length; i++) {
    const unit = c.charCodeAt(i);
    if (unit < 0x80 || isLow(unit)) continue;
    // A pair of surrogates has four bytes, and a lone one stands for one: see outputText.
    if (isHigh(unit) && isLow(c.charCodeAt(i + 1))) n += 2;
    else n += unit > 0x7ff ? 2 : 1;
  }
  return n;
}

/** Gives a place to cut a text at: the index, or the one before where it would part a character. */
export function cutAt(text: string, index: number): number {
  return isHigh(text.charCodeAt(index - 1)) && isLow(text.charCodeAt(index)) ? index - 1 : index;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

/** Throws where the text is no base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/**
 * Gives output of the API, which is base64 where it is no UTF-8, as text. A byte that belongs to no
 * character becomes the lone surrogate U+DC00 + byte, which no UTF-8 holds: see visible.ts.
 */
export function outputText(text: string, encoding: string | undefined): string {
  return encoding === "base64" ? lossless(fromBase64(text)) : text;
}

/** Gives the bytes of a text of {@link outputText}, as parts of a file. */
export function exactly(text: string): (string | Uint8Array<ArrayBuffer>)[] {
  const parts: (string | Uint8Array<ArrayBuffer>)[] = [];
  let start = 0;
  for (const m of text.matchAll(/[\udc80-\udcff]+/gu)) {
    parts.push(
      text.slice(start, m.index),
      Uint8Array.from(m[0], (c) => c.charCodeAt(0) - 0xdc00),
    );
    start = m.index + m[0].length;
  }
  return [...parts, text.slice(start)];
}

function lossless(bytes: Uint8Array<ArrayBuffer>): string {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let text = "";
  let start = 0;
  const flush = (end: number) => {
    if (end > start) text += strict.decode(bytes.subarray(start, end));
  };
  for (let i = 0; i < bytes.length; ) {
    const n = sequence(bytes, i);
    if (n > 0) {
      i += n;
      continue;
    }
    flush(i);
    text += String.fromCharCode(0xdc00 + (bytes[i] ?? 0));
    start = ++i;
  }
  flush(bytes.length);
  return text;
}

/** Gives the length of the well-formed UTF-8 sequence at i (RFC 3629), or 0. */
function sequence(bytes: Uint8Array, i: number): number {
  const a = bytes[i] ?? 0;
  if (a < 0x80) return 1;
  const b = bytes[i + 1] ?? 0;
  if (a >= 0xc2 && a <= 0xdf) return tail(b) ? 2 : 0;
  const c = bytes[i + 2] ?? 0;
  if (a >= 0xe0 && a <= 0xef) {
    const low = a === 0xe0 ? 0xa0 : 0x80;
    const high = a === 0xed ? 0x9f : 0xbf;
    return b >= low && b <= high && tail(c) ? 3 : 0;
  }
  if (a >= 0xf0 && a <= 0xf4) {
    const low = a === 0xf0 ? 0x90 : 0x80;
    const high = a === 0xf4 ? 0x8f : 0xbf;
    return b >= low && b <= high && tail(c) && tail(bytes[i + 3] ?? 0) ? 4 : 0;
  }
  return 0;
}

function tail(b: number): boolean {
  return b >= 0x80 && b <= 0xbf;
}
