import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

export interface Tab<T extends string> {
  name: T;
  title: ComponentChildren;
}

/** Tabs over panels of which one is shown; the arrow keys go from one to the next. */
export function Tabs<T extends string>(props: {
  label: string;
  tabs: readonly Tab<T>[];
  chosen: T;
  choose(name: T): void;
  /** What a tab's panel is called, for {@link TabPanel}. */
  id: string;
}) {
  const { tabs, chosen, choose, id } = props;
  const step = (e: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    const ends = { Home: 0, End: tabs.length - 1 }[e.key];
    if (by === undefined && ends === undefined) return;
    e.preventDefault();
    const now = tabs.findIndex((t) => t.name === chosen);
    const next = tabs[ends ?? (now + (by ?? 0) + tabs.length) % tabs.length];
    if (!next) return;
    choose(next.name);
    document.getElementById(`${id}-tab-${next.name}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={props.label} onKeyDown={step}>
      {tabs.map((t) => (
        <button
          key={t.name}
          type="button"
          role="tab"
          id={`${id}-tab-${t.name}`}
          aria-controls={`${id}-panel-${t.name}`}
          aria-selected={t.name === chosen}
          tabIndex={t.name === chosen ? 0 : -1}
          onClick={() => choose(t.name)}
        >
          {t.title}
        </button>
      ))}
    </div>
  );
}

/** A panel of {@link Tabs}; one that is not shown stays as it is. */
export function TabPanel(props: {
  id: string;
  name: string;
  chosen: string;
  class?: string;
  children: ComponentChildren;
}) {
  const { id, name, chosen } = props;
  return (
    <div
      class={props.class ?? ""}
      role="tabpanel"
      id={`${id}-panel-${name}`}
      aria-labelledby={`${id}-tab-${name}`}
      hidden={name !== chosen}
    >
      {props.children}
    </div>
  );
}

/** A field with its label over it. */
export function Field(props: { label: string; hint?: string; children(id: string): ComponentChildren }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>
        {props.label} {props.hint ? <span class="muted">({props.hint})</span> : null}
      </label>
      {props.children(id)}
    </div>
  );
}
