import { execFileSync } from "node:child_process";
import { expect, test } from "./fixtures";
import { expectVerdict, jobOf, open, output, packed, source, start } from "./run";

test("who opens the page finds a program, and runs it by Ctrl+Enter", async ({ page }) => {
  await page.goto("/");
  await expect(source(page)).toContainText("print('Hello, world!')");
  await page.keyboard.press("Control+Enter");
  await expectVerdict(page, "Accepted");
  await expect(output(page, "Standard output")).toHaveText("Hello, world!\n");
  await expect(page.getByRole("img", { name: /^CPU time: .* of its limit$/ })).toBeVisible();
  await expect(page.getByRole("img", { name: /^Memory: .* MiB, \d+ % of its limit$/ })).toBeVisible();
  await expect(page.getByText("status 0")).toBeVisible();
});

test("the editor indents, closes brackets, and is left by Escape and Tab", async ({ page }) => {
  await page.goto("/");
  await source(page).click();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("def f(x):\nreturn x + 1\n\n");
  await page.keyboard.press("Backspace");
  await page.keyboard.type("print(f(41)");
  await expect(source(page)).toContainText("    return x + 1");
  await page.keyboard.press("Control+Enter");
  await expect(output(page, "Standard output")).toHaveText("42\n");
  await source(page).focus();
  await page.keyboard.press("Tab");
  await expect(source(page)).toBeFocused();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  await expect(source(page)).not.toBeFocused();
});

test("another language has its own sample, and what was written is found again", async ({ page }) => {
  await page.goto("/");
  await source(page).click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.type("# mine\n");
  const language = page.getByLabel("Language");
  await language.selectOption({ label: "C++23 (GCC 14)" });
  await expect(source(page)).toContainText("#include <iostream>");
  await page.getByLabel("Sample").selectOption("One with an error");
  await expect(source(page)).toContainText("this is ((( no program ]");
  await language.selectOption({ label: "Python 3.13" });
  await expect(source(page)).toContainText("# mine");
});

test("tests are judged one by one, with their difference and their limits", async ({ page }) => {
  await page.goto("/");
  await page.getByLabel("Sample").selectOption("Hello, world");
  await open(page, {
    language: "python",
    source_code: "a, b = map(int, input().split())\nprint(a + b)\nprint('x  y\\t')\n",
  });
  await page.getByRole("tab", { name: "Tests" }).click();
  await page.getByRole("button", { name: "Add a test" }).click();
  await page.getByLabel("Input of test 1").fill("1 2\n");
  await page.getByLabel("Expected output of test 1").fill("3\nx  y\t\n");
  await page.getByRole("button", { name: "Add a test" }).click();
  await page.getByLabel("Input of test 2").fill("40 2\n");
  await page.getByLabel("Expected output of test 2").fill("42\nx y\n");
  const second = page.locator(".rows details").nth(1);
  await second.getByLabel("Weight").fill("3");
  await second.getByLabel("Checker").selectOption("exact");
  await page.keyboard.press("Control+Enter");
  await expectVerdict(page, "Presentation error");
  await expect(page.getByText("1 of 2 tests · score 1 of 4")).toBeVisible();
  const table = page.getByRole("table", { name: "Verdicts of the tests" });
  await expect(table.getByRole("row")).toHaveCount(3);
  await expect(table.getByRole("row", { name: /^1 Accepted/ })).toBeVisible();
  // The one that failed is shown: its white space can be seen.
  await expect(page.getByRole("heading", { name: "Test 2" })).toBeVisible();
  const diff = page.getByRole("region", { name: "Difference, line by line" });
  await expect(diff.locator("tr[data-kind=expected]")).toHaveText(/x·y↵/);
  await expect(diff.locator("tr[data-kind=actual]")).toHaveText(/x··y→\t↵/);
  await table.getByRole("button", { name: "1", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Test 1" })).toBeVisible();
  await expect(diff).toBeHidden();
});

test("numbers are compared within a tolerance, and a test without expected output is only run", async ({
  page,
}) => {
  await open(page, {
    language: "python",
    source_code: "print(3.1416)",
    tests: [{ expected_output: "3.14159" }],
  });
  await page.getByLabel("Checker").selectOption("float");
  await page.getByLabel("Absolute").fill("0.001");
  await page.keyboard.press("Control+Enter");
  await expectVerdict(page, "Accepted");
  await page.getByLabel("Checker").selectOption("none");
  await expect(page.getByLabel("Expected output of test 1")).toBeHidden();
  await page.getByRole("button", { name: "Export" }).click();
  await page.getByRole("tab", { name: "As JSON" }).click();
  await expect(page.getByRole("region", { name: "JSON" })).toContainText('"absolute": 0.001'); // what was sent
});

test("a compiler's messages lead to the line", async ({ page }) => {
  await start(page, {
    language: "cpp",
    source_code: "#include <iostream>\n\nint main() {\n  int x = 1\n  std::cout << y;\n}\n",
  });
  await expectVerdict(page, "Compile error");
  const messages = page.getByRole("region", { name: "Compiler messages" });
  await messages.getByRole("button", { name: /^main\.cpp:5:/ }).click();
  await expect(source(page)).toBeFocused();
  await expect(page.locator(".cm-activeLine")).toContainText("std::cout << y;");
  await expect(page.locator(".cm-lint-marker-error")).not.toHaveCount(0);
});

test("long messages of a compiler lead to their lines too, and are wrapped or not", async ({ page }) => {
  const source_code = `${"int f() { return undeclared_name; }\n".repeat(300)}int main() {}\n`;
  await start(page, { language: "cpp", source_code });
  await expectVerdict(page, "Compile error");
  const messages = page.getByRole("region", { name: "Compiler messages", exact: true });
  await expect(messages.getByRole("button", { name: "Show more" })).toBeVisible();
  await messages.getByRole("button", { name: "main.cpp:3:18" }).click();
  await expect(page.locator(".cm-lineNumbers .cm-activeLineGutter")).toHaveText("3");
  await messages.getByRole("button", { name: "Wrap" }).click();
  await expect(messages.locator("pre")).toHaveCSS("white-space", "pre");
  await messages.getByRole("button", { name: "Show more" }).click();
  await messages.getByRole("button", { name: "main.cpp:2:18" }).click();
  await expect(page.locator(".cm-lineNumbers .cm-activeLineGutter")).toHaveText("2");
});

test("a traceback leads to the line", async ({ page }) => {
  await start(page, { language: "python", source_code: "def f():\n    return 1 / 0\n\nf()\n" });
  await expectVerdict(page, "Runtime error");
  const stderr = page.getByRole("region", { name: "Standard error", exact: true });
  await expect(stderr).toContainText("ZeroDivisionError");
  await stderr.getByRole("button", { name: /line 2/ }).click();
  await expect(page.locator(".cm-activeLine")).toContainText("return 1 / 0");
});

test("a message beside a line is brief, and what is unseen is named in it", async ({ page }) => {
  const source_code = "raise Exception('\u202e'.encode().decode() + 'x' * 5000)\n".replace(
    "\u202e",
    "\\u202e",
  );
  await start(page, { language: "python", source_code });
  await expectVerdict(page, "Runtime error");
  await page.locator(".cm-lint-marker-error").hover();
  const told = page.locator(".cm-tooltip-lint");
  await expect(told).toContainText("Exception: ⟨U+202E⟩xxx");
  expect((await told.textContent())?.length).toBeLessThan(600);
});

test("the test that failed is in sight in a long table; what was refused has none", async ({ page }) => {
  const tests = Array.from({ length: 40 }, (_, i) => ({
    input: `${i}`,
    expected_output: i === 30 ? "x" : `${i}`,
  }));
  await start(page, { language: "python", source_code: "print(input())\n", tests });
  await expectVerdict(page, "Wrong answer");
  const table = page.getByRole("table", { name: "Verdicts of the tests" });
  await expect(table.getByRole("button", { name: "31", exact: true })).toBeInViewport();
  await expect(page.getByRole("heading", { name: "Test 31" })).toBeInViewport();
  await start(page, { language: "python", source_code: "", tests: [{ id: "x".repeat(65) }, {}] });
  await expectVerdict(page, "Not run");
  await expect(page.getByRole("alert")).toContainText("at most 64");
  await expect(table).toBeHidden();
});

test("output comes while the program runs, and it can be cancelled", async ({ page }) => {
  await start(page, {
    language: "python",
    source_code: "import time\nprint('first', flush=True)\ntime.sleep(50)\nprint('never')\n",
    limits: { wall_ms: 59_000 },
  });
  await expect(output(page, "Standard output")).toHaveText("first\n");
  await expect(page.getByRole("button", { name: "Running…" })).toBeDisabled();
  await page.getByRole("button", { name: "Cancel" }).click();
  await expectVerdict(page, "Cancelled");
  await expect(output(page, "Standard output")).toHaveText("first\n"); // what was seen is not lost
  await expect(page.getByRole("button", { name: "Run", exact: true })).toBeEnabled();
});

test("who loads the page again in mid-job goes on following it", async ({ page, context }) => {
  const program =
    "import time\nfor i in range(4):\n    print('step', i, flush=True)\n    time.sleep(1)\nprint('done')\n";
  await start(page, { language: "python", source_code: program, stdin: "x" });
  await expect(output(page, "Standard output")).toContainText("step 1");
  const id = await jobOf(page);
  await page.reload();
  await expect(source(page)).toContainText("time.sleep(1)");
  await expect(output(page, "Standard output")).toContainText("step 0");
  await expectVerdict(page, "Accepted");
  await expect(output(page, "Standard output")).toContainText("done");
  expect(await jobOf(page)).toBe(id);
  // In another tab the address shows the job, and what was submitted.
  const other = await context.newPage();
  await other.goto(page.url());
  await expectVerdict(other, "Accepted");
  await expect(source(other)).toContainText("time.sleep(1)");
  await other.close();
});

test("a view that was left for another goes on", async ({ page }) => {
  await start(page, { language: "python", source_code: "import time\ntime.sleep(2)\nprint('done')\n" });
  await jobOf(page);
  await page.getByRole("link", { name: "Jobs" }).click();
  await expect(page.getByRole("heading", { name: "Jobs", level: 1 })).toBeVisible();
  await page.getByRole("link", { name: "Run" }).click();
  await expectVerdict(page, "Accepted");
  await expect(output(page, "Standard output")).toHaveText("done\n");
});

test("an answer that is lost on its way makes no second job", async ({ page, server }) => {
  let lost = 0;
  await page.route("**/v1/jobs", async (route) => {
    if (route.request().method() !== "POST" || lost++ > 0) return route.continue();
    await route.fetch();
    await route.abort("connectionreset");
  });
  const mark = `print('once ${Date.now()}')`;
  await start(page, { language: "python", source_code: mark });
  await expectVerdict(page, "Accepted");
  const list = (await (await server.call("/v1/jobs?limit=2")).json()) as { jobs: { id: string }[] };
  const sources = await Promise.all(
    list.jobs.map(async (j) => (await server.call(`/v1/jobs/${j.id}?include=submission`)).text()),
  );
  expect(sources.filter((text) => text.includes(mark))).toHaveLength(1);
});

test("what the server refuses is said, field by field", async ({ page }) => {
  await open(page, { language: "python", source_code: "print(1)" });
  await page.getByRole("tab", { name: "Limits" }).click();
  await page.getByLabel("CPU time").fill("a lot");
  await page.keyboard.press("Control+Enter");
  await expect(page.getByRole("alert")).toContainText("CPU time: “a lot” is no number above 0.");
  await page.getByLabel("CPU time").fill("999999999");
  await page.keyboard.press("Control+Enter");
  await expect(page.getByRole("region", { name: "Result" }).getByRole("alert")).toContainText(
    "#/limits/cpu_ms",
  );
  await page.getByLabel("CPU time").fill("300");
  await page.getByLabel("Memory").fill("64");
  await page.getByLabel("Sample").selectOption("One that never ends");
  await page.keyboard.press("Control+Enter");
  await expectVerdict(page, "Time limit exceeded");
  await expect(page.getByRole("img", { name: "CPU time" })).toHaveAccessibleName(/100 % of its limit/);
});

test("a shared link opens what was shared, and what was there can be had back", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const submission = {
    language: "cpp",
    source_code: "int main() { return 0; } // ünïcode ✓\n",
    args: ["a b"],
    limits: { cpu_ms: 500, memory_bytes: 64 << 20 },
    stop_on_failure: true,
    tests: [
      { input: "1\n", expected_output: "", weight: 2 },
      { id: "two", input: "2", expected_output: "x", checker: { kind: "tokens" } },
    ],
  };
  await open(page, submission);
  await page.getByRole("button", { name: "Share" }).click();
  const link = await page.getByLabel("Link").inputValue();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(link);
  const other = await context.newPage();
  await other.goto("/");
  await source(other).click();
  await other.keyboard.type("# before ");
  await other.goto(link);
  await expect(other.getByText("Opened from a link.")).toBeVisible();
  await expect(source(other)).toContainText("ünïcode ✓");
  await other.getByRole("button", { name: "Export" }).click();
  await other.getByRole("tab", { name: "As JSON" }).click();
  const json = await other.getByRole("region", { name: "JSON" }).textContent();
  expect(JSON.parse(json ?? "")).toEqual(submission);
  await other.keyboard.press("Escape");
  await other.getByRole("button", { name: "Undo" }).click();
  await expect(source(other)).toContainText("# before");
  await other.close();
});

test("a bad link says what is wrong with it", async ({ page }) => {
  const whole = packed({ language: "python", source_code: "print('cut')\n".repeat(50) });
  for (const [s, says] of [
    [whole.slice(0, -8), "This link is damaged"],
    ["%00%00", "This link is damaged"],
    [packed("just text"), "This link holds no submission"],
    [packed({ language: 7 }), "This link holds no submission"],
    [packed({ language: "python", tests: [{ input: { deep: 1 } }] }), "This link holds no submission"],
    [packed("x".repeat(5 << 20)), "This link holds too much"],
  ] as const) {
    await page.goto("about:blank");
    await page.goto(`/#/run?s=${s}`);
    await expect(page.getByRole("alert")).toContainText(says);
    await expect(page).toHaveURL(/#\/run$/);
  }
});

test("too much for a link is said", async ({ page }) => {
  await page.goto("/");
  await source(page).click();
  const noise = Array.from({ length: 4000 }, () => Math.random().toString(36).slice(2)).join("");
  await page.keyboard.insertText(`# ${noise}`);
  await page.getByRole("button", { name: "Share" }).click();
  await expect(page.getByRole("alert")).toContainText("too much for a link");
});

test("what was sent can be had as a command that does the same", async ({ page, server }) => {
  await start(page, {
    language: "python",
    source_code: "print('it''s', \"$HOME\", `x`)\n# 'quoted' \\ $(id)\n",
    stdin: "a'b\n",
  });
  await expectVerdict(page, "Runtime error");
  await page.getByRole("button", { name: "Export" }).click();
  await expect(page.getByRole("dialog", { name: "What was sent" })).toBeVisible();
  const command = await page.getByRole("region", { name: "Command" }).textContent();
  // What a shell makes of it.
  const words = execFileSync("bash", ["-c", `curl() { printf '%s\\0' "$@"; }\n${command}`], {
    encoding: "utf8",
  }).split("\0");
  expect(words.slice(0, 4)).toEqual([
    `${server.url}/v1/jobs?wait=30s`,
    "-H",
    "Content-Type: application/json",
    "--data-binary",
  ]);
  const answer = await fetch(words[0] ?? "", {
    method: "POST",
    body: words[4] ?? "",
    headers: { "Content-Type": "application/json" },
  });
  expect(await answer.json()).toMatchObject({ verdict: "runtime_error", state: "completed" });
  expect(JSON.parse(words[4] ?? "")).toMatchObject({ stdin: "a'b\n" });
});

test("the tab keeps what is written, and another tab has none of it", async ({ page, context }) => {
  await page.goto("/");
  await page.getByLabel("Standard input").last().fill("mine alone");
  await page.reload();
  await expect(page.getByLabel("Standard input").last()).toHaveValue("mine alone");
  const other = await context.newPage();
  await other.goto("/");
  await expect(other.getByLabel("Standard input").last()).toHaveValue("");
  await other.close();
});
