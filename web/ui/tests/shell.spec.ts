import { expect, expectAccessible, Server, setTheme, test, watch } from "./fixtures";

test("the header leads through the views", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("link", { name: "Run" })).toHaveAttribute("aria-current", "page");
  await page.getByRole("link", { name: "Jobs" }).click();
  await expect(page).toHaveURL(/#\/jobs$/);
  await expect(page.getByRole("heading", { name: "Jobs", level: 1 })).toBeVisible();
  await page.getByRole("link", { name: "Cluster" }).click();
  await expect(page.getByRole("heading", { name: "Cluster", level: 1 })).toBeVisible();
  await page.goBack();
  await expect(page.getByRole("heading", { name: "Jobs", level: 1 })).toBeVisible();
  await page.goto("/#/nowhere");
  await expect(page.getByRole("heading", { name: "There is no such page" })).toBeVisible();
  await page.getByRole("link", { name: "API reference" }).click();
  await expect(page).toHaveTitle(/API reference/);
});

test("colours follow the browser, and the switch", async ({ page }) => {
  await page.goto("/");
  await setTheme(page, "dark");
  await setTheme(page, "light");
  const button = page.getByRole("button", { name: /^Colours/ });
  await button.click();
  await button.click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
});

test("the views can be used by everyone", async ({ page }) => {
  for (const view of ["jobs", "cluster"]) {
    await page.goto(`/#/${view}`);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    for (const theme of ["light", "dark"] as const) {
      await setTheme(page, theme);
      await expectAccessible(page);
    }
  }
});

test("the status says when the server is away", async ({ page }) => {
  const own = await Server.make();
  try {
    await page.goto(own.url);
    await expect(page.getByRole("status", { name: /Server/ }).or(page.locator(".status"))).toHaveAttribute(
      "data-state",
      "ready",
    );
    await own.stop();
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await expect(page.locator(".status")).toHaveAttribute("data-state", "unreachable");
    await own.start();
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await expect(page.locator(".status")).toHaveAttribute("data-state", "ready");
  } finally {
    await own.remove();
  }
});

test("a server with keys asks for one, which the tab alone keeps", async ({ page, context }) => {
  const own = await Server.make({ settings: keys });
  try {
    const requests: string[] = [];
    page.on("request", (r) => requests.push(r.url()));
    await page.goto(`${own.url}/#/jobs`);
    const dialog = page.getByRole("dialog", { name: "API key" });
    await expect(dialog).toBeVisible();
    await expectAccessible(page);
    await dialog.getByLabel("Key").fill("not-the-key");
    await page.keyboard.press("Enter");
    await expect(dialog.getByText("send a key")).toBeVisible();
    await dialog.getByLabel("Key").fill("teachers-secret-key");
    await page.keyboard.press("Enter");
    await expect(page.getByText("There are no jobs.")).toBeVisible();
    await page.reload();
    await expect(page.getByText("There are no jobs.")).toBeVisible();
    expect(requests.filter((url) => url.includes("key"))).toEqual([]);
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain("secret");

    const other = await context.newPage();
    const faults = watch(other);
    await other.goto(`${own.url}/#/jobs`);
    await expect(other.getByRole("dialog", { name: "API key" })).toBeVisible();
    await other.keyboard.press("Escape");
    await expect(other.getByRole("alert")).toContainText("key");
    expect(faults).toEqual([]);
    await other.close();

    await page.getByRole("button", { name: "Key of teachers" }).click();
    await expect(dialog).toContainText("submit: submit jobs");
    await expect(dialog).not.toContainText("admin");
    await expectAccessible(page);
    await page.getByRole("button", { name: "Forget the key" }).click();
    await expect(page.getByRole("heading", { name: "API key" })).toBeVisible();
    await expect(dialog).toContainText("This server asks for an API key.");

    await page.goto("about:blank");
    await page.goto(`${own.url}/#/run`);
    await dialog.getByLabel("Key").fill("pupils-secret-key");
    await page.keyboard.press("Enter");
    await expect(page.getByText("This key may read, but not submit")).toBeVisible();
    await expect(page.getByRole("button", { name: "Run", exact: true })).toBeDisabled();
  } finally {
    await own.remove();
  }
});

test("the page works under a path of a proxy", async ({ page, server }) => {
  await page.route("**/optimus/**", async (route) => {
    const response = await route.fetch({ url: route.request().url().replace("/optimus/", "/") });
    await route.fulfill({ response });
  });
  await page.goto(`${server.url}/optimus/#/cluster`);
  await expect(page.getByRole("heading", { name: "Workers" }).or(page.getByRole("table"))).toBeVisible();
  await expect(page.locator(".status")).toHaveAttribute("data-state", "ready");
});

// SHA-256 of teachers-secret-key and pupils-secret-key.
const keys = `
[[keys]]
name = "teachers"
hash = "73148fab45ba3c4d1442a268d253508d7bc0a2b3e8eb332208582f495594f07c"
roles = ["submit", "read"]
[[keys]]
name = "pupils"
hash = "e270c13f91e5d453e4c5e7c7cb03c5561b0c590ac915b2b35def6eea83f632b3"
roles = ["read"]
`;
