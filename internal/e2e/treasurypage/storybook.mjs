// Looks at every story. The plan comes on standard input; what is not as it should be ends
// the process with an error.
import assert from "node:assert/strict";
import { accessible, close, fits, open, plan, silent, step } from "./browser.mjs";

const looks = [
  { name: "dark", colorScheme: "dark", viewport: { width: 1440, height: 900 } },
  { name: "light", colorScheme: "light", viewport: { width: 1024, height: 768 } },
  { name: "phone", colorScheme: "light", viewport: { width: 360, height: 740 }, hasTouch: true },
];

try {
  let stories = [];
  for (const { name, ...options } of looks) {
    const page = await open(options);
    await page.goto(plan.base + "/treasury/storybook");
    await accessible(page, `storybook, ${name}`);
    stories = await page.locator("main li a").evaluateAll((links) => links.map((a) => a.getAttribute("href")));
    assert.ok(stories.length >= 24, `${stories.length} stories`);
    for (const path of stories) {
      const answer = await page.goto(plan.base + path);
      assert.equal(answer.status(), 200, path);
      await accessible(page, `${path}, ${name}`);
      await fits(page, `${path}, ${name}`);
      if (plan.screenshots) await page.screenshot({ path: `${plan.screenshots}/${path.split("/").pop()}-${name}.png`, fullPage: true });
    }
    await page.context().close();
    step(`${stories.length} stories, ${name}`);
  }

  // By keyboard alone: the skip link, the tabs, the dialog and out of it.
  const page = await open(looks[0]);
  await page.goto(plan.base + "/treasury/storybook/request-waiting");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.locator("#tab-data").focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => document.activeElement.id), "tab-hashes");
  assert.equal(await page.locator("#hashes").isVisible(), true);
  await accessible(page, "hashes");
  await page.keyboard.press("End");
  assert.equal(await page.locator("#canonical").isVisible(), true);
  await accessible(page, "JSON");
  await page.getByRole("button", { name: "Approve…" }).focus();
  await page.keyboard.press("Enter");
  await page.locator("#say-go:enabled").waitFor();
  assert.match(await page.locator("#say-data").textContent(), /amount2\.8 BTCtobc1qar0s3pm4/);
  await accessible(page, "dialog to approve");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#say").isVisible(), false);
  await page.getByRole("button", { name: "Deny…" }).click();
  await page.locator("#say-reason").waitFor();
  await accessible(page, "dialog to deny");
  step("by keyboard");

  // A page that shows one thing and would have another signed signs nothing.
  for (const [what, swap] of [
    ["to", () => { document.querySelector("[data-member=to]").textContent = "bc1qsomebodyelse"; }],
    ["destination", () => { document.querySelector("#to").textContent = "bc1qsomebodyelse"; }],
    ["amount", () => { document.querySelector("[data-member=amount]").textContent = "1"; }],
    ["hash", () => { document.querySelector("#hash").textContent = "00"; }],
  ]) {
    await page.goto(plan.base + "/treasury/storybook/request-waiting");
    await page.evaluate(swap);
    await page.getByRole("button", { name: "Approve…" }).click();
    await page.getByText(`something else than what you would sign (${what}`).waitFor();
    assert.equal(await page.locator("#say-go").isEnabled(), false);
  }
  step("what is shown is what is signed");
  silent();
} finally {
  await close();
}
