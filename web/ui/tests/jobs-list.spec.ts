import type { Page } from "@playwright/test";
import { expect, expectAccessible, Server, setTheme, test } from "./fixtures";
import { cancel, heading, largeBatches, row, rows, shot, step, submit, submitMany } from "./jobs";

// No worker: jobs wait until they are cancelled, so that a list stays as a test has made it.
const own = test.extend<object, { waiting: Server }>({
  waiting: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
    async ({}, use) => {
      const server = await Server.make({ settings: largeBatches });
      await use(server);
      await server.remove();
    },
    { scope: "worker", timeout: 60_000 },
  ],
  server: [async ({ waiting }, use) => use(waiting), { scope: "worker" }],
});

const python = { language: "python", source_code: "print(1)" };

own("a list without jobs says how to get some", async ({ page }) => {
  const fresh = await Server.make();
  try {
    await page.goto(`${fresh.url}/#/jobs`);
    await expect(page.getByText("There are no jobs.")).toBeVisible();
    await expect(page.getByRole("link", { name: "Run a program" })).toHaveAttribute("href", "#/run");
    await expectAccessible(page);
    await shot(page, "jobs-empty");
    await page.getByRole("link", { name: "Dead letters" }).click();
    await expect(page.getByText("No dead letters: everything could be judged.")).toBeVisible();
    await expectAccessible(page);
    // It is there without a reload, once there is one.
    await page.getByRole("link", { name: "All jobs" }).click();
    const { id } = await submit(fresh, python);
    await expect(row(page, id)).toContainText("Queued");
  } finally {
    await fresh.remove();
  }
});

own("jobs are filtered by state, queue and time, and the address says so", async ({ page, waiting }) => {
  const lua = {
    name: "lua",
    version: "5.4",
    image: "docker.io/library/lua:5.4",
    source_file: "main.lua",
    run: ["lua", "{source}"],
    queue: "slow",
  };
  const added = await waiting.call("/v1/languages", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(lua),
  });
  expect(added.status, await added.text()).toBe(200);
  const queued = await submit(waiting, python);
  const slow = await submit(waiting, { language: "lua", source_code: "print(1)" });
  const cancelled = await submit(waiting, python);
  await cancel(waiting, cancelled.id);

  await page.goto("/#/jobs");
  await expect(rows(page)).toHaveCount(3);
  await expect(row(page, cancelled.id)).toContainText("Cancelled");
  await expect(page.locator(".chip", { hasText: "Queued" })).toContainText("2");

  await page.getByRole("checkbox", { name: /Cancelled/ }).check();
  await expect(rows(page)).toHaveCount(1);
  await expect(page).toHaveURL(/#\/jobs\?state=cancelled$/);
  await page.getByRole("checkbox", { name: /Queued/ }).check();
  await expect(rows(page)).toHaveCount(3);
  await page.getByLabel("Queue", { exact: true }).selectOption("slow");
  await expect(rows(page)).toHaveCount(1);
  await expect(row(page, slow.id)).toContainText("slow");
  await page.reload();
  await expect(row(page, slow.id)).toBeVisible();
  await expect(rows(page)).toHaveCount(1);
  await expect(page.getByRole("checkbox", { name: /Queued/ })).toBeChecked();
  await shot(page, "jobs-filtered");
  await page.getByRole("button", { name: "Show all" }).click();
  await expect(rows(page)).toHaveCount(3);

  await page.getByLabel("Made", { exact: true }).selectOption("Last hour");
  await expect(rows(page)).toHaveCount(3);
  await page.getByLabel("Made", { exact: true }).selectOption("Between…");
  await page.getByLabel("To", { exact: true }).fill("2020-01-01T00:00");
  await expect(page.getByText("No job is like this.")).toBeVisible();
  await page.getByLabel("To", { exact: true }).fill("");
  await page.getByLabel("From", { exact: true }).fill("2020-01-01T00:00");
  await expect(rows(page)).toHaveCount(3);
  await expectAccessible(page);

  await page.getByLabel("Find").fill(queued.id);
  await page.keyboard.press("Enter");
  await expect(heading(page, queued.id)).toBeVisible();
});

own("a filter that the server refuses is told as it tells it", async ({ page }) => {
  await page.goto("/#/jobs?cursor=nonsense&page=2");
  await expect(page.getByRole("alert")).toContainText("cursor");
  await page.goto("/#/jobs/no-such-job");
  await expect(page.getByRole("alert")).toContainText("not a job id");
  await page.goto("/#/jobs/0190a6d2-7f3c-8000-8000-5b2d1c0e9a47");
  await expect(page.getByRole("alert")).toContainText("no such job");
  await expect(page.getByRole("link", { name: "Show the jobs that there are" })).toBeVisible();
});

own("states change in the list by themselves, unless it is stopped", async ({ page, waiting }) => {
  const job = await submit(waiting, python);
  await page.clock.install();
  await page.goto("/#/jobs");
  await expect(row(page, job.id)).toContainText("Queued");
  await cancel(waiting, job.id);
  await expect(row(page, job.id)).toContainText("Cancelled");
  await page.getByRole("button", { name: "Live" }).click();
  await expect(page.getByRole("button", { name: "Live" })).toHaveAttribute("aria-pressed", "false");
  const requests: string[] = [];
  const later = await submit(waiting, python);
  page.on("request", (r) => requests.push(r.url()));
  await page.clock.runFor(60_000);
  expect(requests.filter((url) => url.includes("/v1/jobs"))).toEqual([]);
  await expect(row(page, later.id)).toHaveCount(0);
  await page.getByRole("button", { name: "Live" }).click();
  await expect(row(page, later.id)).toBeVisible();
});

own(
  "a server that was away is heard of again, also where a job has nothing to tell",
  async ({ page, context }) => {
    const away = await Server.make();
    try {
      const job = await submit(away, python);
      await page.goto(`${away.url}/#/run/${job.id}`);
      await expect(step(page)).toHaveText("Queued");
      const other = await context.newPage();
      await other.goto(`${away.url}/#/jobs/${job.id}`);
      await expect(step(other)).toHaveText("Queued");
      await away.stop();
      const says = [page.getByText("Trying again."), other.getByText("The server is not heard of.")];
      for (const one of says) await expect(one).toBeVisible();
      await away.start();
      for (const one of says) await expect(one).toHaveCount(0);
      for (const one of [page, other]) await expect(step(one)).toHaveText("Queued");
      await other.close();
    } finally {
      await away.remove();
    }
  },
);

own("ten thousand jobs are paged through, and the page stays quick", async ({ page, waiting }) => {
  test.setTimeout(300_000);
  const before = (await (await waiting.call("/v1/jobs?limit=1000")).json()) as { jobs: { id: string }[] };
  const ids = [...before.jobs.map((j) => j.id).reverse(), ...(await submitMany(waiting, 10_000))];
  await page.goto("/#/jobs");
  await expect(rows(page)).toHaveCount(100);
  await expect(row(page, ids.at(-1) ?? "")).toBeVisible();
  await expect(page.locator(".chip", { hasText: "Queued" })).toContainText("10,0");
  const seen = new Set<string>();
  for (let number = 1; number <= 4; number++) {
    await expect(page.getByText(new RegExp(`^Page ${number} · jobs `))).toBeVisible();
    const newest = ids.at(-1 - (number - 1) * 100) ?? "";
    await expect(rows(page).first().getByRole("link")).toHaveAttribute("title", newest);
    for (const id of await titles(page)) seen.add(id);
    if (number < 4) await page.getByRole("button", { name: "Older" }).click();
  }
  expect(seen.size).toBe(400);

  // Back, by the browser and by the page, also after a reload.
  await page.goBack();
  await expect(page.getByText("Page 3 ·")).toBeVisible();
  await page.reload();
  await expect(page.getByText("Page 3 ·")).toBeVisible();
  await page.getByRole("button", { name: "Newer" }).click();
  await expect(page.getByText("Page 2 ·")).toBeVisible();

  // The last page, as somebody sends its address.
  let cursor = "";
  for (let n = 0; n < Math.floor((ids.length - 1) / 1000); n++)
    cursor = await nextCursor(waiting, cursor, 1000);
  const rest = ids.length % 1000 || 1000;
  for (let n = 0; n < Math.floor((rest - 1) / 100); n++) cursor = await nextCursor(waiting, cursor, 100);
  await page.goto(`/#/jobs?cursor=${encodeURIComponent(cursor)}&page=${Math.ceil(ids.length / 100)}`);
  await expect(rows(page).last().getByRole("link")).toHaveAttribute("title", ids[0] ?? "");
  await expect(page.getByRole("button", { name: "Older" })).toHaveAttribute("aria-disabled", "true");
  await shot(page, "jobs-last-page");
  await page.getByRole("button", { name: "Newest" }).click();
  await expect(row(page, ids.at(-1) ?? "")).toBeVisible();
  await expect(page).toHaveURL(/#\/jobs$/);

  // However many there are, what is drawn is a page.
  expect(await page.locator("main *").count()).toBeLessThan(4000);
  for (const theme of ["light", "dark"] as const) {
    await setTheme(page, theme);
    await expectAccessible(page);
    await shot(page, `jobs-${theme}`);
  }
});

own("the list is used by keyboard alone", async ({ page, waiting }) => {
  const job = await submit(waiting, python);
  await page.goto("/#/jobs");
  await expect(row(page, job.id)).toBeVisible();
  await tabTo(page, page.getByRole("checkbox", { name: /Queued/ }));
  await page.keyboard.press("Space");
  await expect(page).toHaveURL(/state=queued/);
  await expect(page.getByRole("checkbox", { name: /Queued/ })).toBeFocused();
  const link = row(page, job.id).getByRole("link");
  await tabTo(page, link);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  const stop = page.getByRole("button", { name: "Cancel" });
  await tabTo(page, stop);
  await page.keyboard.press("Enter");
  await expect(page.locator(".headline .verdict")).toHaveText("Cancelled");
  const remove = page.getByRole("button", { name: "Delete" });
  await tabTo(page, remove);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: "Delete the job?" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(remove).toBeFocused();
  await page.keyboard.press("Enter");
  await tabTo(page, page.getByRole("dialog").getByRole("button", { name: "Delete" }));
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/#\/jobs$/);
  await expect(row(page, job.id)).toHaveCount(0);
  expect((await waiting.call(`/v1/jobs/${job.id}`)).status).toBe(404);
});

own("on a phone the list fits the screen", async ({ page, waiting }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  const job = await submit(waiting, python);
  await page.goto("/#/jobs");
  await expect(row(page, job.id)).toContainText("python");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide).toBeLessThanOrEqual(390);
  await expectAccessible(page);
  await shot(page, "jobs-phone");
  await row(page, job.id).getByRole("link").click();
  await expect(page.getByText(/more waits? in default|only one that waits|no worker takes/)).toBeVisible();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await expectAccessible(page);
  await shot(page, "job-phone-queued");
});

own(
  "between a phone and a desk the filters can be read, and no view takes another's styles",
  async ({ page, waiting }) => {
    const job = await submit(waiting, python);
    await cancel(waiting, job.id);
    await page.setViewportSize({ width: 640, height: 800 }); // as 1280 at 200 %
    await page.goto("/#/cluster");
    await expect(page.getByRole("heading", { name: "Queues" })).toBeVisible();
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    const queue = page.getByLabel("Queue", { exact: true });
    const word = await queue.evaluate((e) => e.getBoundingClientRect().width);
    expect(word).toBeGreaterThan(150);
    await page.setViewportSize({ width: 390, height: 844 });
    await row(page, job.id).getByRole("link").click();
    await expect(page.getByRole("button", { name: "Delete" })).toBeInViewport({ ratio: 1 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  },
);

/** Presses Tab until something has the focus. */
async function tabTo(page: Page, to: ReturnType<Page["locator"]>): Promise<void> {
  for (let i = 0; i < 150; i++) {
    if (await to.evaluate((e) => e === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error("Tab does not lead there");
}

async function titles(page: Page): Promise<string[]> {
  return rows(page)
    .locator("a.id")
    .evaluateAll((links) => links.map((a) => a.getAttribute("title") ?? ""));
}

async function nextCursor(server: Server, cursor: string, limit: number): Promise<string> {
  const response = await server.call(`/v1/jobs?limit=${limit}&cursor=${encodeURIComponent(cursor)}`);
  return ((await response.json()) as { next_cursor: string }).next_cursor;
}
