import { type Zippable, zipSync } from "fflate";
import { expect, test } from "./fixtures";
import { expectVerdict, open } from "./run";

const text = (s: string) => new TextEncoder().encode(s);
const sum = { language: "python", source_code: "print(sum(map(int, input().split())))\n" };

const zip = (files: Zippable) => ({
  name: "tests.zip",
  mimeType: "application/zip",
  buffer: Buffer.from(zipSync(files, { level: 6 })),
});

test("tests come out of a .zip, in the order that people count in", async ({ page }) => {
  await open(page, sum);
  await page.getByRole("tab", { name: "Tests" }).click();
  const files: Zippable = {
    "readme.md": text("hello"),
    "__MACOSX/._1.in": text("x"),
    "data/lone.out": text("1"),
  };
  for (let i = 1; i <= 12; i++) {
    files[`data/${i}.in`] = text(`${i} ${i}\n`);
    files[`data/${i}.out`] = text(`${2 * i}\n`);
  }
  await page.getByLabel("Files with tests").setInputFiles([zip(files)]);
  await expect(page.getByText("12 tests added")).toBeVisible();
  await expect(page.getByText("Neither input nor output, and left: readme.md.")).toBeVisible();
  await expect(page.getByText("Outputs without an input, and left: lone.")).toBeVisible();
  await expect(page.locator(".rows .name")).toHaveText([
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "10",
    "11",
    "12",
  ]);
  await page.keyboard.press("Control+Enter");
  await expectVerdict(page, "Accepted");
  await expect(page.getByText("12 of 12 tests")).toBeVisible();
});

test("pairs of files are dropped in, text or not", async ({ page }) => {
  await open(page, {
    language: "python",
    source_code: "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read())\n",
  });
  await page.getByRole("tab", { name: "Tests" }).click();
  const drop = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    const bytes = new Uint8Array([0xff, 0x00, 0x80]);
    data.items.add(new File(["a\n"], "input1.txt"));
    data.items.add(new File(["a\n"], "output1.txt"));
    data.items.add(new File([bytes], "2.in"));
    data.items.add(new File([bytes], "2.ans"));
    data.items.add(new File(["alone\n"], "3.in"));
    return data;
  });
  await page.dispatchEvent(".drop", "drop", { dataTransfer: drop });
  await expect(page.getByText("3 tests added")).toBeVisible();
  await expect(page.getByText("Without an expected output, so only run: 3.")).toBeVisible();
  await page.keyboard.press("Control+Enter");
  await expectVerdict(page, "Accepted");
  await page.getByRole("button", { name: "2", exact: true }).click();
  const out = page.getByRole("region", { name: "Standard output", exact: true });
  await expect(out.locator("pre")).toHaveText(String.raw`\xFF␀\x80`);
});

test("files that cannot be taken are refused with the reason", async ({ page }) => {
  await open(page, sum);
  await page.getByRole("tab", { name: "Tests" }).click();
  const alert = page.getByRole("alert");
  const take = (...files: { name: string; mimeType: string; buffer: Buffer }[]) =>
    page.getByLabel("Files with tests").setInputFiles(files);
  const file = (name: string, buffer: Buffer) => ({ name, mimeType: "application/octet-stream", buffer });
  await take(file("broken.zip", Buffer.from("PK no archive")));
  await expect(alert).toContainText("broken.zip cannot be read as a .zip");
  await take(file("notes.md", Buffer.from("x")));
  await expect(alert).toContainText("There are no tests in it");
  await take(file("1.in", Buffer.from("x")), file("1.inp", Buffer.from("y")));
  await expect(alert).toContainText("another file is this test's input too");
  // 200 MiB of zeros in 200 KiB.
  await take(zip({ "1.in": new Uint8Array(200 << 20), "1.out": text("1") }));
  await expect(alert).toContainText("1.in in tests.zip has 200 MiB; the most is 16 MiB.");
  const many: Zippable = {};
  for (let i = 0; i < 2200; i++) many[`${i}.in`] = new Uint8Array();
  await take(zip(many));
  await expect(alert).toContainText("holds more than 2100 files");
});

test("archives of an attacker give tests or a refusal, and nothing else", async ({ page }) => {
  await open(page, sum);
  await page.getByRole("tab", { name: "Tests" }).click();
  const alert = page.getByRole("alert");
  const take = (name: string, buffer: Buffer) =>
    page.getByLabel("Files with tests").setInputFiles([{ name, mimeType: "application/zip", buffer }]);
  const directory = Buffer.from("PK\x01\x02", "latin1");

  // Paths and names are names alone, and what cannot be seen of them is named.
  await take(
    "names.zip",
    Buffer.from(
      zipSync({
        "../../etc/1.in": text("1 1"),
        "../../etc/1.out": text("2"),
        "__proto__/toString.in": text("2 2"),
        "__proto__/toString.out": text("4"),
        "C:\\windows\\<img src=x onerror=document.title=1>.in": text("3 3"),
        "C:\\windows\\<img src=x onerror=document.title=1>.out": text("6"),
        "exe\u202e.txt.md": text("x"),
      }),
    ),
  );
  await expect(page.getByText("3 tests added")).toBeVisible();
  await expect(page.getByText("Neither input nor output, and left: exe⟨U+202E⟩.txt.md.")).toBeVisible();
  await expect(page.locator(".rows img")).toHaveCount(0);
  await page.keyboard.press("Control+Enter");
  await expectVerdict(page, "Accepted");

  // A hundred thousand files, and as many folders.
  const empty = new Uint8Array();
  const all = (end: string): Zippable =>
    Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [i + end, empty]));
  await take("files.zip", Buffer.from(zipSync(all(".in"), { level: 0 })));
  await expect(alert).toContainText("files.zip holds more than 2100 files");
  await take("folders.zip", Buffer.from(zipSync(all("/"), { level: 0 })));
  await expect(alert).toContainText("There are no tests in it");

  // Sizes that are not those of what is there: four gigabytes in a few bytes, and few bytes of many.
  const stating = (size: number) => {
    const archive = Buffer.from(
      zipSync({ "1.in": [new Uint8Array(1 << 20), { level: 9 }], "1.out": text("1") }),
    );
    archive.writeUInt32LE(size, archive.indexOf(directory) + 24);
    return archive;
  };
  await take("huge.zip", stating(0xfffffffe));
  await expect(alert).toContainText("1.in in huge.zip has 4096 MiB; the most is 16 MiB.");
  await take("lying.zip", stating(10));
  await expect(alert).toContainText("lying.zip cannot be read as a .zip: 1.in: Ambiguous archive.");
  const everywhere = stating(10);
  everywhere.writeUInt32LE(10, 22); // before the file too
  await take("lying-twice.zip", everywhere);
  await expect(alert).toContainText(
    "lying-twice.zip cannot be read as a .zip: 1.in: Invalid uncompressed size.",
  );
  const damaged = Buffer.from(zipSync({ "1.in": text("one two three"), "1.out": text("1") }, { level: 0 }));
  damaged.write("b", damaged.indexOf("two"));
  await take("damaged.zip", damaged);
  await expect(alert).toContainText("damaged.zip cannot be read as a .zip: 1.in: Invalid CRC32.");
  await take("cut.zip", stating(1 << 20).subarray(0, 300));
  await expect(alert).toContainText("cut.zip cannot be read as a .zip");
});

test("tests are pasted, as text or as JSON", async ({ page }) => {
  await open(page, sum);
  await page.getByRole("tab", { name: "Tests" }).click();
  const paste = async (content: string) => {
    await page.getByRole("button", { name: "Paste…" }).click();
    await page.getByRole("dialog").getByLabel("Tests").fill(content);
    await page.getByRole("button", { name: "Add them" }).click();
  };
  await paste("1 2\n---\n3\n===\n[1]\n---\nx\n---\ny");
  await expect(page.getByRole("alert")).toContainText("Test 2 has more than one line ---");
  await page.getByRole("dialog").getByLabel("Tests").fill("1 2\n---\n3\n===\n40 2\n---\n42");
  await page.getByRole("button", { name: "Add them" }).click();
  await paste(JSON.stringify({ tests: [{ id: "from JSON", input: "5", expected_output: "6", weight: 2 }] }));
  await expect(page.locator(".rows .name")).toHaveText(["1", "2", "from JSON"]);
  await page.getByLabel("Stop at the first failure").check();
  await page.keyboard.press("Control+Enter");
  await expectVerdict(page, "Wrong answer");
  await expect(page.getByText("2 of 3 tests · score 2 of 4")).toBeVisible();
  await page.getByRole("button", { name: "Remove all" }).click();
  await expect(page.getByText("Without tests the program runs once")).toBeVisible();
  await expect(page.getByText("3 tests removed.")).toBeVisible();
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(page.locator(".rows .name")).toHaveText(["1", "2", "from JSON"]);
});

test("a thousand tests are shown a hundred at a time", async ({ page }) => {
  test.slow();
  await open(page, {
    ...sum,
    language: "cpp",
    source_code: "#include <iostream>\nint main(){int a,b;std::cin>>a>>b;std::cout<<a+b;}",
  });
  await page.getByRole("tab", { name: "Tests" }).click();
  const files: Zippable = {};
  for (let i = 1; i <= 1000; i++) {
    files[`${i}.in`] = text(`${i} 1`);
    files[`${i}.out`] = text(String(i === 500 ? 0 : i + 1));
  }
  await page.getByLabel("Files with tests").setInputFiles([zip(files)]);
  await expect(page.getByText("1000 tests added")).toBeVisible();
  await page.keyboard.press("Control+Enter");
  await expectVerdict(page, "Wrong answer");
  await expect(page.getByText("999 of 1000 tests")).toBeVisible();
  const table = page.getByRole("table", { name: "Verdicts of the tests" });
  await expect(table.getByRole("row")).toHaveCount(101);
  await expect(page.getByRole("heading", { name: "Test 500" })).toBeVisible();
  await page.getByRole("button", { name: "Only those not accepted (1)" }).click();
  await expect(table.getByRole("row")).toHaveCount(2);
});
