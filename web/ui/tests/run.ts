import { deflateRawSync } from "node:zlib";
import type { Locator, Page } from "@playwright/test";
import { expect } from "./fixtures";

/** Opens the view Run with a submission in its form, as a shared link does. */
export async function open(page: Page, submission: object): Promise<void> {
  await page.goto(`/#/run?s=${packed(submission)}`);
  await expect(page.getByText("Opened from a link.")).toBeVisible();
}

/** Gives what a link holds, made by another program than the page's own. */
export function packed(v: unknown): string {
  return packedText(JSON.stringify(v));
}

/** As {@link packed}, of JSON as it is written. */
export function packedText(json: string): string {
  return deflateRawSync(json).toString("base64url");
}

/** Opens it, and runs it. */
export async function start(page: Page, submission: object): Promise<void> {
  await open(page, submission);
  await page.keyboard.press("Control+Enter");
}

/** Waits for the job's verdict. */
export async function expectVerdict(page: Page, verdict: string): Promise<void> {
  await expect(page.locator(".verdict")).toHaveText(verdict);
}

export function source(page: Page): Locator {
  return page.getByRole("textbox", { name: /^Source code/ });
}

/** A block of a program's output. */
export function output(page: Page, title: string): Locator {
  return page.getByRole("region", { name: title, exact: true }).locator("pre");
}

/** Gives the id of the job that the address names. */
export async function jobOf(page: Page): Promise<string> {
  await expect(page).toHaveURL(/#\/run\/[0-9a-f-]{36}$/);
  return new URL(page.url()).hash.slice("#/run/".length);
}
