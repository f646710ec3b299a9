import { useComputed, useSignal } from "@preact/signals";
import type { ComponentChildren, ComponentType } from "preact";
import { useEffect, useErrorBoundary } from "preact/hooks";
import { AccessButton, AccessDialog } from "./access";
import { base } from "./api/client";
import { health } from "./api/health";
import { href, type Route, route } from "./router";
import { Button, ErrorNote, Loading } from "./shared/basics";
import { nextTheme, theme } from "./theme";
import { views } from "./views";

export function App() {
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the content
      </button>
      <Header />
      <main id="main" tabIndex={-1}>
        <Outlet />
      </main>
      <AccessDialog />
    </>
  );
}

function Header() {
  const view = useComputed(() => route.value.view).value;
  return (
    <header class="shell">
      <a class="brand" href={href("run")} aria-label="Optimus, start">
        <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
          <rect width="32" height="32" rx="8" class="brand-box" />
          <path d="M9 10l6 6-6 6M18 22h6" class="brand-mark" />
        </svg>
        <span>Optimus</span>
      </a>
      <nav aria-label="Views">
        {Object.entries(views).map(([name, v]) =>
          v.aside ? null : (
            <a key={name} href={href(name)} aria-current={name === view ? "page" : undefined}>
              {v.title}
            </a>
          ),
        )}
        <a href={`${base}docs`} class="out">
          API <span class="wide-only">reference</span>
        </a>
      </nav>
      <div class="tools">
        <Status />
        <AccessButton />
        <ThemeButton />
      </div>
    </header>
  );
}

function Status() {
  const h = health.value;
  const state = h?.state ?? "asking";
  const text = { ready: "Ready", "not ready": "Not ready", unreachable: "Unreachable", asking: "…" }[state];
  return (
    <span class="status" data-state={state} role="status" title={h?.reasons.join("\n") || h?.version}>
      <span class="dot" aria-hidden="true" />
      <span class="wide-only" aria-hidden="true">
        {text}
      </span>
      <span class="hidden">Server: {[text, ...(h?.reasons ?? [])].join(". ")}</span>
    </span>
  );
}

function ThemeButton() {
  const now = theme.value;
  const shapes = { system: "◐", light: "☀", dark: "☾" };
  return (
    <Button kind="quiet" onClick={nextTheme} aria-label={`Colours: ${now}. Change`} title={`Colours: ${now}`}>
      <span aria-hidden="true">{shapes[now]}</span>
    </Button>
  );
}

/** Shows the route's view, whose code may have to be loaded first. */
function Outlet() {
  const name = useComputed(() => route.value.view).value;
  const loaded = useSignal<{ name: string; View: ComponentType<{ route: Route }> } | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const entry = Object.hasOwn(views, name) ? views[name] : undefined;
  useEffect(() => {
    let stale = false;
    error.value = undefined;
    document.title = `${entry?.title ?? "Not found"} · Optimus`;
    entry?.load().then(
      ({ View }) => {
        if (!stale) loaded.value = { name, View };
      },
      () => {
        // What the browser says names files of ours, and not what is to be done.
        if (!stale)
          error.value = new Error(
            "This view could not be loaded: the server cannot be reached, or is a newer one.",
          );
      },
    );
    return () => {
      stale = true;
    };
  }, [name, entry, error, loaded]);
  if (!entry) {
    return (
      <div class="page">
        <h1>There is no such page</h1>
        <p>
          <a href={href("run")}>Run a program</a> instead.
        </p>
      </div>
    );
  }
  if (error.value !== undefined) {
    return (
      <div class="page">
        <ErrorNote error={error.value} retry={() => location.reload()} />
      </div>
    );
  }
  if (loaded.value?.name !== name) {
    return (
      <div class="page">
        <Loading />
      </div>
    );
  }
  const View = loaded.value.View;
  return (
    <Guard key={name} path={route.value.path.join("/")}>
      <View route={route.value} />
    </Guard>
  );
}

/** Stands in for a view that has broken, as over an answer that no server of ours gives: the rest goes on. */
function Guard({ path, children }: { path: string; children: ComponentChildren }) {
  const [error, reset] = useErrorBoundary();
  useEffect(() => {
    if (error !== undefined) reset();
  }, [path]);
  if (error === undefined) return <>{children}</>;
  const why = error instanceof Error ? error.message : String(error);
  return (
    <div class="page">
      <ErrorNote error={new Error(`This view could not be shown: ${why}`)} retry={() => location.reload()} />
    </div>
  );
}
