// Uses the trade page as a person does. The plan comes on standard input; what is not as
// it should be ends the process with an error.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chromium } from "../../../tools/npm/node_modules/playwright-core/index.mjs";

const plan = JSON.parse(readFileSync(0, "utf8"));
const axe = readFileSync(plan.axe, "utf8");
const browser = await chromium.launch({
  executablePath: plan.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const complaints = [], elsewhere = [];
let listening = true;
const step = (text) => console.log(`${(performance.now() / 1000).toFixed(1)} s  ${text}`);

async function open(options) {
  const context = await browser.newContext({ locale: "en-GB", colorScheme: "dark", ...options });
  context.setDefaultTimeout(20000);
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`));
  });
  const page = await context.newPage();
  page.on("console", (m) => { if (listening && (m.type() === "error" || m.type() === "warning")) complaints.push(m.text()); });
  page.on("pageerror", (e) => complaints.push(String(e)));
  page.on("request", (r) => { if (!r.url().startsWith(plan.base) && !r.url().startsWith("data:")) elsewhere.push(r.url()); });
  return page;
}

async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ") + " " + n.failureSummary).slice(0, 3).join(" | ")}`), [], `axe, ${what}`);
}

const live = (page) => page.locator("#badge[data-state=live]").waitFor();
const text = (page, selector) => page.locator(selector).textContent();

try {
  const stranger = await open({ viewport: { width: 1440, height: 900 } });
  await stranger.goto(plan.base + "/trade/BTC-USDC", { waitUntil: "commit" });
  await live(stranger);
  await stranger.locator("#chart canvas").first().waitFor();
  assert.match(await text(stranger, ".entry"), /log in/);
  assert.equal(await stranger.locator("#order").count(), 0);
  assert.equal(await stranger.locator("#asks button:visible").count(), 14);
  await accessible(stranger, "without login");
  await stranger.context().close();
  step("a stranger sees the market");

  const page = await open({ viewport: { width: 1440, height: 900 } });
  await page.goto(plan.base + plan.enter);
  await accessible(page, "login");
  await page.getByRole("button", { name: "Enter Strongroom" }).click();
  await page.waitForURL("**/trade/BTC-USDC");
  await live(page);
  step("logged in");

  // A resting order by keyboard alone: half a percent below the best bid.
  const best = Number(await page.locator("#bids button").first().textContent());
  const price = (Math.floor(best * 0.995 * 100) / 100).toFixed(2);
  await page.keyboard.press("b");
  await page.keyboard.type("0.25");
  await page.locator("#price").focus();
  await page.keyboard.type(price);
  await page.keyboard.press("ArrowUp");
  const up = (Number(price) + 0.01).toFixed(2);
  assert.equal(await page.locator("#price").inputValue(), up);
  await page.getByText("Fee about").waitFor();
  assert.match(await text(page, "#cost"), /You pay[\d.]+ USDC.*Fee about0.000375 BTC/s);
  await page.keyboard.press("Enter");
  await page.getByText("Placed: buy 0.25 BTC.").waitFor();
  await page.locator("#orders tr[data-own=buy]").waitFor();
  assert.match(await text(page, "#orders tbody"), new RegExp(up.replace(/\.?0+$/, "")));
  await page.locator("#balances-list tr", { hasText: "USDC" }).locator("td").nth(1).filter({ hasNotText: /^0$/ }).waitFor();
  step("placed an order by keyboard");

  // Near the best bid it is in the ladder, marked, and waits. A click on the price fills the
  // form; two clicks on the button place once.
  await page.locator("#bids button").nth(6).click();
  assert.equal(await page.locator("#quantity").evaluate((e) => e === document.activeElement), true);
  await page.locator("#quantity").fill("0.0004");
  await page.locator("#order button[type=submit]").dblclick();
  await page.locator("#orders tr[data-own]").nth(1).waitFor();
  await page.locator("#bids tr.own").waitFor();
  await page.waitForTimeout(400);
  assert.equal(await page.locator("#orders tr[data-own]").count(), 2, "a double click places once");
  step("own order is marked in the ladder");

  // X takes the newest out; the button the other one.
  await page.locator("#main").focus();
  await page.keyboard.press("x");
  await page.waitForFunction(() => document.querySelectorAll("#orders tr[data-own]").length === 1);
  await page.getByRole("button", { name: /^Cancel buy 0.25/ }).click();
  await page.getByText("No open orders.").waitFor();
  step("cancelled by key and by button");

  // A market order fills at once.
  await page.locator("#type").selectOption("market");
  assert.equal(await page.locator("#price").isVisible(), false);
  await page.locator("#quantity").fill("0.1");
  await page.getByText("by the book as it is now").waitFor();
  await page.keyboard.press("Enter");
  await page.getByText("Filled: buy 0.1 BTC.").waitFor();
  await page.locator("#fills tbody tr").first().waitFor();
  await page.locator("#balances-list tr", { hasText: "BTC" }).locator("td").first().filter({ hasText: "2.09985" }).waitFor();
  step("a market order is filled, the balance has it");

  // What is refused says so at its field.
  await page.locator("#type").selectOption("limit");
  await page.locator("#price").fill("60000.001");
  await page.locator("#quantity").fill("0.1");
  await page.locator("#order button[type=submit]").click();
  await page.locator("#price[aria-invalid=true]").waitFor();
  assert.match(await text(page, "#price-wrong"), /60000.001 is not, 60000 and 60000.01 are/);
  await accessible(page, "with a refusal");
  await page.locator("#price").focus();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#price").inputValue(), "");
  step("a refusal stands at its field");

  // Help, market search, another interval.
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await accessible(page, "help");
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type("eth");
  assert.deepEqual(await page.locator("#markets li:visible").allTextContents(), ["ETH-USDC"]);
  await page.keyboard.press("Escape");
  await Promise.all([
    page.waitForResponse((r) => r.url().includes("interval=5m") && r.ok()),
    page.getByRole("button", { name: "5m", exact: true }).click(),
  ]);
  await page.getByRole("button", { name: "1m", exact: true }).click();
  step("help, search, intervals");

  // For the picture: two orders that rest.
  for (const [side, share, quantity] of [["buy", 0.9997, "0.15"], ["sell", 1.0004, "0.2"]]) {
    await page.locator(`#order input[value=${side}]`).check();
    await page.locator("#price").fill((Number(await page.locator("#bids button").first().textContent()) * share).toFixed(2));
    await page.locator("#quantity").fill(quantity);
    await page.locator("#order button[type=submit]").click();
    await page.getByText(`Placed: ${side} ${quantity} BTC`).waitFor();
  }
  await page.locator("#orders tr[data-own]").nth(1).waitFor();
  await page.waitForTimeout(1500);
  const moved = await page.evaluate(() => new Promise((done) => {
    new PerformanceObserver((list) => done(list.getEntries().reduce((sum, e) => sum + (e.hadRecentInput ? 0 : e.value), 0))).observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done(0), 500);
  }));
  assert.ok(moved < 0.05, `the layout shifts by ${moved}`);
  await page.locator("#quantity").fill("0.15");
  await page.waitForTimeout(400);
  await page.screenshot({ path: plan.screenshot });
  await accessible(page, "dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.waitForTimeout(300);
  await accessible(page, "light");
  if (process.env.TRADE_SCREENS) await page.screenshot({ path: process.env.TRADE_SCREENS + "/light.png" });
  for (const width of [360, 800, 1100]) {
    await page.setViewportSize({ width, height: 800 });
    await page.waitForTimeout(200);
    assert.ok(await page.evaluate(() => document.scrollingElement.scrollWidth <= innerWidth), `at ${width} px the page scrolls sideways`);
    if (process.env.TRADE_SCREENS) await page.screenshot({ path: `${process.env.TRADE_SCREENS}/${width}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 360, height: 800 });
  await accessible(page, "narrow");
  step("dark, light and narrow");

  assert.deepEqual(complaints, [], "what the browser complains about");
  assert.deepEqual(elsewhere, [], "what is asked of others");

  // Without the stream the badge turns red, and it comes back by itself.
  listening = false; // a socket that cannot be opened is a complaint of the browser's
  await page.request.post(plan.base + "/door/closed");
  await page.locator("#badge[data-state=gone]").waitFor();
  await page.request.post(plan.base + "/door/open");
  await live(page);
  step("the stream was lost and found");

  // Whoever leaves in one tab has left in all: the others hear of it by their stream.
  listening = true;
  const tab = await page.context().newPage();
  await tab.goto(plan.base + "/trade/ETH-USDC");
  await live(tab);
  await tab.getByRole("button", { name: "Leave" }).click();
  await tab.getByText("To trade, log in").waitFor();
  await page.getByText("To trade, log in").waitFor();
  assert.equal(await page.locator("#orders").count(), 0);
  await live(page);
  assert.deepEqual(complaints, [], "what the browser complains about");
  step("left, in all tabs");
} finally {
  await browser.close();
}
