import { Fleet } from "./cluster-fleet";
import { expect, expectAccessible, test } from "./fixtures";
import { expectVerdict, jobOf, output, packed } from "./run";

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

test("a worker's process is killed while its job is watched: another takes the job", async ({
  page,
  context,
}) => {
  const fleet = await Fleet.make('[store]\nsweep_interval = "100ms"\nbackoff = "100ms"\n');
  const lease = 'lease = "2s"\n';
  try {
    await fleet.work("amber", lease);
    await fleet.work("birch", lease);
    const source_code = "import time\nprint('begun', flush=True)\ntime.sleep(10)\nprint('got', input())\n";
    const tests = [{ input: "1", expected_output: "begun\ngot 1\n" }];
    const limits = { wall_ms: 50_000 };
    await page.goto(
      `${fleet.server.url}/#/run?s=${packed({ language: "python", source_code, tests, limits })}`,
    );
    await expect(page.getByText("Opened from a link.")).toBeVisible();
    await page.keyboard.press("Control+Enter");
    await expect(output(page, "Standard output")).toHaveText("begun\n");
    const id = await jobOf(page);
    const watched = await context.newPage();
    await watched.goto(`${fleet.server.url}/#/jobs/${id}`);
    await expect(output(watched, "Standard output")).toHaveText("begun\n");

    const { worker } = (await (await fleet.server.call(`/v1/jobs/${id}`)).json()) as { worker: string };
    await fleet.kill(worker);
    // The server is there all the while: neither page says that it is not.
    for (const one of [page, watched])
      await expect(one.locator(".headline .badge")).toHaveText(/^Attempt 2( of \d+)?$/);
    await expect(page.getByText("Trying again.")).toHaveCount(0);
    await page.reload(); // in the middle of the second attempt
    await expectVerdict(page, "Accepted");
    await expect(page.getByText("Attempt 2", { exact: true })).toBeVisible();
    await expect(output(page, "Standard output")).toHaveText("begun\ngot 1\n");

    await expect(watched.locator(".headline .verdict")).toHaveText("Accepted");
    const other = worker === "amber" ? "birch" : "amber";
    const attempts = watched.getByRole("region", { name: "Attempts, the first on top" }).locator("tbody tr");
    await expect(attempts).toHaveText([
      new RegExp(`${worker}.*lease expired`),
      new RegExp(`${other}.*It gave its report`),
    ]);
    await expect(watched.locator(".timeline")).toContainText(`Attempt 2 began on ${other}`);
    await expect(watched.locator(".timeline")).not.toContainText("This page lost the server");
    await expectAccessible(watched);
    await watched.close();
  } finally {
    await fleet.remove();
  }
});
