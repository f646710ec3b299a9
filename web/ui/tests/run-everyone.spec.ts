import type { Page } from "@playwright/test";
import { expect, expectAccessible, setTheme, test } from "./fixtures";
import { expectVerdict, open, output, start } from "./run";

const judged = {
  language: "python",
  source_code: "import sys\na = int(input())\nif a == 3:\n    raise ValueError(a)\nprint('got', a)\n",
  tests: [
    { input: "1", expected_output: "got 1" },
    { input: "2", expected_output: "got\t 2\nand more" },
    { input: "3", expected_output: "got 3", weight: 2 },
  ],
};

test("Run can be used by everyone, in every state, light and dark", async ({ page }) => {
  const look = async () => {
    for (const theme of ["light", "dark"] as const) {
      await setTheme(page, theme);
      await expectAccessible(page);
    }
  };
  await page.goto("/");
  await expect(page.getByText("runs the program")).toBeVisible();
  await look();
  await start(page, judged);
  await expectVerdict(page, "Runtime error");
  await look();
  await page.getByRole("button", { name: "2", exact: true }).click();
  await expect(page.getByRole("region", { name: "Difference, line by line" })).toBeVisible();
  await look();
  await page.getByRole("tab", { name: "Limits" }).click();
  await look();
  await page.getByRole("button", { name: "Share" }).click();
  await look();
  await page.getByRole("button", { name: "Export" }).click();
  await look();
  await page.keyboard.press("Escape");
  await start(page, { language: "cpp", source_code: "int main() { return x; }" });
  await expectVerdict(page, "Compile error");
  await look();
});

test("everything is done by the keyboard alone", async ({ page }) => {
  await open(page, judged);
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await tabTo(page, "Skip to the content");
  await tabTo(page, "Language");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await expect(page.getByLabel("Language")).toHaveValue("python");
  await tabTo(page, "Run");
  await page.keyboard.press("Enter");
  await expectVerdict(page, "Runtime error");
  await tabTo(page, /^Source code/);
  await page.keyboard.press("Escape");
  await tabTo(page, /^Tests/);
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("tab", { name: /^Limits/ })).toBeFocused();
  await expect(page.getByLabel("CPU time", { exact: false }).first()).toBeVisible();
  await page.keyboard.press("Home");
  await expect(page.getByRole("tab", { name: "Standard input" })).toBeFocused();
  await tabTo(page, "2");
  await page.keyboard.press("Space");
  await expect(page.getByRole("heading", { name: "Test 2" })).toBeVisible();
});

/** Presses Tab until what is focused has a name. */
async function tabTo(page: Page, name: string | RegExp): Promise<void> {
  const seen: string[] = [];
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press("Tab");
    const now = await page.evaluate(() => {
      let e = document.activeElement;
      while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
      const outlined =
        e instanceof HTMLElement &&
        (e.className.includes("cm-") || getComputedStyle(e).outlineStyle !== "none");
      return { name: (e?.getAttribute("aria-label") ?? e?.textContent ?? "").trim(), outlined };
    });
    seen.push(now.name);
    if (typeof name === "string" ? now.name === name : name.test(now.name)) {
      expect(now.outlined, `${now.name} shows that it has the focus`).toBe(true);
      return;
    }
  }
  throw new Error(`Tab leads to ${seen.join(", ")}, and not to ${name}`);
}

test("on a phone one part is shown at a time, and nothing is wider than the screen", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const fits = async () => {
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider).toBeLessThanOrEqual(0);
  };
  await open(page, judged);
  await fits();
  await expect(page.getByRole("region", { name: "Result" })).toBeHidden();
  await page.getByRole("tab", { name: "Input", exact: true }).click();
  await expect(page.getByRole("tab", { name: /^Tests/ })).toBeVisible();
  await fits();
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expectVerdict(page, "Runtime error");
  await fits();
  await page.setViewportSize({ width: 320, height: 640 });
  await fits();
  await expectAccessible(page);
  await page.getByRole("button", { name: /line 4/ }).click();
  await expect(page.locator(".cm-activeLine")).toContainText("raise ValueError(a)");
  await expect(page.getByRole("region", { name: "Result" })).toBeHidden();
});

test("who wants no motion sees none", async ({ page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await start(page, {
    language: "python",
    source_code: "import time\nprint('on', flush=True)\ntime.sleep(5)\n",
  });
  await expect(output(page, "Standard output")).toHaveText("on\n");
  const spinner = await page
    .locator(".steps li[data-at=now]")
    .evaluate((e) => getComputedStyle(e, "::after").animationName);
  expect(spinner).toBe("none");
  await page.getByRole("button", { name: "Cancel" }).click();
});

test("a server that is killed in mid-job comes back, and the page goes on", async ({ page, server }) => {
  test.slow();
  await start(page, {
    language: "python",
    source_code: "import time\nprint('begun', flush=True)\ntime.sleep(12)\nprint('done')\n",
    limits: { wall_ms: 50_000 },
  });
  await expect(output(page, "Standard output")).toHaveText("begun\n");
  await server.stop("SIGKILL");
  await expect(page.getByText("Trying again.")).toBeVisible();
  await server.start();
  await expectVerdict(page, "Accepted");
  await expect(page.getByText("Attempt 2")).toBeVisible();
  await expect(output(page, "Standard output")).toHaveText("begun\ndone\n");
});
