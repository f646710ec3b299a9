import { defineConfig } from "vite";

// All addresses are relative, so that the page works under whatever path a proxy puts it.
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    assetsDir: "ui/assets",
    assetsInlineLimit: 0, // the page's policy allows no data: addresses
    modulePreload: { polyfill: false },
    license: { fileName: "LICENSES.md" },
    reportCompressedSize: false,
    rolldownOptions: { checks: { bundlerTimings: false } }, // of no interest, and other in each run
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});
