import { expect, test } from "./fixtures";
import { expectVerdict, open, output, source, start } from "./run";

/** What programs may write to harm who looks at it, or to deceive them. */
const hostile = String.raw`
import sys
w = sys.stdout.buffer.write
w(b"<script>document.title='owned'</script>\n")
w(b"<img src=x onerror=\"document.title='owned'\">\n")
w(b"</pre></section><iframe srcdoc='<script>top.document.title=1</script>'></iframe>\n")
w(b"javascript:alert(1) \" ' onmouseover=x data:text/html,<b>\n")
w(b"\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J\x9b31m\n")
w("user‮gnp.exe⁦x⁩ zero​width﻿ soft­hyphen\n".encode())
w(b"nul:\x00 bell:\x07 back:ab\x08c return:over\rwritten del:\x7f\n")
w(b"bytes:\xff\xfe\xc3( \xed\xa0\x80\n")
w("tags:󠁁󠁂 line separator\n".encode())
sys.stderr.write("<script>document.title='owned'</script>\x1b[8mhidden\n")
`;

test("hostile output is text, and nothing of it is hidden", async ({ page, server }) => {
  const dialogs: string[] = [];
  page.on("dialog", (d) => {
    dialogs.push(d.message());
    void d.dismiss();
  });
  const foreign: string[] = [];
  page.on("request", (r) => {
    if (new URL(r.url()).origin !== server.url) foreign.push(r.url());
  });
  await start(page, {
    language: "python",
    source_code: hostile,
    tests: [{ id: "<b>t</b>\u202e", expected_output: "<i>‮</i>" }],
  });
  await expectVerdict(page, "Wrong answer");
  const out = output(page, "Standard output");
  await expect(out).toContainText("<script>document.title='owned'</script>");
  await expect(out).toContainText(`<img src=x onerror="document.title='owned'">`);
  await expect(out).toContainText("␛[31mred␛[0m ␛]0;title␇ ␛[2J");
  await expect(out).toContainText(
    "user⟨U+202E⟩gnp.exe⟨U+2066⟩x⟨U+2069⟩ zero⟨U+200B⟩width⟨U+FEFF⟩ soft⟨U+00AD⟩hyphen",
  );
  await expect(out).toContainText("nul:␀ bell:␇ back:ab␈c return:over␍written del:␡");
  await expect(out).toContainText(String.raw`bytes:\xFF\xFE\xC3( \xED\xA0\x80`);
  await expect(out).toContainText("tags:⟨U+E0041⟩⟨U+E0042⟩");
  await expect(out).toContainText(String.raw`\x9B31m`);
  const shown = (await out.textContent()) ?? "";
  const compared = (await page.locator(".diff").textContent()) ?? "";
  const unseen = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff]/u;
  expect(shown).not.toMatch(unseen);
  expect(compared).not.toMatch(unseen);
  await expect(page.locator(".diff")).toContainText("⟨U+202E⟩");
  await expect(page.getByRole("heading", { name: "Test <b>t</b>⟨U+202E⟩" })).toBeVisible();
  expect(await page.locator("iframe, .result img[src], .result script, .result b, .result i").count()).toBe(
    0,
  );
  expect(await page.locator("main").textContent()).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/u);
  await expect(page).toHaveTitle("Run · Optimus");
  expect(dialogs).toEqual([]);
  expect(foreign).toEqual([]);
});

test("markup cannot be made of text, even by the page's own fault", async ({ context }) => {
  const other = await context.newPage(); // which may say that it refused
  await other.goto("/");
  const made = await other.evaluate(() => {
    try {
      document.body.innerHTML = "<img src=x onerror=1>";
      return "made";
    } catch (e) {
      return (e as Error).name;
    }
  });
  expect(made).toBe("TypeError");
});

test("a megabyte of output does not freeze the page", async ({ page }) => {
  await page.addInitScript(() => {
    const w = window as unknown as { longest: number };
    w.longest = 0;
    new PerformanceObserver((list) => {
      for (const e of list.getEntries()) w.longest = Math.max(w.longest, e.duration);
    }).observe({ type: "longtask", buffered: true });
  });
  await start(page, {
    language: "python",
    source_code: "import sys\nfor i in range(16384):\n    print(f'{i:07d}', 'x' * 55)\nprint('end')\n",
    tests: [{ expected_output: "y\n".repeat(20_000) }],
    limits: { output_bytes: 2 << 20 },
  });
  await expectVerdict(page, "Wrong answer");
  const out = page.getByRole("region", { name: "Standard output", exact: true });
  await expect(out).toContainText("1.00 MiB");
  expect(await page.locator("*").count()).toBeLessThan(5000);
  // It answers: another view, and back.
  await out.getByRole("button", { name: "Show more" }).click();
  await expect(out.locator("pre")).toContainText("0004500 ");
  await page.getByRole("link", { name: "Cluster" }).click();
  await expect(page.getByRole("heading", { name: "Cluster", level: 1 })).toBeVisible();
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "Run" }).click();
  await out.getByRole("button", { name: "Save" }).click();
  const stream = await (await download).createReadStream();
  let size = 0;
  for await (const piece of stream) size += (piece as Buffer).length;
  expect(size).toBe(16384 * 64 + 4);
});

test("a single line of a megabyte, and one of control characters, are shown in part", async ({ page }) => {
  for (const program of [
    "print('x' * 1000000, end='')",
    "print('\\x1b[0m' * 200000, end='')",
    "import sys\nsys.stdout.buffer.write(b'\\xff' * 900000)",
  ]) {
    await page.goto("about:blank");
    await start(page, { language: "python", source_code: program, limits: { output_bytes: 2 << 20 } });
    await expectVerdict(page, "Accepted");
    await expect(page.getByRole("button", { name: "Show more" })).toBeVisible();
    expect(await page.locator("*").count()).toBeLessThan(5000);
  }
});

test("output over its limit is said to be truncated", async ({ page }) => {
  await start(page, {
    language: "python",
    source_code: "print('x' * 100000)",
    limits: { output_bytes: 10_240 },
  });
  await expectVerdict(page, "Output limit exceeded");
  const out = page.getByRole("region", { name: "Standard output", exact: true });
  await expect(out.getByText("Truncated")).toBeVisible();
  await expect(out).toContainText("The program wrote more than is kept");
});

test("a command to copy holds nothing that is unseen or steers a terminal", async ({ page }) => {
  const text = "\x7f\x9b201~\u202e\u2066\u{e0041}\u200b ✓ 😀";
  await open(page, { language: "python", source_code: `print('${text}')\n`, stdin: text });
  await page.getByRole("button", { name: "Export" }).click();
  const command = (await page.getByRole("region", { name: "Command" }).textContent()) ?? "";
  expect(command).not.toMatch(/[\x00-\x1f\x7f-\x9f\u200b\u202e\u2066\u{e0041}]/u);
  expect(command).toContain(String.raw`\u007f\u009b201~\u202e\u2066\udb40\udc41\u200b ✓ 😀`);
  await page.getByRole("tab", { name: "As JSON" }).click();
  const json = (await page.getByRole("region", { name: "JSON" }).textContent()) ?? "";
  expect(JSON.parse(json)).toEqual({ language: "python", source_code: `print('${text}')\n`, stdin: text });
});

test("the editor names what is unseen in a source, whoever has sent it", async ({ page }) => {
  const all = ["\u202a", "\u202e", "\u2068", "\u200d", "\u3164", "\u{e0041}", "\u2064", "\x9b"];
  await open(page, { language: "python", source_code: `# ${all.join(" ")} \u2713\n` });
  await expect(page.locator(".cm-specialChar")).toHaveCount(all.length);
  await expect(source(page)).toContainText("✓");
});
