import type { Page } from "@playwright/test";
import { expect, expectAccessible, Server, setTheme, test } from "./fixtures";

/** Has a server judge so many programs, and waits for them. */
async function judge(server: Server, jobs: number): Promise<void> {
  for (let i = 0; i < jobs; i++) {
    const response = await submit(server, `print(${i})`);
    expect(response.ok).toBe(true);
  }
}

function submit(server: Server, source: string, wait = "60s"): Promise<Response> {
  return server.call(`/v1/jobs?wait=${wait}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ language: "python", source_code: source }),
  });
}

const verdict = (page: Page) => page.getByRole("region", { name: "How the cluster is" });
const row = (page: Page, table: string, text: string) =>
  page.getByRole("region", { name: table, exact: true }).getByRole("row").filter({ hasText: text });

test("one look tells that all is well, and more of it what there is", async ({ page, context, server }) => {
  await judge(server, 2);
  await page.goto("/#/cluster");
  await expect(verdict(page)).toHaveText("All is well");
  await expect(page.getByRole("button", { name: /^Workers 1 0 of/ })).toBeVisible();

  const list = (await (await server.call("/v1/workers")).json()) as { workers: { name: string }[] };
  const worker = row(page, "Workers and what they run", list.workers[0]?.name ?? "?");
  await expect(worker.getByRole("img", { name: /^0 of \d+ slots busy$/ })).toBeVisible();
  await expect(worker).toContainText("Idle");
  await expect(worker.getByRole("listitem")).toHaveText(["c", "cpp", "python"]);

  const queue = row(page, "Queues and what waits in them", "default");
  await expect(queue).toContainText("Running");
  await expect(page.getByText("Completed").first()).toBeVisible();

  const python = row(page, "Languages and their images", "optimus.local/python:trixie");
  await expect(python).toContainText("Available");
  await expect(python).toContainText(/sha256:[0-9a-f]{12}/);
  await expect(python).toContainText("MiB");
  const java = row(page, "Languages and their images", "optimus.local/java:trixie");
  await expect(java).toContainText("Missing");
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await java.getByRole("button", { name: "Copy" }).click();
  await expect(java.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("optimus admin images build java");

  const store = page.getByRole("region", { name: "Store" });
  await expect(store).toContainText("A file of this server’s");
  await expect(store).toContainText("a power cut too (fsync)");
  await expect(store).toContainText("Form 1, the newest");

  await page.getByRole("button", { name: /^Store Ok/ }).click();
  await expect(page.locator("#store")).toBeFocused();
});

test("a busy worker shows its slots, and a job that waits its age", async ({ page, server }) => {
  await page.goto("/#/cluster");
  await expect(verdict(page)).toHaveText("All is well");
  const jobs = [0, 1, 2, 3, 4, 5].map(() => submit(server, "import time; time.sleep(9)", "0s"));
  const ids = await Promise.all(jobs.map(async (j) => ((await (await j).json()) as { id: string }).id));
  const slots = page.getByRole("region", { name: "Workers and what they run" }).getByRole("img").first();
  await expect(slots).toHaveAccessibleName(/^([1-9]\d*) of \1 slots busy$/);
  await expect(page.getByRole("button", { name: /^Waiting [1-9]\d* oldest for/ })).toBeVisible();
  await expect(row(page, "Queues and what waits in them", "default")).toContainText(/ago/);
  for (const id of ids) await server.call(`/v1/jobs/${id}/cancel`, { method: "POST" });
  await expect(slots).toHaveAccessibleName(/^0 of/);
});

test("the last hour can be read by pointer, by keyboard and as a table", async ({ page, server }) => {
  await judge(server, 1);
  await page.goto("/#/cluster");
  const chart = page.getByRole("slider", { name: /^Jobs a minute in the last hour, default/ });
  await expect(chart).toHaveAttribute("aria-valuetext", "No minute is chosen");
  const legend = page.locator(".chart-legend");
  await expect(legend).toContainText("60 minutes");

  const minutes = async () => {
    const q = (await (await server.call("/v1/queues/default")).json()) as {
      per_minute: { completed: number; minute: string }[];
    };
    return q.per_minute;
  };
  await chart.focus();
  await page.keyboard.press("Home");
  await expect(chart).toHaveAttribute("aria-valuenow", "0");
  await expect(chart).toHaveAttribute(
    "aria-valuetext",
    /^\d.*: Completed 0, Failed 0, Cancelled 0, Submitted 0$/,
  );
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  await expect(chart).toHaveAttribute("aria-valuenow", "58");
  await page.keyboard.press("Escape");
  await expect(chart).toHaveAttribute("aria-valuetext", "No minute is chosen");

  const box = await chart.boundingBox();
  if (!box) throw new Error("the chart is not there");
  await page.mouse.move(box.x + box.width / 2, box.y + 40);
  await expect(legend).not.toContainText("60 minutes");
  await page.mouse.move(0, 0);
  await expect(legend).toContainText("60 minutes");

  await page.getByText("As a table").click();
  const busy = (await minutes()).filter((m) => m.completed > 0);
  const table = page.getByRole("region", { name: /^Jobs of each minute/ });
  for (const m of busy) await expect(table.locator(`time[datetime="${m.minute}"]`)).toHaveCount(1);
});

test("an admin pauses, drains and resumes a queue, and is asked before", async ({ page, server }) => {
  await judge(server, 1);
  await page.goto("/#/cluster");
  const queue = row(page, "Queues and what waits in them", "default");
  await queue.getByRole("button", { name: "Pause the queue default" }).click();
  const dialog = page.getByRole("dialog", { name: "Pause the queue" });
  await expect(dialog).toContainText("Nothing more is taken from it");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(dialog).toBeHidden();
  expect(await state(server)).toBe("running");

  await queue.getByRole("button", { name: /^Pause/ }).click();
  await dialog.getByRole("button", { name: "Pause" }).click();
  await expect(dialog).toBeHidden();
  await expect(queue).toContainText("Paused");
  await expect(verdict(page)).toContainText("Queue default is paused: nothing is taken from it.");
  expect(await state(server)).toBe("paused");
  const waits = (await (await submit(server, "print(1)", "0s")).json()) as { id: string };
  await expect(page.getByRole("button", { name: /^Waiting 1 oldest for/ })).toBeVisible();

  await queue.getByRole("button", { name: /^Resume/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
  await expect(queue).toContainText("Running");
  await expect(verdict(page)).toHaveText("All is well");
  const job = await (await server.call(`/v1/jobs/${waits.id}?wait=60s`)).json();
  expect(job).toMatchObject({ state: "completed", verdict: "accepted" });

  await queue.getByRole("button", { name: /^Drain/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Drain" }).click();
  await expect(queue).toContainText("Draining");
  expect((await submit(server, "print(1)", "0s")).status).toBe(503);
  await queue.getByRole("button", { name: /^Resume/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
  await expect(verdict(page)).toHaveText("All is well");
});

async function state(server: Server): Promise<string> {
  return ((await (await server.call("/v1/queues/default")).json()) as { state: string }).state;
}

test("a server without a worker says so; one that is away is told, and recovers", async ({ page }) => {
  const own = await Server.make();
  try {
    await page.goto(`${own.url}/#/cluster`);
    await expect(verdict(page)).toContainText("No worker is registered: jobs wait.");
    await expect(page.getByText("There is no queue yet")).toBeVisible();
    await own.stop("SIGKILL");
    await page.getByRole("button", { name: "Refresh" }).click();
    await expect(verdict(page)).toContainText("The server cannot be reached.");
    await expect(page.getByText(/^Not refreshed since/)).toBeVisible();
    await expect(row(page, "Languages and their images", "python")).toBeVisible(); // what was known stays
    await expectAccessible(page);
    await own.start();
    await expect(verdict(page)).not.toContainText("reached"); // by itself
    await expect(page.getByText(/^Refreshed/)).toBeVisible();
  } finally {
    await own.remove();
  }
});

test("what is wrong is said, with where to look", async ({ page, server }) => {
  await judge(server, 1);
  await page.route("**/v1/store", async (route) => {
    const response = await route.fetch();
    const warnings = ["the server keeps nothing: say appendonly yes"];
    const narrow = { kind: "redis", version: "Redis 7.2.4", durability: "local", free_bytes: 1000, warnings };
    await route.fulfill({ response, json: { ...(await response.json()), ...narrow } });
  });
  await page.route("**/v1/queues*", async (route) => {
    const response = await route.fetch();
    const list = (await response.json()) as { queues: Record<string, unknown>[] };
    const minutes = list.queues[0]?.per_minute as object[];
    const per_minute = [...minutes.slice(0, -1), { ...minutes.at(-1), failed: 2, leases_lost: 1 }];
    const lost = { per_minute, unserved: "3 jobs wait, and no worker takes from this queue", failed: 2 };
    const second = { ...list.queues[0], name: "exam", state: "draining" };
    await route.fulfill({ response, json: { queues: [{ ...list.queues[0], ...lost }, second] } });
  });
  await page.goto("/#/cluster");
  const found = verdict(page).getByRole("listitem");
  await expect(found).toHaveText([
    /Wrong: Queue default is not served: 3 jobs wait, and no worker takes from this queue\. See queues/,
    /Warning: The store has only 1000 B left\. See store/,
    /Warning: The server keeps nothing: say appendonly yes\. See store/,
    /Warning: Queue default, jobs of the last hour: 2 could not be judged; 1 lost their worker\. See dead letters/,
    /Warning: Queue exam is draining: it takes no submissions\. See queues/,
  ]);
  await expect(verdict(page).getByRole("status")).toHaveText("Something is wrong");
  await found.nth(1).getByRole("button").click();
  await expect(page.locator("#store")).toBeFocused();
  await expect(page.locator("#store")).toContainText("Redis 7.2.4");
  await expect(
    row(page, "Queues and what waits in them", "default").getByRole("link", { name: "2" }),
  ).toHaveAttribute("href", "#/jobs/dead-letters?queue=default");
  await page.getByLabel("Queue", { exact: true }).selectOption("exam");
  await expect(page.getByRole("slider", { name: /last hour, exam/ })).toBeVisible();
  await expectAccessible(page);
});

test("it asks the server only while it is seen", async ({ page, server }) => {
  await page.clock.install();
  await page.goto(`${server.url}/#/cluster`);
  await expect(verdict(page)).toHaveText("All is well");
  const asked: string[] = [];
  page.on("request", (r) => asked.push(new URL(r.url()).pathname));
  const seen = (hidden: boolean) =>
    page.evaluate((hide) => {
      Object.defineProperty(document, "hidden", { configurable: true, value: hide });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await seen(true);
  await page.clock.runFor(120_000);
  expect(asked).toEqual([]);
  const again = page.waitForRequest(/\/v1\/workers$/);
  await seen(false);
  await again;
});

test("everyone can use it: both colours, a phone, the keyboard alone, without motion", async ({
  page,
  server,
}) => {
  await judge(server, 1);
  await page.emulateMedia({ reducedMotion: "reduce" });
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 800 });
    await page.goto("/#/cluster");
    await expect(verdict(page)).toHaveText("All is well");
    for (const theme of ["light", "dark"] as const) {
      await setTheme(page, theme);
      await expectAccessible(page);
    }
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider).toBeLessThanOrEqual(0);
  }
  await page.getByRole("button", { name: "Refresh" }).focus();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: /^Workers/ })).toBeFocused();
  const pause = page.getByRole("button", { name: "Pause the queue default" });
  for (let i = 0; i < 30 && !(await pause.evaluate((b) => b === document.activeElement)); i++) {
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog", { name: "Pause the queue" })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(pause).toBeFocused();
});
