/** A piece of a program's output: text, or characters that show nothing or change what is shown. */
export interface Piece {
  text: string;
  /** What it is, in words; undefined for plain text. */
  hidden?: string;
}

/**
 * What is no plain text: controls, characters that turn the direction of text, that have no width or nothing
 * to see, or that break lines unseen; the lone surrogates that stand for bytes: see content.ts; what chooses a
 * form of a character that is no emoji; and the marks on a character beyond the sixth, which would cover the
 * lines around it.
 */
export const unseen =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff\ufff9-\ufffb]|(?![\ufe0e\ufe0f])\p{Default_Ignorable_Code_Point}|[\ufe0e\ufe0f](?<!\p{Emoji}.)|\p{M}(?<=\p{M}{7})/gu;

/** How many of one kind are named one by one; of more, one is named with their number. */
const longestRun = 8;

/**
 * Splits output into what can be shown as it is and what must be named, so that a program can neither hide
 * text nor make it look like other text. At most most pieces are named one by one; after them they are
 * named within the text.
 */
export function visible(text: string, most = 2000): Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  let named = 0;
  let run = 0;
  for (const m of text.matchAll(unseen)) {
    if (named === most) break;
    if (m.index > start) pieces.push({ text: text.slice(start, m.index) });
    const last = pieces.at(-1);
    const sign = signOf(m[0]);
    if (last?.hidden === sign.hidden && m.index === start) {
      run++;
      last.text = run > longestRun ? `${sign.text}×${run}` : last.text + sign.text;
    } else {
      pieces.push(sign);
      named++;
      run = 1;
    }
    start = m.index + m[0].length;
  }
  const rest = text.slice(start);
  if (rest) pieces.push({ text: named < most ? rest : rest.replace(unseen, (c) => signOf(c).text) });
  return pieces;
}

/** Gives a character's number as Unicode writes it, such as U+00A0. */
export function codePoint(c: string): string {
  return `U+${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
}

function signOf(c: string): Required<Piece> {
  const code = c.codePointAt(0) ?? 0;
  if (code >= 0xdc00 && code <= 0xdcff) {
    const byte = (code - 0xdc00).toString(16).toUpperCase().padStart(2, "0");
    return { text: `\\x${byte}`, hidden: `byte 0x${byte}, no UTF-8` };
  }
  const name = codePoint(c);
  if (code < 0x20)
    return { text: String.fromCharCode(0x2400 + code), hidden: `${name}, a control character` };
  if (code === 0x7f) return { text: "\u2421", hidden: `${name}, a control character` };
  const why =
    /\p{M}/u.test(c) && !/\p{Default_Ignorable_Code_Point}/u.test(c) ? "one mark too many" : "unseen";
  return { text: `⟨${name}⟩`, hidden: `${name}, ${why}` };
}
