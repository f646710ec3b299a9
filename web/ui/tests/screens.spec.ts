import type { Page } from "@playwright/test";
import { expect, setTheme, test } from "./fixtures";
import { expectVerdict, open, output, source, start } from "./run";

// Pictures of the page for people to look at, below test-results/screens; 'make picture-ui' puts one of them
// into the README.

const program = `import sys


def collatz(n: int) -> int:
    """Counts the steps from n to 1."""
    steps = 0
    while n != 1:
        n = 3 * n + 1 if n % 2 else n // 2
        steps += 1
    return steps


n = int(sys.stdin.readline())
if n < 1:
    raise ValueError(f"no way from {n} to 1")
print(n, "takes", collatz(n), "steps")
`;

const judged = {
  language: "python",
  source_code: program,
  tests: [
    { id: "one", input: "1\n", expected_output: "1 takes 0 steps\n" },
    { id: "seven", input: "7\n", expected_output: "7 takes 16 steps\n" },
    { id: "spaces", input: "27\n", expected_output: "27  takes\t111 steps\n", weight: 2 },
    { id: "large", input: "989345275647\n", expected_output: "989345275647 takes 1348 steps\n", weight: 3 },
  ],
};

const states: Record<string, (page: Page) => Promise<void>> = {
  start: async (page) => {
    await page.goto("/");
    await expect(source(page)).toContainText("Hello");
  },
  run: async (page) => {
    await start(page, judged);
    await expectVerdict(page, "Presentation error");
  },
  compile: async (page) => {
    await start(page, {
      language: "cpp",
      source_code: "#include <iostream>\n\nint main() {\n  int x = 1\n  std::cout << y;\n}\n",
    });
    await expectVerdict(page, "Compile error");
  },
  live: async (page) => {
    await start(page, {
      language: "python",
      source_code: "import time\nfor i in range(60):\n    print('step', i, flush=True)\n    time.sleep(.2)\n",
      tests: [{ input: "1" }, { input: "2" }, { input: "3" }],
    });
    await expect(output(page, "Standard output")).toContainText("step 2");
  },
  limits: async (page) => {
    await open(page, { language: "python", source_code: program, limits: { cpu_ms: 500 } });
    if (await page.getByRole("tab", { name: "Input", exact: true }).isVisible()) {
      await page.getByRole("tab", { name: "Input", exact: true }).click();
    }
    await page.getByRole("tab", { name: /^Limits/ }).click();
  },
  job: async (page) => {
    await start(page, judged);
    await expectVerdict(page, "Presentation error");
    await page.getByRole("link", { name: "Job", exact: true }).click();
    await expect(page.locator(".timeline")).toContainText("Completed: presentation error");
  },
  jobs: async (page) => {
    await page.goto("/#/jobs");
    await expect(page.getByText("Compile error").first()).toBeVisible();
  },
  cluster: async (page) => {
    await page.goto("/#/cluster");
    await expect(page.getByRole("region", { name: "How the cluster is" })).not.toBeEmpty();
    await expect(page.getByRole("region", { name: "Store" })).toContainText("A file of this server’s");
  },
  access: async (page) => {
    await page.goto("/#/access");
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  },
};

for (const theme of ["light", "dark"] as const) {
  for (const [size, width, height] of [
    ["desktop", 1280, 800],
    ["phone", 390, 844],
  ] as const) {
    test(`pictures: ${size}, ${theme}`, async ({ page }) => {
      test.slow();
      await page.setViewportSize({ width, height });
      for (const [name, reach] of Object.entries(states)) {
        await page.goto("about:blank");
        await reach(page);
        await setTheme(page, theme);
        await page.screenshot({
          path: `test-results/screens/${name}-${size}-${theme}.png`,
          animations: "disabled",
        });
        const cancel = page.getByRole("button", { name: "Cancel" });
        if (await cancel.isVisible()) await cancel.click();
      }
    });
  }
}
