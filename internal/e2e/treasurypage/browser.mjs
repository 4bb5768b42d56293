// What tests of the treasury's page share: a browser that notes whatever is not as it
// should be.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { chromium } from "../../../tools/npm/node_modules/playwright-core/index.mjs";

export const plan = JSON.parse(readFileSync(0, "utf8"));
const axe = readFileSync(plan.axe, "utf8");
const browser = await chromium.launch({
  executablePath: plan.chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
export const complaints = [], elsewhere = [];
export const step = (text) => console.log(`${(performance.now() / 1000).toFixed(1)} s  ${text}`);
export const close = () => browser.close();

export async function open(options) {
  const context = await browser.newContext({ locale: "en-GB", timezoneId: "UTC", ...options });
  context.setDefaultTimeout(20000);
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (e) => console.error(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}`));
  });
  const page = await context.newPage();
  page.on("console", (m) => { if (!page.expected && (m.type() === "error" || m.type() === "warning")) complaints.push(`${page.url()}: ${m.text()}`); });
  page.on("pageerror", (e) => complaints.push(String(e)));
  page.on("request", (r) => { if (!r.url().startsWith(plan.base) && !r.url().startsWith("data:")) elsewhere.push(r.url()); });
  return page;
}

export async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ") + " " + n.failureSummary).slice(0, 3).join(" | ")}`), [], `axe, ${what}`);
}

// fits is that nobody has to scroll sideways to read the page.
export async function fits(page, what) {
  const { wide, room } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, room: document.documentElement.clientWidth }));
  assert.ok(wide <= room, `${what} is ${wide} wide, there is room for ${room}`);
}

export function silent() {
  assert.deepEqual(complaints, [], "what browsers complained about");
  assert.deepEqual(elsewhere, [], "what was asked of others");
}
