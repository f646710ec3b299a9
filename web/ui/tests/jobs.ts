import { createHash } from "node:crypto";
import type { Locator, Page } from "@playwright/test";
import { expect, type Server } from "./fixtures";

export interface Job {
  id: string;
  state: string;
  verdict?: string;
}

/** Submits a job, with a key where one is given. */
export async function submit(server: Server, submission: object, key?: string): Promise<Job> {
  const response = await server.call("/v1/jobs", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...withKey(key) },
    body: JSON.stringify(submission),
  });
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as Job;
}

/** Keys of a server with {@link keySettings}, by tenant: pupils may submit, root may do everything. */
export const keys = { pupils: "pupils-secret-key", root: "root-secret-key" };

export const keySettings = Object.entries({ pupils: "submit", root: "admin" })
  .map(([name, role]) => {
    const hash = createHash("sha256")
      .update(keys[name as keyof typeof keys])
      .digest("hex");
    return `[[keys]]\nname = "${name}"\nhash = "${hash}"\nroles = ["${role}"]\n`;
  })
  .join("\n");

/** Opens an address of a page that asks for a key, and gives it one. */
export async function enter(page: Page, address: string, key: string): Promise<void> {
  await page.goto(address);
  const dialog = page.getByRole("dialog", { name: "API key" });
  await dialog.getByLabel("Key").fill(key);
  await page.keyboard.press("Enter");
  await expect(dialog).toHaveCount(0);
}

export function withKey(key: string | undefined): Record<string, string> {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** Settings of a server that takes as many jobs at once as {@link submitMany} sends. */
export const largeBatches = "[server]\nmax_batch = 1000\n";

/** Submits a number of queued jobs, a thousand at a time, and gives their ids, the oldest first. */
export async function submitMany(server: Server, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let done = 0; done < count; done += 1000) {
    const size = Math.min(1000, count - done);
    const jobs = Array.from({ length: size }, (_, i) => ({
      language: "python",
      source_code: `print(${done + i})`,
    }));
    const response = await server.call("/v1/batches", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ jobs }),
    });
    const answer = (await response.json()) as { results: { job?: Job; error?: object }[] };
    for (const r of answer.results) {
      if (!r.job) throw new Error(JSON.stringify(r.error));
      ids.push(r.job.id);
    }
  }
  return ids;
}

/** Waits until a job is in a state, without the page. */
export async function reached(server: Server, id: string, state: string, key?: string): Promise<void> {
  const now = async () => {
    const response = await server.call(`/v1/jobs/${id}`, { headers: withKey(key) });
    return ((await response.json()) as Job).state;
  };
  await expect.poll(now).toBe(state);
}

export const cancel = (server: Server, id: string) =>
  server.call(`/v1/jobs/${id}/cancel`, { method: "POST" });

/** The rows of the list of jobs, without its heading. */
export function rows(page: Page): Locator {
  return page.getByRole("region", { name: "Jobs, newest first" }).locator("tbody tr");
}

export function row(page: Page, id: string): Locator {
  return rows(page).filter({ has: page.locator(`a[title="${id}"]`) });
}

/** The heading of a job's page. */
export function heading(page: Page, id: string): Locator {
  return page.getByRole("heading", { name: `Job …${id.slice(-8)}`, level: 1 });
}

/** The verdict, or the state, that a job's page has at its top. */
export function verdict(page: Page): Locator {
  return page.locator(".headline .verdict");
}

/** The step that a job's page says the job is at. */
export function step(page: Page): Locator {
  return page.getByRole("list", { name: "Progress" }).locator('[aria-current="step"]');
}

/** A block of a program's output, or of a source file. */
export function output(page: Page, title: string): Locator {
  return page.getByRole("region", { name: title, exact: true }).locator("pre");
}

/** Takes a picture of the page for people to look at, below test-results/screens. */
export async function shot(page: Page, name: string): Promise<void> {
  const whole = !name.startsWith("jobs"); // of a long list what a screen shows
  await page.screenshot({
    path: `test-results/screens/${name}.png`,
    fullPage: whole,
    animations: "disabled",
  });
}
