import { effect, signal } from "@preact/signals";
import { pageStore } from "./storage";

export type Theme = "system" | "light" | "dark";
const slot = "optimus.theme";
const themes: readonly Theme[] = ["system", "light", "dark"];

/** The colours that the user wants; "system" follows the browser. */
export const theme = signal<Theme>(stored());

function stored(): Theme {
  const text = pageStore.get(slot);
  return themes.find((t) => t === text) ?? "system";
}

const preferred = matchMedia("(prefers-color-scheme: dark)");

/** Whether it is dark now. */
export const dark = signal(preferred.matches);

export function followTheme(): void {
  const apply = () => {
    dark.value = theme.value === "system" ? preferred.matches : theme.value === "dark";
    document.documentElement.dataset.theme = dark.value ? "dark" : "light";
  };
  effect(apply);
  preferred.addEventListener("change", apply);
}

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? "system";
  pageStore.set(slot, theme.value);
}
