import { expect, expectAccessible, Server, setTheme, test } from "./fixtures";
import { enter, heading, keySettings, keys, output, reached, shot, step, submit, verdict } from "./jobs";

// A worker that is lost is noticed within seconds, and a job has two attempts.
const settings = `
[store]
max_attempts = 2
backoff = "100ms"
sweep_interval = "100ms"
[worker]
lease = "1s"
${keySettings}`;

const lost = test.extend<object, { own: Server }>({
  own: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
    async ({}, use) => {
      const server = await Server.make({ settings, images: ["python"] });
      await use(server);
      await server.remove();
    },
    { scope: "worker", timeout: 300_000 },
  ],
  server: [async ({ own }, use) => use(own), { scope: "worker" }],
});

const sleeps = (seconds: number, label: string) => ({
  language: "python",
  source_code: `import time\nprint("begun", flush=True)\ntime.sleep(${seconds})\nprint("done")`,
  limits: { wall_ms: 60_000 },
  labels: { course: label },
});

lost("a worker that is killed while its job is watched", async ({ page, own }) => {
  lost.setTimeout(300_000);
  const job = await submit(own, sleeps(8, "one"), keys.pupils);
  await enter(page, `/#/jobs/${job.id}`, keys.pupils);
  await expect(output(page, "Standard output")).toHaveText("begun\n");
  await own.stop("SIGKILL");
  await expect(page.getByText("The server is not heard of.")).toBeVisible();
  await expectAccessible(page);
  await shot(page, "job-lost");
  await own.start();
  await expect(page.getByText("The server is not heard of.")).toHaveCount(0);
  // The second attempt, from its beginning.
  await expect(page.getByText("Attempt 2 of 2")).toBeVisible();
  await expect(verdict(page)).toHaveText("Accepted");
  await expect(output(page, "Standard output")).toHaveText("begun\ndone\n");
  const attempts = page.getByRole("region", { name: "Attempts, the first on top" }).locator("tbody tr");
  await expect(attempts).toHaveCount(2);
  await expect(attempts.first()).toContainText("lease expired");
  await expect(attempts.last()).toContainText("It gave its report");
  const timeline = page.locator(".timeline");
  await expect(timeline).toContainText("This page lost the server");
  await expect(timeline).toContainText("lease expired");
  await expect(timeline).toContainText("Attempt 2 began");
  await expectAccessible(page);
  await shot(page, "job-second-attempt");
});

lost("jobs that could not be judged are dead letters, and are tried again", async ({ page, own }) => {
  lost.setTimeout(600_000);
  const jobs = [
    await submit(own, sleeps(6, "two"), keys.pupils),
    await submit(own, sleeps(6, "three"), keys.pupils),
  ];
  const [one, two] = jobs.map((j) => j.id);
  if (!one || !two) throw new Error("two jobs were submitted");
  for (let kill = 0; kill < 2; kill++) {
    for (const { id } of jobs) await reached(own, id, "running", keys.root);
    await own.stop("SIGKILL");
    await own.start();
  }
  for (const { id } of jobs) await reached(own, id, "failed", keys.root);

  // Whose they are sees them, and why they cannot try them again.
  await enter(page, "/#/jobs/dead-letters", keys.pupils);
  const retryAll = page.getByRole("button", { name: "Retry all shown (2)" });
  await expect(retryAll).toHaveAttribute("aria-disabled", "true");
  await expect(
    page.getByText("This needs a key with the role admin; yours has submit.").first(),
  ).toBeVisible();
  await expectAccessible(page);
  await shot(page, "dead-letters-pupil");
  await page.evaluate((key) => sessionStorage.setItem("optimus.key", key), keys.root);
  await page.reload();
  await page.goto("/#/jobs");
  const link = page.getByRole("link", { name: "Dead letters 2" });
  await expect(link).toBeVisible();
  await link.click();
  const letters = page.locator(".letter");
  await expect(letters).toHaveCount(2);
  await expect(letters.first().locator("tbody tr")).toHaveCount(2);
  await expect(letters.first().locator("tbody tr").first()).toContainText("lease expired");
  for (const theme of ["light", "dark"] as const) {
    await setTheme(page, theme);
    await expectAccessible(page);
    await shot(page, `dead-letters-${theme}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await shot(page, "dead-letters-phone");
  await page.setViewportSize({ width: 1280, height: 800 });

  // One from the list, and one from its own page.
  await page.getByRole("button", { name: `Retry job ${two}` }).click();
  await expect(page.getByText("Queued again:")).toBeVisible();
  await expect(letters).toHaveCount(1);
  await page.goto(`/#/jobs/${one}`);
  await expect(verdict(page)).toHaveText("Failed");
  await expect(page.getByText("Optimus could not judge it", { exact: true })).toBeVisible();
  await expectAccessible(page);
  await shot(page, "job-failed");
  await page.getByRole("button", { name: "Retry" }).click();
  await expect(step(page)).toBeVisible();
  await expect(verdict(page)).toHaveText("Accepted");
  await expect(page.locator(".timeline li").last()).toContainText("Completed: accepted");
  await page.goto(`/#/jobs/${two}`);
  await expect(heading(page, two)).toBeVisible();
  await expect(verdict(page)).toHaveText("Accepted");
  await page.goto("/#/jobs/dead-letters");
  await expect(page.getByText("No dead letters: everything could be judged.")).toBeVisible();
});

lost("all dead letters that are shown are tried again at once", async ({ page, own }) => {
  lost.setTimeout(600_000);
  const ids: string[] = [];
  for (const name of ["four", "five"]) ids.push((await submit(own, sleeps(3, name), keys.pupils)).id);
  for (let kill = 0; kill < 2; kill++) {
    for (const id of ids) await reached(own, id, "running", keys.root);
    await own.stop("SIGKILL");
    await own.start();
  }
  for (const id of ids) await reached(own, id, "failed", keys.root);
  await enter(page, "/#/jobs/dead-letters", keys.root);
  await page.getByRole("button", { name: "Retry all shown (2)" }).click();
  const dialog = page.getByRole("dialog", { name: "Retry 2 jobs?" });
  await expectAccessible(page);
  // One is gone by then: the other is tried again all the same.
  await own.call(`/v1/jobs/${ids[0]}`, {
    method: "DELETE",
    headers: { Authorization: `Bearer ${keys.root}` },
  });
  await dialog.getByRole("button", { name: "Retry all" }).click();
  await expect(dialog.getByText("One was refused")).toBeVisible();
  await expect(dialog.getByRole("alert")).toContainText("no such job");
  await dialog.getByRole("button", { name: "Close", exact: true }).last().click();
  await expect(page.getByText("Queued again:")).toBeVisible();
  await reached(own, ids[1] ?? "", "completed", keys.root);
});
