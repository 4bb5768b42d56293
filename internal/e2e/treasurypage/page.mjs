// Uses the treasury's page as two people do, each in a browser with a passkey. The plan
// comes on standard input; what is not as it should be ends the process with an error.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { accessible, close, fits, open, plan, silent, step } from "./browser.mjs";

const pages = [];
const wide = { viewport: { width: 1440, height: 1000 }, colorScheme: "dark" };

const strongroom = (...args) => execFileSync(plan.strongroom, args, { env: { ...process.env, ...plan.env }, encoding: "utf8", stdio: "pipe" });

// enter opens a browser of a person, with an authenticator that has their passkey.
async function enter(person) {
  const page = await device();
  await page.device.send("WebAuthn.addCredential", { authenticatorId: page.authenticator, credential: { ...plan.people[person], isResidentCredential: true, rpId: plan.site, userHandle: btoa(person), signCount: 0 } });
  return page;
}

// device opens a browser with an authenticator.
async function device() {
  const page = await open(wide);
  pages.push(page);
  page.device = await page.context().newCDPSession(page);
  await page.device.send("WebAuthn.enable");
  const { authenticatorId } = await page.device.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  page.authenticator = authenticatorId;
  return page;
}

const verified = (page, isUserVerified) => page.device.send("WebAuthn.setUserVerified", { authenticatorId: page.authenticator, isUserVerified });
const login = (page) => page.getByRole("button", { name: "Log in with a passkey" }).click();
const live = (page) => page.locator("#badge[data-state=live]").waitFor();

async function visit(page, path) {
  await page.goto(plan.base + path);
  await live(page);
}

// say opens the dialog and signs; the page answers whatever comes of it.
async function say(page, name, reason) {
  await page.getByRole("button", { name }).click();
  await page.locator("#say-go:enabled").waitFor();
  if (reason) await page.locator("#say-reason").fill(reason);
  await page.locator("#say-go").click();
}

async function screen(page, name) {
  await accessible(page, name);
  await fits(page, name);
  if (plan.screenshots) await page.screenshot({ path: `${plan.screenshots}/treasury-${name}.png` });
}

try {
  await story();
} catch (error) {
  for (const page of pages) console.log(page.url(), (await page.locator("main").innerText().catch(() => "")).slice(0, 600));
  throw error;
} finally {
  await close();
}

async function story() {
  // Whoever holds the device alone does not get in: it has to verify who it is.
  const ada = await enter("ada"), bob = await enter("bob");
  await ada.goto(plan.base + "/treasury/requests/" + plan.large);
  await ada.waitForURL("**/treasury/enter?next=*");
  await screen(ada, "enter");
  await verified(ada, false);
  await login(ada);
  await ada.getByText("could not verify that it is you").waitFor();
  const altered = await enter("ada");
  await verified(altered, false);
  await altered.route("**/passkey.js", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: (await answer.text()).replace('"required"', '"discouraged"') });
  });
  await altered.goto(plan.base + "/treasury/enter");
  altered.expected = true; // the browser notes the refusal
  await login(altered);
  await altered.getByText("the user was not verified").waitFor();
  await altered.context().close();
  step("without user verification nobody gets in, whatever the page asks for");

  await verified(ada, true);
  await ada.goto(plan.base + "/treasury/requests/" + plan.large);
  await login(ada);
  await ada.waitForURL("**/treasury/requests/" + plan.large);
  await bob.goto(plan.base + "/treasury/requests");
  await login(bob);
  await bob.waitForURL("**/treasury/requests");
  await live(bob);
  assert.match(await bob.locator("#queue").textContent(), /Withdrawal of 2\.8 BTC/);
  await screen(bob, "queue");
  step("two people are in");

  // What is shown is what the command line shows. Both have it in front of them.
  await live(ada);
  assert.equal(await ada.locator("#hash").textContent(), plan.hash);
  await screen(ada, "request");
  await visit(bob, "/treasury/requests/" + plan.large);

  // A page that was altered to pay somebody else: what it has signed is worth nothing.
  await ada.evaluate(async () => {
    const swap = (selector, from, to) => { const e = document.querySelector(selector); e.textContent = e.textContent.replace(from, to); };
    const to = document.querySelector("[data-member=to]").textContent, other = "bcrt1qthief";
    swap("#canonical", to, other);
    swap("[data-member=to]", to, other);
    document.querySelector("#to").textContent = other;
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("strongroom intent 2\n" + document.querySelector("#canonical").textContent));
    document.querySelector("#hash").textContent = Array.from(new Uint8Array(hash), (b) => b.toString(16).padStart(2, "0")).join("");
  });
  ada.expected = true;
  await say(ada, "Approve…");
  await ada.getByText("challenge is of another intent").waitFor();
  ada.expected = false;
  await visit(ada, "/treasury/requests/" + plan.large);
  assert.equal(await ada.locator("#words li").count(), 0);
  step("an altered page gets no approval");

  // One agrees, and the other sees it without touching anything.
  await bob.evaluate(() => {
    new MutationObserver(() => { if (document.querySelector("#words li")) window.seen ??= Date.now(); }).observe(document.querySelector("main"), { childList: true, subtree: true });
  });
  await ada.getByRole("button", { name: "Approve…" }).click();
  await ada.locator("#say-go:enabled").waitFor();
  await screen(ada, "approve");
  let sent = 0;
  ada.on("request", (r) => { if (r.method() === "POST" && r.url().endsWith("/sign")) sent = Date.now(); });
  await ada.locator("#say-go").click();
  await bob.waitForFunction(() => window.seen);
  const seen = await bob.evaluate(() => window.seen);
  step(`the other browser shows it ${seen - sent} ms after it was sent`);
  assert.ok(seen - sent <= plan.liveWithin, "live update is late");
  await ada.getByText("You agreed to this.").waitFor();
  await say(bob, "Approve…");
  await bob.locator("#state").filter({ hasText: /approved|done/ }).waitFor();
  await ada.locator("#state").filter({ hasText: /approved|done/ }).waitFor();
  await screen(bob, "approved");
  step("two people agreed");

  // Somebody says no, and says why.
  await visit(ada, "/treasury/requests/" + plan.unwanted);
  await visit(bob, "/treasury/requests/" + plan.unwanted);
  await bob.getByRole("button", { name: "Deny…" }).click();
  await bob.locator("#say-go:enabled").waitFor();
  await bob.locator("#say-go").click();
  assert.equal(await bob.locator("#say-reason").evaluate((e) => e.validity.valueMissing), true);
  await screen(bob, "deny");
  await bob.locator("#say-reason").fill("I called them: it was not them");
  await bob.locator("#say-go").click();
  await ada.locator("#state").filter({ hasText: "denied" }).waitFor();
  assert.match(await ada.locator("#outcome").textContent(), /it was not them/);
  step("denied with a reason, both see it");

  // The first payment goes out over the real chain while they look on.
  await visit(ada, "/treasury/requests/" + plan.large);
  await visit(bob, "/treasury/requests/" + plan.large);
  for (const page of [ada, bob]) await page.locator("#state").filter({ hasText: "done" }).waitFor({ timeout: 60000 });
  step("paid and final, both see it");

  for (const path of ["vaults", "moves", "people", "policies", "addresses"]) {
    await visit(ada, "/treasury/" + path);
    await screen(ada, path);
  }
  await ada.getByLabel("Address", { exact: true }).fill("nonsense");
  await ada.getByLabel("Label").fill("Exchange A");
  await ada.getByLabel("Why", { exact: true }).fill("new venue");
  await ada.getByLabel("Chain").selectOption("bitcoin-regtest");
  ada.expected = true;
  await ada.getByRole("button", { name: "Ask for it" }).click();
  await ada.getByText("Address: ").or(ada.getByText("address: ")).first().waitFor();
  ada.expected = false;
  await visit(ada, "/treasury/addresses");
  await ada.getByLabel("Chain").selectOption("bitcoin-regtest");
  await ada.getByLabel("Address", { exact: true }).fill(plan.outside);
  await ada.getByLabel("Label").fill("Exchange A");
  await ada.getByLabel("Why", { exact: true }).fill("new venue");
  await ada.getByRole("button", { name: "Ask for it" }).click();
  await ada.waitForURL("**/treasury/requests/rqs_*");
  await ada.getByText("You asked for this").waitFor();
  await visit(bob, new URL(ada.url()).pathname);
  await say(bob, "Approve…");
  await bob.locator("#state").filter({ hasText: /approved|done/ }).waitFor();
  await visit(ada, "/treasury/addresses?owner=house");
  await ada.locator(".state.cooling, .state.active").waitFor();
  step("an address is proposed, agreed to, and cools down");

  await visit(ada, "/treasury/policies");
  await ada.getByText("Draft another version").click();
  const text = await ada.getByLabel("Policy, as JSON").inputValue();
  await ada.getByLabel("Policy, as JSON").fill(text.replace('"15000000"', '"10000000"'));
  await ada.getByLabel("Why", { exact: true }).fill("fewer large ones without people");
  await ada.getByRole("button", { name: "Keep as a draft" }).click();
  await ada.waitForURL("**/treasury/policies/2?days=30");
  assert.match(await ada.locator(".diff").textContent(), /small-btc/);
  assert.match(await ada.locator("#trial").textContent(), /Of \d+ requests/);
  await ada.getByLabel("Asset", { exact: true }).fill("BTC");
  await ada.getByLabel("More than", { exact: true }).fill("1000");
  await ada.getByRole("button", { name: "Ask", exact: true }).click();
  await ada.locator("#alone li").first().waitFor();
  await screen(ada, "policy");
  await ada.getByRole("button", { name: "Propose it" }).click();
  await ada.waitForURL("**/treasury/requests/rqs_*");
  await ada.getByText("What policy 2 changes").waitFor();
  await screen(ada, "policy-request");
  step("a policy is drafted, tried and proposed");

  // An officer stops everything; whoever looks sees it; officers let it go on.
  await visit(bob, "/treasury/vaults");
  await visit(ada, "/treasury/freeze");
  await ada.getByLabel("Why", { exact: true }).fill("payments that nobody asked for");
  await ada.getByRole("button", { name: "Freeze with passkey" }).click();
  await ada.locator("#frozen").filter({ hasText: "payments that nobody asked for" }).waitFor();
  await screen(ada, "frozen");
  await bob.locator(".banner.stop").waitFor();
  const cem = await enter("cem");
  await cem.goto(plan.base + "/treasury/freeze");
  await login(cem);
  await cem.waitForURL("**/treasury/freeze");
  await cem.getByText("Officers can stop all signing. You are none.").waitFor();
  await cem.getByLabel("Why signing may go on").fill("it was a test payment");
  await cem.getByRole("button", { name: "Ask officers to go on" }).click();
  await cem.waitForURL("**/treasury/requests/rqs_*");
  for (const page of [ada, bob]) {
    await visit(page, new URL(cem.url()).pathname);
    await say(page, "Approve…");
    await page.getByText("You agreed to this.").or(page.locator("#state").filter({ hasText: /approved|done/ })).first().waitFor();
  }
  await cem.locator("#state").filter({ hasText: "done" }).waitFor({ timeout: 30000 });
  await visit(cem, "/treasury/freeze");
  await cem.locator("#frozen").filter({ hasText: "Signing goes on." }).waitFor();
  step("frozen by one, let go on by two");

  // Somebody new: a device makes a passkey, officers sign the next roster, and it logs in.
  const dan = await device();
  await dan.goto(plan.base + "/treasury/enroll");
  await screen(dan, "enroll");
  await dan.getByLabel("Your id on the roster").fill("dan");
  await dan.getByLabel("Name of the key").fill("dan-phone");
  await dan.getByRole("button", { name: "Make a passkey" }).click();
  await dan.locator("#made").waitFor();
  const at = (name) => `${plan.folder}/${name}`;
  writeFileSync(at("key.json"), await dan.locator("#made-key").textContent());
  const added = strongroom("roster", "add", at("key.json"), "--roster", plan.treasury + "/roster.json", "--person", "dan", "--name", "Dan", "--group", "treasury", "--out", at("next.json"));
  assert.ok(added.includes((await dan.locator("#made-hash").textContent()).replaceAll(" ", "")), added);
  let hash = "";
  try { strongroom("roster", "sign", at("next.json"), "--key", plan.treasury + "/officers/1.key", "--out", at("1.sig")); } catch (e) { hash = /--yes-i-have-compared ([0-9a-f]{64})/.exec(e.stderr)[1]; }
  for (const officer of ["1", "3"]) strongroom("roster", "sign", at("next.json"), "--key", `${plan.treasury}/officers/${officer}.key`, "--out", at(officer + ".sig"), "--yes-i-have-compared", hash);
  strongroom("roster", "join", at("next.json"), at("1.sig"), at("3.sig"), "--out", at("signed.json"));
  strongroom("roster", "publish", at("signed.json"));
  await dan.goto(plan.base + "/treasury/people");
  await login(dan);
  await dan.waitForURL("**/treasury/people");
  assert.match(await dan.locator(".people").textContent(), /Dan \(you\)/);
  step("somebody new is on the roster, and in");

  await bob.getByRole("button", { name: "Leave" }).click();
  await bob.waitForURL("**/treasury/enter");
  await bob.goto(plan.base + "/treasury/vaults");
  await bob.waitForURL("**/treasury/enter?next=*");
  silent();
}
