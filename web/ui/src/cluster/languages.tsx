import { Badge, Bytes, CopyButton, Empty } from "../shared/basics";
import { Cards } from "../shared/cards";
import type { Language } from "./data";

const order = ["available", "elsewhere", "no_worker", "missing"];

const titles: Record<Language["state"], string> = {
  available: "This server runs it",
  elsewhere: "Another worker runs it",
  no_worker: "Jobs are taken, and wait: no worker that runs it is registered",
  missing: "Jobs are refused: its image, or its containerd runtime, is not here, and no other worker runs it",
};

/** The catalogue's languages: what can be run, by which image, and how the others are had. */
export function Languages({ languages }: { languages: readonly Language[] }) {
  if (languages.length === 0) return <Empty>The catalogue has no language.</Empty>;
  const sorted = [...languages].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  return (
    <Cards
      caption="Languages and their images"
      rows={sorted}
      id={(l) => `${l.name} ${l.version}`}
      columns={[
        { head: "Language", cell: (l) => <Name of={l} /> },
        { head: "State", cell: (l) => <Badge word={l.state} title={titles[l.state]} /> },
        { head: "Image", cell: (l) => <Image of={l} /> },
        { head: "Size", cell: (l) => (l.image_bytes ? <Bytes n={l.image_bytes} /> : null), end: true },
        { head: "How to get it", cell: (l) => <HowToGet of={l} /> },
      ]}
    />
  );
}

function Name({ of }: { of: Language }) {
  return (
    <span class="two-lines">
      <strong>{of.display_name}</strong>
      <span class="muted small">
        <code>{of.name}</code>
        {of.tier === "dedicated" ? " · dedicated" : ""}
        {of.queue === "default" ? "" : ` · queue ${of.queue}`}
      </span>
    </span>
  );
}

function Image({ of }: { of: Language }) {
  return (
    <span class="two-lines">
      <code>{of.image}</code>
      {of.image_digest ? (
        <code class="muted small" title={of.image_digest}>
          {of.image_digest.slice(0, 19)}
        </code>
      ) : null}
    </span>
  );
}

function HowToGet({ of }: { of: Language }) {
  if (!of.how_to_get) return null;
  return (
    <span class="row command">
      <code>{of.how_to_get}</code>
      <CopyButton text={of.how_to_get} />
    </span>
  );
}
