import type { Page } from "@playwright/test";
import { expect, test } from "./fixtures";
import { expectVerdict, packed, packedText, source } from "./run";

// What comes from elsewhere than a program: answers of a proxy between, addresses and links.

/** Opens a page of which a test expects that it says what has failed. */
async function outspoken(page: Page): Promise<Page> {
  const other = await page.context().newPage();
  await other.goto("/");
  await expect(source(other)).toBeVisible();
  return other;
}

const evil = {
  type: "script",
  props: { dangerouslySetInnerHTML: { __html: "document.title=1" } },
  key: null,
};

test("an answer that is no problem of ours is told by its status", async ({ page }) => {
  for (const body of [
    { title: evil, status: "422", code: 1, errors: "none" },
    { title: "x", status: 422, code: "x", errors: { length: 1 } },
    { title: "x", status: 422, code: "x", errors: [{ detail: evil }] },
    { title: "x", status: 422, code: "x", detail: evil },
    [1],
    null,
  ]) {
    await page.route("**/v1/jobs?*", (route) => route.fulfill({ status: 502, json: body }));
    await page.goto("about:blank");
    await page.goto("/#/jobs");
    await expect(page.getByRole("alert")).toContainText("The server answered with status 502");
  }
  await page.unroute("**/v1/jobs?*");
  const text = "<img src=x onerror=document.title=1>";
  const problem = { title: text, status: 422, code: text, detail: text, errors: [{ detail: text }] };
  await page.route("**/v1/jobs?*", (route) => route.fulfill({ status: 422, json: problem }));
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("alert").getByRole("listitem")).toHaveText(text);
  await expect(page.locator("main img")).toHaveCount(0);
});

test("an answer that cannot be shown takes down its view alone", async ({ page }) => {
  const other = await outspoken(page);
  await other.route("**/v1/jobs?*", (route) => route.fulfill({ json: { jobs: [{ created_at: {} }] } }));
  await other.route("**/v1/workers", (route) =>
    route.fulfill({ json: { workers: [{ name: evil, lanes: 7, seen_at: "never" }] } }),
  );
  for (const view of ["Jobs", "Cluster"]) {
    await other.getByRole("link", { name: view, exact: true }).click();
    await expect(other.getByRole("alert")).toContainText("This view could not be shown");
  }
  await other.unroute("**/v1/jobs?*");
  await other.getByRole("link", { name: "Jobs", exact: true }).click();
  await expect(other.getByRole("heading", { name: "Jobs", level: 1 })).toBeVisible();
  await other.getByRole("link", { name: "Run", exact: true }).click();
  await expect(source(other)).toBeVisible();
  await other.keyboard.press("Control+Enter");
  await expectVerdict(other, "Accepted");
  await other.close();
});

test("addresses named like parts of every object are no views", async ({ page }) => {
  for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
    await page.goto(`/#/${name}`);
    await expect(page.getByRole("heading", { name: "There is no such page" })).toBeVisible();
    await page.goto(`/#/jobs?time=${name}&state=${name}`);
    await expect(page.getByRole("heading", { name: "Jobs", level: 1 })).toBeVisible();
    await expect(page.getByLabel("Made", { exact: true })).toHaveValue("");
  }
});

test("links of an attacker change nothing but the form", async ({ page }) => {
  const pollution =
    '{"language":"python","source_code":"print(1)","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},' +
    '"limits":{"cpu_ms":1000},"tests":[{"__proto__":{"polluted":1},"id":"__proto__","input":"x","checker":{"kind":"float","__proto__":{"polluted":1}}}]}';
  await page.goto(`/#/run?s=${packedText(pollution)}`);
  await expect(page.getByText("Opened from a link.")).toBeVisible();
  expect(await page.evaluate(() => "polluted" in {})).toBe(false);
  for (const [submission, says] of [
    [{ language: "python", tests: Array.from({ length: 300_000 }, () => ({})) }, "This link holds too much"],
    [{ language: "python", stdin: "no base64!", stdin_encoding: "base64" }, "no base64"],
    [{ language: "python", labels: "none" }, "This link holds no submission"],
    // What the page would show is not to be its sender's words.
    [{ language: "Your session is over" }, "This link holds no submission"],
    [{ language: "python", limits: { "Your session is over": 1 } }, "This link holds no submission"],
    [{ language: "python", tests: [{ limits: { cpu_ms: {} } }] }, "This link holds no submission"],
    [{ language: "python", files: [{ content: "a" }, { content: "b" }] }, "It has several files"],
  ] as const) {
    await page.goto("about:blank");
    await page.goto(`/#/run?s=${packed(submission)}`);
    await expect(page.getByRole("alert")).toContainText(says);
    await expect(page).toHaveURL(/#\/run$/);
  }
  await page.getByRole("link", { name: "Jobs", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Jobs", level: 1 })).toBeVisible();
});

test("a browser that keeps nothing for the page can use it all the same", async ({ page }) => {
  await page.addInitScript(() => {
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(window, name, {
        get: () => {
          throw new DOMException("The browser keeps nothing", "SecurityError");
        },
      });
    }
  });
  await page.goto("/");
  await page.getByRole("button", { name: /^Colours/ }).click();
  await expect(page.getByText("it is lost when the page is loaded again")).toBeVisible();
  await page.keyboard.press("Control+Enter");
  await expectVerdict(page, "Accepted");
  await page.getByRole("link", { name: "Jobs", exact: true }).click();
  await expect(page.getByRole("table")).toBeVisible();
});
