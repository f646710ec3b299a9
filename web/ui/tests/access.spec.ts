import { createHash } from "node:crypto";
import type { Page, Request } from "@playwright/test";
import { expect, expectAccessible, Server, setTheme, test, watch } from "./fixtures";

const hashOf = (key: string) => createHash("sha256").update(key).digest("hex");

// Each test has a server of its own; the one that judges is not needed.
test.use({ baseURL: "http://127.0.0.1" });

const rootKey = "roots-secret-key";
const courseKey = "courses-secret-key";

/** Keys of the configuration: an admin's, and one that submits and reads. */
const configured = `
[[keys]]
name = "root"
hash = "${hashOf(rootKey)}"
roles = ["admin"]

[[keys]]
name = "course"
hash = "${hashOf(courseKey)}"
roles = ["submit", "read"]
rate = 10
`;

interface Made {
  id: string;
  name: string;
  secret: string;
}

/** Asks the API with a key, without the page. */
async function ask(server: Server, key: string, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  const method = body === undefined ? "GET" : "POST";
  return server.call(path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function make(server: Server, request: object, key = rootKey): Promise<Made> {
  const response = await ask(server, key, "/v1/keys", request);
  expect(response.status).toBe(201);
  return (await response.json()) as Made;
}

const question = (page: Page) => page.getByRole("dialog", { name: "API key" });

async function give(page: Page, key: string): Promise<void> {
  await question(page).getByLabel("Key", { exact: true }).fill(key);
  await page.keyboard.press("Enter");
}

/** A server with the keys of the configuration, for as long as the work lasts. */
async function withKeys(work: (server: Server) => Promise<void>, settings = configured): Promise<void> {
  const server = await Server.make({ settings });
  try {
    await work(server);
  } finally {
    await server.remove();
  }
}

test("a wrong key and one that expired are told; a right one opens, and is forgotten", async ({
  page,
  context,
}) => {
  await withKeys(async (server) => {
    const until = new Date(Date.now() + 2000).toISOString();
    const short = await make(server, { name: "short", roles: ["read"], expires_at: until });
    const requests: Request[] = [];
    page.on("request", (r) => requests.push(r));
    await page.goto(`${server.url}/#/cluster`);
    await expect(question(page)).toContainText("This server asks for an API key.");
    await expectAccessible(page);

    await give(page, "not-the-key");
    await expect(question(page).getByRole("alert")).toContainText("The server does not know this key");
    await expect(question(page).getByLabel("Key", { exact: true })).toHaveAttribute("aria-invalid", "true");
    await expectAccessible(page);
    await give(page, "schlüssel");
    await expect(question(page).getByRole("alert")).toContainText("no spaces");
    await expect.poll(async () => (await ask(server, short.secret, "/v1/self")).status).toBe(401);
    await give(page, short.secret);
    await expect(question(page).getByRole("alert")).toContainText("this key expired at");
    expect(await stored(page)).toEqual({ session: "", local: "" });

    await give(page, courseKey);
    await expect(question(page)).toBeHidden();
    await expect(page.getByText("No worker is registered: jobs wait.")).toBeVisible();
    await page.reload();
    await expect(page.getByRole("link", { name: "Access: course, submit and read" })).toBeVisible();
    expect(await stored(page)).toEqual({ session: courseKey, local: "" });

    const other = await context.newPage();
    const faults = watch(other);
    await other.goto(`${server.url}/#/access`);
    await expect(question(other)).toBeVisible(); // the key is of the one tab alone
    await other.keyboard.press("Escape");
    await expect(other.getByText("This tab has no key, and the server asks for one.")).toBeVisible();
    await other.getByRole("banner").getByRole("button", { name: "Enter a key" }).click();
    await give(other, rootKey);
    await expect(other.getByRole("link", { name: "Access: root, admin" })).toBeVisible();
    expect(faults).toEqual([]);
    await other.close();

    await page.getByRole("link", { name: /^Access/ }).click();
    await page.getByRole("button", { name: "Forget the key" }).click();
    await expect(page.getByText("This tab has no key, and the server asks for one.")).toBeVisible();
    await expect(question(page)).toBeHidden();
    expect(await stored(page)).toEqual({ session: "", local: "" });
    await page.reload();
    await expect(question(page)).toBeVisible();
    await checkRequests(requests, server);
  });
});

/** What the page keeps, as text; the theme aside. */
function stored(page: Page): Promise<{ session: string; local: string }> {
  return page.evaluate(() => ({
    session: Object.values(sessionStorage).join(" "),
    local: Object.entries(localStorage)
      .filter(([name]) => name !== "optimus.theme")
      .join(" "),
  }));
}

/** No address and no referrer has a key; all goes to the server, and what needs a key has it in its header. */
async function checkRequests(requests: Request[], server: Server): Promise<void> {
  expect(requests.length).toBeGreaterThan(10);
  const headers = await Promise.all(requests.map((r) => r.allHeaders()));
  const seen = requests.map((r, i) => `${r.url()} ${headers[i]?.referer ?? ""} ${headers[i]?.cookie ?? ""}`);
  for (const text of seen) expect(text).not.toMatch(/secret|not-the-key|optimus_/);
  expect(requests.filter((r) => !r.url().startsWith(`${server.url}/`)).map((r) => r.url())).toEqual([]);
  expect(headers.some((h) => h.authorization === `Bearer ${courseKey}`)).toBe(true);
}

test("it says who one is, and shows what a role may not do as disabled, with the reason", async ({
  page,
}) => {
  await withKeys(async (server) => {
    expect((await ask(server, courseKey, "/v1/jobs", { language: "python", source_code: "1" })).status).toBe(
      202,
    );
    await page.goto(`${server.url}/#/access`);
    await give(page, courseKey);
    const you = page.getByRole("region", { name: "The key of this tab" });
    await expect(you).toContainText("course");
    await expect(you).toContainText("submit, read");
    await expect(you).toContainText("600 a minute");
    await expect(you).toContainText("It never expires");
    const roles = page.getByRole("region", { name: "What the roles allow" }).getByRole("listitem");
    await expect(roles).toHaveText([/submit.*You may\.$/, /read.*You may\.$/, /admin.*You may not\.$/]);

    const reason = "This needs a key with the role admin; yours has submit, read.";
    const add = page.getByRole("button", { name: "New key" });
    await expect(add).toHaveAttribute("aria-disabled", "true");
    await expect(add).toHaveAccessibleDescription(reason);
    await add.focus();
    await page.keyboard.press("Enter");
    await expect(page.getByRole("dialog")).toBeHidden();
    await page.getByText("What may be submitted at most").click();
    await expect(page.getByText("Processes and threads")).toBeVisible();
    await everyone(page);

    await page.getByRole("link", { name: "Cluster" }).click();
    for (const name of ["Pause the queue default", "Drain the queue default"]) {
      const button = page.getByRole("button", { name });
      await expect(button).toHaveAttribute("aria-disabled", "true");
      await expect(button).toHaveAccessibleDescription(reason);
    }
    await expect(page.getByText("Pause, drain and resume are not yours")).toBeVisible();
    await expectAccessible(page);
  });
});

/** Both colours, wide and narrow. */
async function everyone(page: Page): Promise<void> {
  for (const width of [390, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    for (const theme of ["light", "dark"] as const) {
      await setTheme(page, theme);
      await expectAccessible(page);
    }
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wider).toBeLessThanOrEqual(0);
  }
}

test("the first key closes a server; keys are made, rotated and revoked", async ({ page, context }) => {
  await withKeys(async (server) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.goto(`${server.url}/#/access`);
    await expect(page.getByText("This server asks for no key")).toBeVisible();
    const first = await create(page, "root");
    await expect(page.getByText("This tab uses it from now on.")).toBeVisible();
    await page.getByRole("button", { name: "Done" }).click();
    expect((await ask(server, "", "/v1/jobs")).status).toBe(401);
    await expect(page.getByRole("link", { name: "Access: root, admin" })).toBeVisible();
    expect(await stored(page)).toEqual({ session: first, local: "" });

    const course = await create(page, "course-2", "In 30 days");
    await page.getByRole("button", { name: "Done" }).click();
    expect(await (await ask(server, course, "/v1/self")).json()).toMatchObject({ roles: ["submit", "read"] });
    const keys = page.getByRole("region", { name: "API keys of the store, oldest first" });
    await expect(keys.getByRole("row")).toHaveCount(3);
    await expect(keys).not.toContainText(course);
    await everyone(page);

    await act(page, /^Revoke the key .* of root$/, "Revoke");
    await expect(page.getByRole("dialog").getByRole("alert")).toContainText(
      "is the last key with the role admin",
    );
    await page.getByRole("button", { name: "Cancel" }).click();

    await page.getByRole("button", { name: /^Rotate the key .* of root$/ }).click();
    await page.getByLabel("The old key still holds").selectOption("Not at all: it leaked");
    await page.getByRole("button", { name: "Rotate", exact: true }).click();
    await expect(page.getByText("This tab uses it from now on.")).toBeVisible();
    const second = await page.getByLabel("Key", { exact: true }).inputValue();
    expect((await ask(server, first, "/v1/jobs")).status).toBe(401);
    await page.keyboard.press("Escape");
    await expect(page.getByText("It was not copied, and is not shown again.")).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toBeHidden();
    expect(await stored(page)).toEqual({ session: second, local: "" });

    await act(page, /^Revoke the key .* of course-2$/, "Revoke");
    await expect(page.getByRole("dialog")).toBeHidden();
    await expect(keys.getByRole("row")).toHaveCount(2);
    expect((await ask(server, course, "/v1/jobs")).status).toBe(401);
  }, "");
});

async function act(page: Page, button: RegExp, then: string): Promise<void> {
  await page.getByRole("button", { name: button }).click();
  await page.getByRole("button", { name: then, exact: true }).click();
}

/** Makes a key by the page, by keyboard alone, and gives it as it was copied. */
async function create(page: Page, name: string, expires?: string): Promise<string> {
  await page.getByRole("button", { name: "New key" }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "New key" });
  await expect(dialog.getByRole("textbox", { name: "Tenant" })).toBeFocused();
  await page.keyboard.type("No name");
  await page.keyboard.press("Enter");
  await expect(dialog.getByRole("alert")).toContainText("must be a lower-case name");
  await expect(dialog.getByRole("textbox", { name: "Tenant" })).toHaveAttribute("aria-invalid", "true");
  await expectAccessible(page);
  await dialog.getByRole("textbox", { name: "Tenant" }).fill(name);
  if (expires) await dialog.getByLabel("Expires").selectOption(expires);
  await page.keyboard.press("Enter");
  const shown = page.getByRole("dialog", { name: "The new key" });
  await shown.getByRole("button", { name: "Copy the key" }).click();
  await expect(shown.getByRole("button", { name: "Copied" })).toBeVisible();
  await expectAccessible(page);
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toMatch(/^optimus_/);
  await expect(shown.getByLabel("Key", { exact: true })).toHaveValue(copied);
  return copied;
}

test("a key that is revoked in mid-use is asked for again, and what was to be done is done", async ({
  page,
}) => {
  await withKeys(async (server) => {
    await ask(server, rootKey, "/v1/jobs", { language: "python", source_code: "1" });
    const admin = await make(server, { name: "operator", roles: ["admin"] });
    await page.goto(`${server.url}/#/cluster`);
    await give(page, admin.secret);
    const pause = page.getByRole("button", { name: "Pause the queue default" });
    await pause.click();
    const headers = { Authorization: `Bearer ${rootKey}` };
    expect((await server.call(`/v1/keys/${admin.id}`, { method: "DELETE", headers })).status).toBe(204);
    await expect(question(page)).toContainText("The server does not know this key"); // the view asked
    await page.keyboard.press("Escape");
    await expect(
      page.getByText("The server takes this tab’s key no more: what is shown here is old."),
    ).toBeVisible();
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await expect(question(page)).toContainText("The server does not know this key"); // the user asked
    await give(page, rootKey);
    await expect(page.getByRole("dialog")).toHaveCount(0); // nor the one of the queue
    await expect(page.getByRole("button", { name: "Resume the queue default" })).toBeVisible();
    await expect(page.getByRole("link", { name: "Access: root, admin" })).toBeVisible();
    const queue = await (await ask(server, rootKey, "/v1/queues/default")).json();
    expect(queue).toMatchObject({ state: "paused" });
  });
});

test("streams have the key in their header; who gave none can give one later", async ({ page }) => {
  await withKeys(async (server) => {
    const requests: Request[] = [];
    page.on("request", (r) => requests.push(r));
    await page.goto(`${server.url}/#/run`);
    await give(page, courseKey);
    await expect(page.getByRole("textbox", { name: /^Source code/ })).toBeVisible();
    await page.evaluate(() => sessionStorage.clear());
    await page.reload();
    await expect(question(page)).toBeVisible();
    await page.keyboard.press("Escape"); // no key now, later
    await expectAccessible(page);
    await expect(question(page)).toBeHidden();
    await page.getByRole("banner").getByRole("button", { name: "Enter a key" }).click();
    await give(page, courseKey);
    await expect(page.getByRole("link", { name: "Access: course, submit and read" })).toBeVisible();
    await expect(page.getByRole("textbox", { name: /^Source code/ })).toBeVisible();
    const stream = page.waitForRequest(/\/v1\/jobs\/[0-9a-f-]+\/events$/);
    await page.keyboard.press("Control+Enter");
    const headers = await (await stream).allHeaders();
    expect(headers.authorization).toBe(`Bearer ${courseKey}`);
    expect(headers.accept).toBe("text/event-stream");
    await checkRequests(requests, server);
  });
});
