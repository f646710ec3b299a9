import { base } from "../api/client";
import { href } from "../router";
import { self } from "../shared/self";
import { isSubmission } from "./check";
import { fromBase64, toBase64 } from "./content";
import type { Submission } from "./draft";
import { fileBounds } from "./files";

/** The longest link that is made, in characters: longer ones are cut by mail and chat programs. */
export const longestLink = 16_000;
/** The most that a link's content may be unpacked to, in bytes. */
const mostUnpacked = 4 << 20;

/** Gives a link that opens a submission in this page; it is in the fragment, which no server sees. */
export async function shareLink(s: Submission): Promise<string> {
  const packed = await packed64(JSON.stringify(s));
  const link = `${base}${href("run")}?s=${packed}`;
  if (link.length > longestLink) {
    throw new Error(
      `This is too much for a link: it would have ${link.length.toLocaleString("en-US")} characters, ` +
        `and ${longestLink.toLocaleString("en-US")} are the most that arrive everywhere. Send it as JSON instead.`,
    );
  }
  return link;
}

/** Reads what {@link shareLink} has put into a link. Errors say what is wrong with it. */
export async function readShared(packed: string): Promise<Submission> {
  let text: string;
  try {
    text = await unpacked64(packed);
  } catch (error) {
    if (error instanceof TooMuch) throw error;
    throw new Error("This link is damaged: it may have been cut off. Ask for it again.");
  }
  return checked(text);
}

class TooMuch extends Error {
  override message = "This link holds too much.";
}

async function packed64(text: string): Promise<string> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

async function unpacked64(packed: string): Promise<string> {
  const bytes = fromBase64(packed.replaceAll("-", "+").replaceAll("_", "/"));
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    if (size > mostUnpacked) {
      await reader.cancel();
      throw new TooMuch();
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Takes a link's content for a submission where it has the form of one; the server checks the rest. */
function checked(text: string): Submission {
  const wrong = new Error("This link holds no submission that this page knows.");
  let v: unknown;
  try {
    v = JSON.parse(text);
  } catch {
    throw wrong;
  }
  if (!isSubmission(v)) throw wrong;
  if ((v.tests?.length ?? 0) > fileBounds(self.peek()?.limits).tests) throw new TooMuch();
  return v;
}
