import { expect, expectAccessible, Server, test } from "./fixtures";
import { enter, keySettings, keys, row, rows, shot, submit, withKey } from "./jobs";

const own = test.extend<object, { guarded: Server }>({
  guarded: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright wants the pattern
    async ({}, use) => {
      const server = await Server.make({ settings: keySettings });
      await use(server);
      await server.remove();
    },
    { scope: "worker", timeout: 60_000 },
  ],
  server: [async ({ guarded }, use) => use(guarded), { scope: "worker" }],
});

const python = { language: "python", source_code: "print(1)" };

own("who may submit sees and cancels their own jobs alone", async ({ page, guarded }) => {
  const mine = await submit(guarded, python, keys.pupils);
  const theirs = await submit(guarded, python, keys.root);
  await enter(page, "/#/jobs", keys.pupils);
  await expect(row(page, mine.id)).toBeVisible();
  await expect(row(page, theirs.id)).toHaveCount(0);
  await expect(page.getByLabel("Tenant")).toHaveCount(0);
  await row(page, mine.id).getByRole("link").click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.locator(".headline .verdict")).toHaveText("Cancelled");
  await page.goto(`/#/jobs/${theirs.id}`);
  await expect(page.getByRole("alert")).toContainText("no such job");
});

own("who may read sees why the rest is not allowed", async ({ page, guarded }) => {
  const made = await guarded.call("/v1/keys", {
    method: "POST",
    headers: { "Content-Type": "application/json", ...withKey(keys.root) },
    body: JSON.stringify({ name: "pupils", roles: ["read"] }),
  });
  const { secret } = (await made.json()) as { secret: string };
  const job = await submit(guarded, python, keys.pupils);
  await enter(page, `/#/jobs/${job.id}`, secret);
  for (const name of ["Cancel", "Run again", "Delete"]) {
    const button = page.getByRole("button", { name });
    await expect(button).toHaveAttribute("aria-disabled", "true");
    await expect(button).toHaveAccessibleDescription(
      "This needs a key with the role submit; yours has read.",
    );
  }
  await expect(
    page.getByText("This needs a key with the role submit; yours has read.").first(),
  ).toBeVisible();
  await page.getByRole("button", { name: "Cancel" }).click({ force: true });
  await expect(page.getByRole("list", { name: "Progress" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Open in Run" })).not.toHaveAttribute("aria-disabled");
  await expectAccessible(page);
  await shot(page, "job-read-only");
  const other = await submit(guarded, python, keys.root);
  await page.goto(`/#/jobs/${other.id}`);
  await expect(page.getByRole("alert")).toContainText("no such job");
});

own("an administrator sees every tenant's jobs, and filters them", async ({ page, guarded }) => {
  const pupils = await submit(guarded, python, keys.pupils);
  const root = await submit(guarded, python, keys.root);
  await enter(page, "/#/jobs", keys.root);
  await expect(row(page, pupils.id)).toContainText("pupils");
  await expect(row(page, root.id)).toContainText("root");
  await page.getByLabel("Tenant").fill("pupils");
  await page.keyboard.press("Enter");
  await expect(row(page, root.id)).toHaveCount(0);
  await expect(row(page, pupils.id)).toBeVisible();
  await expect(page).toHaveURL(/tenant=pupils/);
  await expect(rows(page).filter({ hasText: "root" })).toHaveCount(0);
  await expectAccessible(page);
  await shot(page, "jobs-tenants");
});
