import { createServer, request as send, type Server as Proxy } from "node:http";
import type { AddressInfo } from "node:net";
import type { Page } from "@playwright/test";
import { expect, expectAccessible, type Server, test } from "./fixtures";

/** A reverse proxy on loopback that has the server below /optimus/, and knows of nothing else. */
async function proxyOf(server: Server): Promise<{ url: string; strange: string[]; close(): Promise<void> }> {
  const strange: string[] = [];
  const proxy: Proxy = createServer((incoming, answer) => {
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
    await follow(page);
    await page.getByRole("link", { name: "API reference" }).click();
    await expect(page).toHaveURL(`${proxy.url}docs`);
    await expect(page).toHaveTitle(/API reference/);
    expect(proxy.strange).toEqual([]);
  } finally {
    await proxy.close();
  }
});
