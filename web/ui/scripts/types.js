// Generates src/api/schema.d.ts from the OpenAPI document that the code gives, without a server.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const text = execFileSync("go", ["run", ".", "admin", "render", "openapi"], {
  cwd: root,
  encoding: "utf8",
  env: { ...process.env, OPTIMUS_CONFIG: "/dev/null" },
  maxBuffer: 64 << 20,
});
const types = astToString(await openapiTS(JSON.parse(text)));
const header = "// Generated from the OpenAPI document by `make ui`: do not edit.\n\n";
writeFileSync(new URL("../src/api/schema.d.ts", import.meta.url), header + types);
