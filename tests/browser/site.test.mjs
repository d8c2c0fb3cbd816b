// The leaderboard in headless Chromium. `.ci/browser` makes the pages and runs this.
//
// SITE    the folder that holds `example/` and `hostile/`, see tests/leaderboard.rs
// BROWSER the Chromium to drive
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const site = path.resolve(process.env.SITE ?? "site");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const url = (folder, page) => pathToFileURL(path.join(site, folder, page)).href;

/** One page of each kind, of a folder. */
const kinds = (folder) => {
  const first = (below) => `${below}/${readdirSync(path.join(site, folder, below)).sort()[0]}`;
  const top = readdirSync(path.join(site, folder)).filter((name) => name.endsWith(".html"));
  const below = ["allocators", "reconstructions", "models", "cases"].map(first);
  const tracks = readdirSync(path.join(site, folder, "tracks")).map((name) => `tracks/${name}`);
  return [...top, ...tracks, ...below];
};

let browser;
before(async () => {
  browser = await chromium.launch({ executablePath: process.env.BROWSER ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
});
after(() => browser?.close());

/** Runs `visit` on a new page and fails on whatever the page complains of or asks the network for. */
const visiting = async (options, visit) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    complaints.push(`a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => /^(file|data):/.test(request.url()) || complaints.push(`a request: ${request.url()}`));
  try {
    await visit(page);
    assert.deepEqual(complaints, []);
  } finally {
    await context.close();
  }
};

const rho = (page) => page.locator("#table tbody tr:visible td.main").allInnerTexts();

test("from the overview to a case and on to its technique", () =>
  visiting({}, async (page) => {
    await page.goto(url("example", "index.html"));
    await page.locator("table.best a.shade").first().click();
    await page.waitForURL(/\/cases\//);
    assert.match(await page.locator("pre.command").innerText(), /^ptsbench run --suite default --force /);
    await page.locator(".lede a").first().click();
    await page.waitForURL(/\/allocators\//);
    await page.locator("nav a", { hasText: "Overview" }).click();
    await page.waitForURL(/index\.html$/);
    assert.equal(await page.locator("nav a[aria-current=page]").innerText(), "Overview");
  }));

test("the table filters and sorts, and its state is in the address", () =>
  visiting({}, async (page) => {
    await page.goto(url("example", "cases.html"));
    const all = (await rho(page)).length;
    await page.fill("#filter", "RESNET20 erk");
    const some = await rho(page);
    assert.ok(some.length > 0 && some.length < all);
    const models = await page.locator("#table tbody tr:visible th").allInnerTexts();
    assert.ok(models.every((model) => model === "resnet20"));
    assert.match(await page.locator("#shown").innerText(), new RegExp(`^${some.length} of ${all} `));
    // By keyboard: the largest come first, then the smallest.
    await page.locator("button[data-key=rho]").focus();
    await page.keyboard.press("Enter");
    const numbers = async () => (await rho(page)).map(Number).filter((value) => !Number.isNaN(value));
    const falling = await numbers();
    assert.deepEqual(falling, [...falling].sort((a, b) => b - a));
    assert.equal(await page.locator("th[aria-sort=descending]").count(), 1);
    await page.keyboard.press("Enter");
    const rising = await numbers();
    assert.deepEqual(rising, [...rising].sort((a, b) => a - b));
    const address = page.url();
    assert.match(address, /q=RESNET20\+erk&sort=rho&order=up$/);
    await page.goto("about:blank");
    await page.goto(address);
    assert.deepEqual(await numbers(), rising);
    assert.equal(await page.inputValue("#filter"), "RESNET20 erk");
  }));

test("what is no number is sorted last either way", () =>
  visiting({}, async (page) => {
    await page.goto(url("example", "cases.html"));
    for (const _ of [1, 2]) {
      await page.click("button[data-key=rho]");
      assert.equal((await rho(page)).at(-1), "NaN");
    }
  }));

test("two techniques are compared case by case", () =>
  visiting({}, async (page) => {
    await page.goto(url("example", "compare.html") + "#kind=allocators&a=uniform&b=lamp");
    const summary = () => page.locator("#summary").innerText();
    // Three models, three sparsities; where they differ, `lamp` is better.
    assert.match(await summary(), /^Over 9 cases of each, B is [\d.]+ points better on average: better in [1-9]\d*, worse in 0,/);
    assert.equal(await page.locator("#pairs tbody tr").count(), 9);
    assert.equal(await page.locator("#difference svg a").count(), 9);
    await page.click("#swap");
    assert.match(await summary(), /points worse on average: better in 0,/);
    assert.match(page.url(), /a=lamp&b=uniform$/);
    await page.selectOption("#kind", "reconstructions");
    await page.selectOption("#a", "none");
    await page.selectOption("#b", "layer-sparse-weight+bias-adam(lr=3e-3)");
    assert.match(await summary(), /^Over \d+ cases of each, B is [\d.]+ points better/);
    await page.locator("#pairs tbody a").first().click();
    await page.waitForURL(/\/cases\//);
  }));

test("goldens nearest to failing come first, and lead to their cases", () =>
  visiting({}, async (page) => {
    await page.goto(url("example", "goldens.html"));
    const used = (await page.locator("main tbody td:first-child").allInnerTexts()).map(Number);
    assert.ok(used[0] > 100 && used.at(-1) < 100);
    assert.deepEqual(used, [...used].sort((a, b) => b - a));
    await page.locator("main tbody th a").first().click();
    await page.waitForURL(/\/cases\//);
    assert.match(await page.locator("main").innerText(), /quantit(y|ies) beside their goldens/);
  }));

test("drawings lead to their cases", () =>
  visiting({}, async (page) => {
    await page.goto(url("example", "drawings.html"));
    await page.locator("table.drawings a").first().click();
    await page.waitForURL(/\/cases\//);
    assert.match(await page.locator("main").innerText(), /generation/);
  }));

test("pointing at a name fades the other lines", () =>
  visiting({}, async (page) => {
    await page.goto(url("example", "tracks/allocation.html"));
    await page.locator("th[data-series]").first().hover();
    assert.ok((await page.locator("g.dim").count()) > 0);
    assert.equal(await page.locator("g.s0.dim").count(), 0);
  }));

test("dark is dark and print has no tools", () =>
  visiting({ colorScheme: "dark" }, async (page) => {
    await page.goto(url("example", "cases.html"));
    const light = (selector) =>
      page.locator(selector).first().evaluate((element) => {
        const [r, g, b] = getComputedStyle(element).backgroundColor.match(/\d+/g).map(Number);
        return (r + g + b) / 3;
      });
    assert.ok((await light("body")) < 60);
    await page.emulateMedia({ colorScheme: "light" });
    assert.ok((await light("body")) > 200);
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator(".tools").isVisible(), false);
    assert.equal(await page.locator("#table").isVisible(), true);
  }));

test("nothing is wider than a narrow screen", () =>
  visiting({ viewport: { width: 380, height: 800 } }, async (page) => {
    for (const name of kinds("example")) {
      await page.goto(url("example", name));
      const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
      assert.ok(wide <= room, `${name}: ${wide} of ${room}`);
    }
  }));

test("pages say all but comparisons without JavaScript", () =>
  visiting({ javaScriptEnabled: false }, async (page) => {
    await page.goto(url("example", "cases.html"));
    assert.ok((await rho(page)).length > 50);
    assert.equal(await page.locator("#filter").isVisible(), false);
    await page.goto(url("example", "compare.html"));
    assert.match(await page.locator("main").innerText(), /needs JavaScript/);
  }));

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing serious in ${colorScheme}`, () =>
    visiting({ colorScheme }, async (page) => {
      for (const name of kinds("example")) {
        await page.goto(url("example", name));
        await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => window.axe.run({ preload: false }));
        const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
        assert.deepEqual(grave.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`), []);
      }
    }));
}

test("names of strangers run nothing and leave no folder", () =>
  visiting({}, async (page) => {
    for (const name of kinds("hostile")) {
      await page.goto(url("hostile", name));
      assert.equal(await page.evaluate(() => window.harmed), undefined, name);
      assert.equal(await page.locator("img").count(), 0, name);
    }
    await page.goto(url("hostile", "index.html"));
    await page.locator("table.best a.shade").first().click();
    await page.waitForURL(/\/hostile\/cases\/[a-z0-9._-]+\.html$/);
    await page.goto(url("hostile", "compare.html"));
    await page.selectOption("#b", { index: 2 });
    assert.match(await page.locator("#summary").innerText(), /^(Over|No case)/);
  }));
