import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";

const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(chromium)) throw new Error(`no Chromium at ${chromium}: 'make test-ui' installs Debian's`);

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results",
  // Each worker of Playwright has a server, and its containers, of its own.
  workers: 2,
  timeout: 120_000,
  expect: { timeout: 60_000 },
  forbidOnly: true,
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    viewport: { width: 1280, height: 800 },
    trace: "on-first-retry", // keeping one of every test would double what they take
    launchOptions: {
      executablePath: chromium,
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [], // Chromium's own cannot be set up by root
    },
  },
});
