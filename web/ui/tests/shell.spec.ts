import { expect, expectAccessible, Server, setTheme, test } from "./fixtures";

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

test("a view that is slow to come says so, and one that does not come says why", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("button", { name: "Run", exact: true })).toBeVisible();
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  await page.route("**/ui/assets/**", async (route) => {
    await held;
    await route.abort();
  });
  await page.getByRole("link", { name: "Cluster", exact: true }).click();
  await expect(page.getByText("Loading…")).toBeVisible();
  letGo();
  await expect(page.getByRole("alert")).toContainText("the server cannot be reached, or is a newer one");
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("heading", { name: "Cluster", level: 1 })).toBeVisible();
});
