import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test as base, expect, type Page } from "@playwright/test";
import { Server } from "./server";

export { expect } from "@playwright/test";
export { Server } from "./server";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * Tests of the page. `server` judges python and cpp, and is shared by the tests of a worker; `page` opens
 * on it, and fails the test where the page throws, or breaks its own policy.
 */
export const test = base.extend<{ clean: undefined; baseURL: string }, { server: Server }>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
    async ({}, use) => {
      const server = await Server.make({ images: ["python", "cpp"] });
      await use(server);
      await server.remove();
    },
    { scope: "worker", timeout: 300_000 },
  ],
  baseURL: async ({ server }, use) => use(server.url),
  clean: [
    async ({ page }, use) => {
      const faults = watch(page);
      await use(undefined);
      expect(faults).toEqual([]);
    },
    { auto: true },
  ],
});

/** Collects what a page should never say; that a request has failed is for the test to expect. */
export function watch(page: Page): string[] {
  const faults: string[] = [];
  page.on("pageerror", (e) => faults.push(String(e)));
  page.on("console", (m) => {
    const expected = /^Failed to load resource|net::ERR_/.test(m.text());
    if (m.type() === "error" && !expected) faults.push(m.text());
  });
  return faults;
}

/** Looks for what hinders people with a screen reader, bad eyes or a keyboard alone; WCAG 2.2 AA and more. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const run = (globalThis as unknown as { axe: { run(o: object): Promise<AxeResults> } }).axe.run;
    const results = await run({ resultTypes: ["violations"] });
    return results.violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).join(" | ")}`);
  });
  expect(found).toEqual([]);
}

interface AxeResults {
  violations: { id: string; help: string; nodes: { html: string }[] }[];
}

/** Sets the page's colours, as its switch does. */
export async function setTheme(page: Page, theme: "light" | "dark"): Promise<void> {
  await page.emulateMedia({ colorScheme: theme });
  await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
}
