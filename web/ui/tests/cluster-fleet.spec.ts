import { Fleet } from "./cluster-fleet";
import { expect, expectAccessible, test } from "./fixtures";

// The fleet has a server of its own; the one that judges alone is not needed.
test.use({ baseURL: "http://127.0.0.1" });
test.setTimeout(240_000);

test("two workers on a redis-server are shown, and one that is killed while one looks", async ({ page }) => {
  const fleet = await Fleet.make();
  try {
    await page.goto(`${fleet.server.url}/#/cluster`);
    const verdict = page.getByRole("region", { name: "How the cluster is" });
    await expect(verdict).toContainText("No worker is registered: jobs wait.");
    await fleet.work("amber");
    await fleet.work("birch");
    await expect(page.getByRole("button", { name: /^Workers 2 0 of 8 slots busy/ })).toBeVisible();
    const row = (text: string) => page.getByRole("row").filter({ hasText: text });
    await expect(row("amber")).toContainText("Idle");
    await expect(row("amber").getByRole("listitem")).toHaveText(["python"]);
    await expect(row("optimus.local/python:trixie")).toContainText("Elsewhere");
    await expect(row("optimus.local/java:trixie")).toContainText("No worker");
    const store = page.getByRole("region", { name: "Store" });
    await expect(store).toContainText(/A server that speaks the Redis protocol: Redis \d/);
    await expect(store).toContainText("the end of the store’s process (local)");

    for (let i = 0; i < 8; i++) {
      const response = await fleet.server.call("/v1/jobs", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ language: "python", source_code: "import time; time.sleep(8)" }),
      });
      expect(response.status).toBe(202);
    }
    for (const name of ["amber", "birch"]) {
      await expect(row(name)).toContainText("Working");
      await expect(row(name).getByRole("img")).toHaveAccessibleName("4 of 4 slots busy");
    }

    await fleet.kill("birch");
    await expect(row("birch")).toContainText(/Late|Gone/);
    await expect(row("birch")).toContainText("Gone");
    await expect(verdict).toContainText("Worker birch is gone: it was stopped, or is lost.");
    await expect(page.getByRole("button", { name: /^Workers 1 / })).toBeVisible();
    await expect(row("amber")).toContainText(/Working|Idle/);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Forget the worker birch" }).click();
    await expect(row("birch")).toHaveCount(0);
    await expect(verdict).not.toContainText("birch");
  } finally {
    await fleet.remove();
  }
});
