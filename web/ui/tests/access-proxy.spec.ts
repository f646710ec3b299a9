import { createServer, request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, expectAccessible, type Server, test } from "./fixtures";
import { expectVerdict, output, packed } from "./run";

/** A reverse proxy on loopback that has the server below /optimus/, and knows of nothing else. */
async function proxyOf(server: Server): Promise<{ url: string; strange: string[]; close(): Promise<void> }> {
  const strange: string[] = [];
  const proxy = createServer((incoming, answer) => {
    const path = incoming.url ?? "/";
    if (!path.startsWith("/optimus/")) {
      strange.push(path);
      answer.writeHead(404).end();
      return;
    }
    const { host: _, ...headers } = incoming.headers;
    const forward = send(
      server.url + path.slice("/optimus".length),
      { method: incoming.method ?? "GET", headers: { ...headers, host: new URL(server.url).host } },
      (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      },
    );
    forward.on("error", () => answer.destroy());
    answer.on("close", () => forward.destroy());
    incoming.pipe(forward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/optimus/`,
    strange,
    close: () =>
      new Promise((resolve) => {
        proxy.close(() => resolve());
        proxy.closeAllConnections();
      }),
  };
}

test("everything works below a path of a proxy, streams too", async ({ page, server }) => {
  const proxy = await proxyOf(server);
  try {
    await page.goto(proxy.url);
    await expect(page.locator(".status")).toHaveAttribute("data-state", "ready");
    await page.getByRole("link", { name: "Jobs" }).click();
    await expect(page).toHaveURL(`${proxy.url}#/jobs`);
    await expect(page.getByRole("heading", { name: "Jobs", level: 1 })).toBeVisible();
    await page.getByRole("link", { name: "Cluster" }).click();
    await expect(page.getByRole("region", { name: "How the cluster is" })).toHaveText("All is well");
    await page.getByRole("link", { name: "Access" }).click();
    await expect(page.getByText("This server asks for no key")).toBeVisible();
    await page.reload();
    await expect(page.getByText("This server asks for no key")).toBeVisible();
    await expectAccessible(page);

    // What the program writes before it is done can only come over the stream.
    const source_code =
      "print('begun', flush=True)\nprint(input(), flush=True)\nimport time\ntime.sleep(5)\nprint('done')\n";
    const stream = page.waitForRequest(/\/optimus\/v1\/jobs\/[0-9a-f-]+\/events$/);
    await page.goto(`${proxy.url}#/run?s=${packed({ language: "python", source_code, stdin: "given" })}`);
    await expect(page.getByText("Opened from a link.")).toBeVisible();
    await page.keyboard.press("Control+Enter");
    expect((await stream).headers().accept).toBe("text/event-stream");
    await expect(output(page, "Standard output")).toContainText("begun\ngiven");
    await expectVerdict(page, "Accepted");
    await expect(output(page, "Standard output")).toHaveText("begun\ngiven\ndone\n");

    expect(proxy.strange).toEqual([]);
    await page.getByRole("link", { name: "API reference" }).click();
    await expect(page).toHaveURL(`${proxy.url}docs`);
    await expect(page).toHaveTitle(/API reference/);
    // It names no icon, so the browser looks for one by itself.
    expect(proxy.strange.filter((path) => path !== "/favicon.ico")).toEqual([]);
  } finally {
    await proxy.close();
  }
});
