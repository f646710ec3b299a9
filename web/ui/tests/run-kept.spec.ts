import { expect, expectAccessible, test } from "./fixtures";
import { expectVerdict, jobOf, open, output, packed, source, start } from "./run";

test("the tab keeps what stands in the form, finished or not", async ({ page }) => {
  await open(page, {
    language: "python",
    source_code: "print(1)",
    tests: [{ id: "bytes", input: "/wCA", expected_output: "", encoding: "base64" }, { input: "kept" }],
  });
  await page.getByRole("tab", { name: "Standard input" }).click();
  await page.getByRole("textbox", { name: "Standard input" }).fill("of no use yet");
  await page.getByRole("tab", { name: "Limits" }).click();
  await page.getByLabel("CPU time").last().fill("12 apples");
  await source(page).click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.type("# written last\n");
  await page.reload();
  await expect(source(page)).toContainText("# written last");
  await page.getByRole("tab", { name: "Limits" }).click();
  await expect(page.getByLabel("CPU time").last()).toHaveValue("12 apples");
  await page.getByLabel("CPU time").last().fill("");
  await page.getByRole("tab", { name: "Tests" }).click();
  await expect(page.locator(".rows .name")).toHaveText(["bytes", "2"]);
  await expect(page.getByText("3 B that are no text")).toBeVisible();
  await page.getByRole("button", { name: "Remove all" }).click();
  await page.getByRole("tab", { name: "Standard input" }).click();
  await expect(page.getByRole("textbox", { name: "Standard input" })).toHaveValue("of no use yet");
});

test("what the form has no place for is said, and a link shows no result of before", async ({ page }) => {
  await start(page, { language: "python", source_code: "print('first')" });
  await expectVerdict(page, "Accepted");
  await open(page, {
    language: "python",
    source_code: "print('second')",
    args: ["one\ntwo"],
    queue: "another",
    priority: 3,
    labels: { course: "x" },
    limits: { open_files: 10 },
    tests: [{ limits: { cpu_ms: 100 } }],
  });
  await expect(page.getByText("Left out, since this form has no place for it")).toContainText(
    "the limits open_files, limits of single tests, arguments that are no line each, the queue, the priority, the labels.",
  );
  await expect(page.locator(".verdict")).toHaveCount(0);
  await expect(source(page)).toContainText("second");
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(source(page)).toContainText("first");
});

test("the result of another program is not taken for that of the one in the editor", async ({
  page,
  context,
}) => {
  await start(page, { language: "python", source_code: "print('theirs')" });
  await expectVerdict(page, "Accepted");
  const id = await jobOf(page);
  const other = await context.newPage();
  await other.goto(`/#/run?s=${packed({ language: "python", source_code: "print('mine')" })}`);
  await expect(other.getByText("Opened from a link.")).toBeVisible();
  await other.goto(`/#/run/${id}`);
  await expectVerdict(other, "Accepted");
  await expect(other.getByText("of another program than the one in the editor")).toBeVisible();
  await expectAccessible(other);
  await expect(source(other)).toContainText("mine");
  await other.getByRole("button", { name: "Show that program" }).click();
  await expect(source(other)).toContainText("theirs");
  await expect(other.getByText("This is what was submitted.", { exact: true })).toBeVisible();
  await other.getByRole("button", { name: "Undo" }).click();
  await expect(source(other)).toContainText("mine");
  await other.close();
  // The tab that has run it says nothing of the kind, also once it was loaded again.
  await page.reload();
  await expectVerdict(page, "Accepted");
  await expect(source(page)).toContainText("theirs");
  await expect(page.getByText("of another program")).toHaveCount(0);
});

test("a limit is that of the language that has run, whatever is chosen by now", async ({ page }) => {
  await start(page, { language: "python", source_code: "print(1)", limits: { cpu_ms: 4000 } });
  await expectVerdict(page, "Accepted");
  const bar = page.getByRole("img", { name: /^Memory: / }).first();
  const before = await bar.getAttribute("aria-label");
  await page.getByLabel("Language").selectOption("java");
  await expect(source(page)).toContainText("class");
  await expect(bar).toHaveAttribute("aria-label", before ?? "");
});

test("files are taken wherever they are dropped, and text for the editor goes there", async ({ page }) => {
  await open(page, { language: "python", source_code: "print(input())\n" });
  const drop = (target: string, ...files: [name: string, text: string][]) =>
    page
      .evaluateHandle((all) => {
        const data = new DataTransfer();
        for (const [name, text] of all) data.items.add(new File([text], name));
        return data;
      }, files)
      .then((dataTransfer) => page.dispatchEvent(target, "drop", { dataTransfer }));
  await drop("header.shell", ["1.in", "a\n"], ["1.out", "a\n"]);
  await expect(page.getByText("1 test added")).toBeVisible();
  await expect(page.getByRole("tab", { name: "Tests" })).toHaveAttribute("aria-selected", "true");
  await drop(".cm-content", ["2.in", "b\n"], ["2.out", "c\n"]);
  await expect(page.locator(".rows .name")).toHaveText(["1", "2"]);
  await drop(".cm-content", ["more.py", "print('dropped')\n"]);
  await expect(source(page)).toContainText("print('dropped')");
  await expect(page.locator(".rows .name")).toHaveText(["1", "2"]);
  await page.getByRole("button", { name: "Remove all" }).click();
  await page.keyboard.press("Control+Enter");
  await expect(page.getByRole("region", { name: "Standard error", exact: true })).toContainText("EOF");
});

test("bytes that are no text are saved as they were", async ({ page }) => {
  await start(page, {
    language: "python",
    source_code: "import sys\nsys.stdout.buffer.write(b'\\xff\\xfe caf\\xc3\\xa9 \\x80\\n')\n",
  });
  await expectVerdict(page, "Accepted");
  const out = page.getByRole("region", { name: "Standard output", exact: true });
  await expect(out.getByText("11 B")).toBeVisible();
  await expect(output(page, "Standard output")).toContainText("\\xFF\\xFE café \\x80");
  const download = page.waitForEvent("download");
  await out.getByRole("button", { name: "Save" }).click();
  const pieces: Buffer[] = [];
  for await (const piece of await (await download).createReadStream()) pieces.push(piece as Buffer);
  expect(Buffer.concat(pieces).toString("hex")).toBe(
    Buffer.from("\xff\xfe caf\xc3\xa9 \x80\n", "latin1").toString("hex"),
  );
});

test("a sample that takes the place of a program gives it back", async ({ page }) => {
  await page.goto("/");
  await expect(source(page)).toContainText("Hello, world!");
  await page.getByLabel("Sample").selectOption("limit");
  await expect(page.getByRole("button", { name: "Undo" })).toBeHidden(); // a sample is no loss
  await source(page).click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText("print('mine')");
  await page.getByLabel("Sample").selectOption("hello");
  await expect(source(page)).not.toContainText("mine");
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(source(page)).toHaveText("print('mine')");
  await expect(page.getByText("The sample stands")).toBeHidden();
});

test("what is exported is what was sent, and what would be by now", async ({ page }) => {
  await start(page, { language: "python", source_code: "print('sent')\n" });
  await expectVerdict(page, "Accepted");
  await page.getByRole("button", { name: "Export" }).click();
  await expect(page.getByRole("dialog", { name: "What was sent" })).toBeVisible();
  await expect(page.getByRole("button", { name: "Show what would be sent" })).toBeHidden();
  await page.keyboard.press("Escape");
  await source(page).fill("print('since')");
  await page.getByRole("button", { name: "Export" }).click();
  const command = page.getByRole("region", { name: "Command" });
  await expect(page.getByRole("dialog", { name: "What was sent" })).toBeVisible();
  await expect(command).toContainText("'sent'".replaceAll("'", String.raw`'\''`));
  await page.getByRole("button", { name: "Show what would be sent" }).click();
  await expect(page.getByRole("dialog", { name: "What would be sent" })).toBeVisible();
  await expect(command).toContainText("since");
  await page.getByRole("button", { name: "Show what was sent" }).click();
  await expect(command).not.toContainText("since");
});

test("a shared link is shown no longer than it holds what is there", async ({ page }) => {
  await page.goto("/");
  const link = page.getByRole("textbox", { name: "Link" });
  await page.getByRole("button", { name: "Share" }).click();
  await link.focus();
  await page.keyboard.press("Escape");
  await expect(link).toBeHidden();
  await expect(page.getByRole("button", { name: "Share" })).toBeFocused();
  await page.getByRole("button", { name: "Share" }).click();
  await expect(link).toBeVisible();
  await source(page).click();
  await page.keyboard.type("x");
  await expect(link).toBeHidden();
});

test("a link that is opened while a job runs is not taken for that job's program", async ({ page }) => {
  await start(page, { language: "python", source_code: "import time\ntime.sleep(3)\nprint('before')\n" });
  await expect(page.getByRole("button", { name: "Cancel" })).toBeVisible();
  await page.goto(`/#/run?s=${packed({ language: "python", source_code: "print('link')" })}`);
  await expect(page.getByText("The job beside it is of the program before.")).toBeVisible();
  await expect(source(page)).toContainText("link");
  await expectVerdict(page, "Accepted");
  await expect(output(page, "Standard output")).toHaveText("before\n");
});

test("a job that is gone has no result, rather than not been run", async ({ page }) => {
  await page.goto("/#/run/01a216dc-67c7-8000-8000-7a87b5aff69a");
  await expectVerdict(page, "No result");
  await expect(page.getByRole("alert")).toContainText("no such job");
});
