/** A server-sent event, as the HTML standard defines them. */
export interface ServerEvent {
  id: string;
  event: string;
  data: string;
}

/**
 * Reads server-sent events from the body of an answer. EventSource cannot be used: it sends no headers,
 * and a key belongs in no address. The longest event that is taken is bounded, in characters, and so is how
 * long nothing may come, in milliseconds: the server sends a comment every 15 seconds, and a connection may
 * end without a word, as where a machine has slept.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  longest = 64 << 20,
  silence = 60_000,
): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const parts: string[] = [];
  let kept = 0;
  let lastID = "";
  let event = "";
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await within(silence, reader.read());
      if (done) return;
      const lines = value.split("\n");
      const rest = lines.pop() ?? "";
      for (const end of lines) {
        const line = (parts.length > 0 ? parts.join("") + end : end).replace(/\r$/, "");
        parts.length = 0;
        kept += end.length;
        if (line === "") {
          kept = 0;
          if (data.length > 0) yield { id: lastID, event: event || "message", data: data.join("\n") };
          event = "";
          data = [];
          continue;
        }
        const [name, text] = field(line);
        if (name === "data") data.push(text);
        else if (name === "event") event = text;
        else if (name === "id") lastID = text;
      }
      if (rest) parts.push(rest);
      kept += rest.length;
      if (kept > longest) throw new Error("The server sent an event that is too long.");
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Waits for something that comes within some milliseconds; an Error where it does not. */
async function within<T>(ms: number, what: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("The server has sent nothing for too long.")), ms);
  });
  try {
    return await Promise.race([what, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Splits a line into its field's name and text; a comment has no name. */
function field(line: string): [name: string, text: string] {
  const colon = line.indexOf(":");
  if (colon < 0) return [line, ""];
  const text = line.slice(colon + 1);
  return [line.slice(0, colon), text.startsWith(" ") ? text.slice(1) : text];
}
