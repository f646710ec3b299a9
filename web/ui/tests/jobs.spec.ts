import { expect, expectAccessible, setTheme, test } from "./fixtures";
import { heading, output, reached, row, shot, step, submit, verdict } from "./jobs";

const sum = "a, b = map(int, input().split())\nprint(a + b)";

const slow = (seconds: number) => ({
  language: "python",
  source_code: `import time\nprint("begun", flush=True)\ntime.sleep(${seconds})\nprint("done")`,
  limits: { wall_ms: 60_000 },
});

test("a job is followed from the queue to its verdict, test by test", async ({ page, server }) => {
  const tests = Array.from({ length: 4 }, (_, i) => ({
    input: `${i}`,
    expected_output: `${i === 2 ? "x" : i}\n`,
  }));
  const source_code = "import time\ntime.sleep(2)\nprint(input())";
  const job = await submit(server, { language: "python", source_code, tests, limits: { wall_ms: 30_000 } });
  await page.goto(`/#/jobs/${job.id}`);
  await expect(heading(page, job.id)).toBeVisible();
  await expect(step(page)).toHaveText(/Test [1-4] of 4/);
  await expect(page).toHaveTitle(/^Running · Job/);
  await shot(page, "job-running");
  await expect(verdict(page)).toHaveText("Wrong answer");
  await expect(page.getByText("3 of 4 tests accepted")).toBeVisible();
  await expect(page).toHaveTitle(/^Wrong answer · Job/);

  const table = page.getByRole("region", { name: "Tests", exact: true }).getByRole("table").first();
  await expect(table.locator("tbody tr")).toHaveCount(4);
  await expect(table.getByRole("img", { name: /^CPU time: .* of its limit$/ })).toHaveCount(4);
  await expect(table.getByRole("img", { name: /^Memory: .* of its limit$/ })).toHaveCount(4);
  // The test that failed is shown, with what differs; others when they are chosen.
  await expect(page.getByRole("heading", { name: "Test 3" })).toBeVisible();
  await expect(page.getByRole("region", { name: "Expected and actual output" })).toContainText("x");
  await table.getByRole("button", { name: "2" }).click();
  await expect(output(page, "Standard output")).toHaveText("1\n");

  const timeline = page.locator(".timeline li");
  await expect(timeline.first()).toContainText("Queued in default");
  await expect(timeline.nth(1)).toContainText("Attempt 1 began on");
  await expect(timeline.last()).toContainText("Completed: wrong answer");
  await expect(page.getByText("3 of 4", { exact: true })).toBeVisible(); // the score
  await expect(output(page, "main.py")).toContainText("time.sleep(2)");
  for (const theme of ["light", "dark"] as const) {
    await setTheme(page, theme);
    await expectAccessible(page);
    await shot(page, `job-${theme}`);
  }
  await page.setViewportSize({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await expectAccessible(page);
  await shot(page, "job-phone");
});

test("a compiler's messages lead to the line of the source", async ({ page, server }) => {
  const job = await submit(server, {
    language: "cpp",
    files: [
      { name: "main.cpp", content: '#include "lib.h"\n\nint main() { return f() }\n' },
      { name: "lib.h", content: "int f() { return 0; }\n" },
    ],
  });
  await page.goto(`/#/jobs/${job.id}`);
  await expect(verdict(page)).toHaveText("Compile error");
  await expect(page.locator(".timeline")).toContainText("It does not compile");
  await expect(output(page, "lib.h")).toContainText("return 0");
  await page
    .getByRole("button", { name: /^main\.cpp:3/ })
    .first()
    .click();
  const line = output(page, "main.cpp").locator('.line[data-marked="true"]');
  await expect(line).toHaveText("int main() { return f() }\n");
  await expect(line).toBeInViewport();
  await expectAccessible(page);
  await shot(page, "job-compile-error");
});

test("a job that runs is cancelled, also after a reload in its middle", async ({ page, server }) => {
  const job = await submit(server, slow(50));
  await page.goto(`/#/jobs/${job.id}`);
  await expect(output(page, "Standard output")).toHaveText("begun\n");
  await page.reload();
  await expect(output(page, "Standard output")).toHaveText("begun\n");
  const remove = page.getByRole("button", { name: "Delete" });
  await expect(remove).toHaveAttribute("aria-disabled", "true");
  await expect(remove).toHaveAccessibleDescription("It has not ended: cancel it first.");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(verdict(page)).toHaveText("Cancelled");
  await expect(page.locator(".timeline li")).toContainText(["Queued in", "Attempt 1 began on", "Cancelled"]);
  await expect(output(page, "Standard output")).toHaveText("begun\n"); // what was seen is not lost
  await expect(page.getByRole("button", { name: "Cancel" })).toHaveCount(0);
  await expect(remove).not.toHaveAttribute("aria-disabled");
  await page.goto("/#/jobs");
  await expect(row(page, job.id)).toContainText("Cancelled");
});

test("a job is run again as it was, and opened in Run", async ({ page, server }) => {
  const job = await submit(server, {
    language: "python",
    source_code: sum,
    tests: [
      { id: "small", input: "1 2\n", expected_output: "3\n" },
      { id: "bytes", input: "NDAgMgo=", expected_output: "NDIK", encoding: "base64" },
    ],
    labels: { course: "geometry-1" },
    priority: 5,
    stop_on_failure: true,
  });
  await page.goto(`/#/jobs/${job.id}`);
  await expect(verdict(page)).toHaveText("Accepted");
  await page.getByRole("button", { name: "Run again" }).click();
  await expect(page).not.toHaveURL(new RegExp(job.id));
  await expect(verdict(page)).toHaveText("Accepted");
  await expect(page.getByText("geometry-1")).toBeVisible();
  const again = new URL(page.url()).hash.split("/").at(-1) ?? "";
  expect(again).not.toBe(job.id);
  const [first, second] = await Promise.all([job.id, again].map((id) => submissionOf(server.url, id)));
  expect(second).toEqual(first);

  await page.getByRole("button", { name: "Open in Run" }).click();
  await expect(page.getByText("Opened from a link.")).toBeVisible();
  await expect(page.getByRole("textbox", { name: /^Source code/ })).toContainText("a, b = map(int");

  // A plain run has its input in the form's own field.
  const plain = await submit(server, {
    language: "python",
    source_code: "print(input())",
    stdin: "hello there",
  });
  await page.goto(`/#/jobs/${plain.id}`);
  await expect(verdict(page)).toHaveText("Accepted");
  await page.getByRole("button", { name: "Open in Run" }).click();
  await expect(page.getByRole("textbox", { name: "Standard input" })).toHaveValue("hello there");
});

test("what can no longer be submitted again is told with all its faults", async ({ page, server }) => {
  const lua = {
    name: "python-once",
    version: "1",
    image: "optimus.local/python:trixie",
    source_file: "main.py",
    run: ["python3", "{source}"],
  };
  const call = (path: string, method: string, body?: object) =>
    server.call(path, {
      method,
      headers: { "Content-Type": "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const added = await call("/v1/languages", "POST", lua);
  expect(added.status, await added.text()).toBe(200);
  const job = await submit(server, { language: "python-once", source_code: "print(1)" });
  await reached(server, job.id, "completed");
  await call("/v1/languages/python-once", "DELETE");
  await page.goto(`/#/jobs/${job.id}`);
  await page.getByRole("button", { name: "Run again" }).click();
  await expect(page.getByRole("alert")).toContainText("The request is not valid");
  await expect(page.getByRole("alert")).toContainText("#/language");
  await expectAccessible(page);
});

test("hostile output, source, names and labels are shown as text", async ({ page, server }) => {
  const evil = '<script>document.title="owned"</script><img src=x onerror="document.title=1">';
  const source_code = [
    "import sys",
    `print('${evil}')`,
    "print('nul:\\0 ansi:\\x1b[31mred bidi:\\u202eevil\\u202c zero:\\u200b end', flush=True)",
    "sys.stdout.buffer.write(b'\\xff\\xfe')",
    `print('${evil}', file=sys.stderr)`,
    `# ${evil} \u202e`,
  ].join("\n");
  const job = await submit(server, {
    language: "python",
    files: [
      { name: "main.py", content: source_code },
      { name: "b<i>.txt", content: evil },
    ],
    tests: [{ id: "<b>1\u202e", input: evil, expected_output: `${evil}\n` }],
    labels: { note: `${evil} \u202e`, Score: "2 of 2", Worker: "none" },
    args: [evil],
  });
  await page.goto(`/#/jobs/${job.id}`);
  await expect(verdict(page)).toHaveText("Wrong answer");
  const out = output(page, "Standard output");
  await expect(out).toContainText(evil);
  await expect(out).toContainText("nul:␀ ansi:␛[31mred bidi:⟨U+202E⟩evil⟨U+202C⟩ zero:⟨U+200B⟩ end");
  await expect(out).toContainText("\\xFF\\xFE");
  await expect(output(page, "Standard error")).toContainText(evil);
  await expect(output(page, "Input")).toContainText(evil);
  await expect(output(page, "main.py")).toContainText("⟨U+202E⟩");
  await expect(page.getByRole("heading", { name: "b<i>.txt" })).toBeVisible();
  const facts = page.locator(".facts-grid");
  await expect(facts).toContainText(`${evil} ⟨U+202E⟩`);
  // A label is not to be taken for what the server says.
  await expect(facts.locator("div", { hasText: "2 of 2" }).locator("dt")).toHaveText("Label Score");
  await expect(facts.locator("dt", { hasText: /^Worker$/ })).toHaveCount(1);
  expect(await page.locator("main").textContent()).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/u);
  await expect(page.locator("main").locator("img, script, b, i, iframe")).toHaveCount(0);
  await expect(page).toHaveTitle(/^Wrong answer · Job/);
  await expectAccessible(page);
  await shot(page, "job-hostile");
});

test("an end that is deleted elsewhere, and a megabyte of output", async ({ page, server }) => {
  const job = await submit(server, {
    language: "python",
    source_code: "print('0123456789abcde\\n' * 65536, end='')",
    limits: { output_bytes: 4 << 20 },
  });
  await page.goto(`/#/jobs/${job.id}`);
  await expect(verdict(page)).toHaveText("Accepted");
  await expect(page.getByRole("region", { name: "Standard output", exact: true })).toContainText("1 MiB");
  expect(await page.locator("main *").count()).toBeLessThan(2000);
  expect((await server.call(`/v1/jobs/${job.id}`, { method: "DELETE" })).status).toBeLessThan(300);
  await page.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog", { name: "Delete the job?" });
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(dialog.getByRole("alert")).toContainText("no such job");
});

async function submissionOf(url: string, id: string): Promise<unknown> {
  const response = await fetch(`${url}/v1/jobs/${id}?include=submission`);
  return ((await response.json()) as { submission: unknown }).submission;
}
