// What pages do in the browser beside htmx. There is no inline script anywhere.
import { countdowns, listen, now } from "./live.js";
import { assert, fill, make, why } from "./passkey.js";
import { consentMessage, differences, freezeMessage, hex, intentHash, loginMessage, whole } from "./words.js";

const $ = (selector) => document.querySelector(selector);
const { person, environment } = document.body.dataset;

// busy keeps a form from being sent twice while a device is asked.
async function busy(button, out, work) {
  button.disabled = true;
  out.textContent = "";
  try { await work(); } catch (error) { out.textContent = error.name === "Error" ? error.message : why(error); }
  button.disabled = false;
}

function enter() {
  const form = $("#enter");
  form?.addEventListener("submit", (e) => {
    e.preventDefault();
    busy(form.querySelector("button"), $("#said"), async () => {
      fill(form, await assert(loginMessage({ environment, nonce: form.dataset.nonce }), form.dataset.site));
      form.submit();
    });
  });
}

function enroll() {
  const form = $("#enroll");
  form?.addEventListener("submit", (e) => {
    e.preventDefault();
    busy(form.querySelector("button"), $("#said"), async () => {
      const { key, hash } = await make(form.elements.person.value, form.elements.key.value, form.dataset.site);
      $("#made-key").textContent = JSON.stringify(key, null, 2);
      $("#made-hash").textContent = hex(hash).match(/.{4}/g).join(" ");
      $("#made").hidden = false;
      $("#made-key").focus();
    });
  });
}

function freeze() {
  const form = $("#freeze");
  form?.addEventListener("submit", (e) => {
    e.preventDefault();
    busy(form.querySelector("button"), $("#said"), async () => {
      const at = now(), reason = form.elements.reason.value.trim();
      form.elements.reason.value = reason;
      const keys = JSON.parse(form.dataset.keys).map((k) => k.credential);
      fill(form, { at, ...await assert(freezeMessage({ environment, person, at, reason }), form.dataset.site, keys) });
      form.submit();
    });
  });
}

// read takes from the page what is to be signed, and refuses where the page shows
// something else beside it.
async function read() {
  const canonical = $("#canonical").textContent;
  const shown = Object.fromEntries(Array.from(document.querySelectorAll("[data-member]"), (e) => [e.dataset.member, e.textContent]));
  const wrong = differences(canonical, shown);
  if ($("#to") && $("#to").textContent !== JSON.parse(canonical).to) wrong.push("destination");
  const hash = await intentHash(canonical);
  if ($("#hash").textContent !== hash) wrong.push("hash");
  if (wrong.length) throw new Error(`The page shows something else than what you would sign (${wrong.join(", ")}). Sign nothing, and tell an officer.`);
  return { intent: JSON.parse(canonical), hash };
}

// lines are what the dialog says: out of the bytes that are signed, and of nothing else.
function lines(intent, scale) {
  const amount = whole(intent.amount, scale);
  const all = [["action", intent.action], ["amount", amount && intent.asset ? `${amount} ${intent.asset}` : ""], ["to", intent.to], ["chain", intent.chain], ["out of", intent.vault],
    ["document", intent.document], ["asked by", intent.requester], ["reason", intent.reason], ["id", intent.id]];
  return all.filter(([, value]) => value);
}

function say(verdict) {
  const dialog = $("#say"), wrong = $("#say-wrong"), go = $("#say-go"), form = $("#word");
  dialog.dataset.verdict = verdict;
  $("#say-title").textContent = verdict === "approve" ? "Approve" : "Deny";
  $("#say-reason-row").hidden = verdict === "approve";
  $("#say-reason").required = verdict === "deny";
  go.className = verdict === "approve" ? "go yes" : "go no";
  go.disabled = true;
  wrong.textContent = "";
  dialog.showModal();
  read().then(({ intent, hash }) => {
    const list = $("#say-data");
    list.replaceChildren(...lines(intent, Number(form.dataset.scale || NaN)).flatMap(([name, value]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
      [dt.textContent, dd.textContent] = [name, value];
      return [dt, dd];
    }));
    $("#say-hash").textContent = hash.match(/.{4}/g).join(" ");
    dialog.dataset.hash = hash;
    go.disabled = false;
  }, (error) => { wrong.textContent = error.message; });
}

// sign asks the device, and sends the word. What the dialog showed is what is signed, also
// where the page behind it has changed meanwhile.
async function sign() {
  const dialog = $("#say"), form = $("#word"), { verdict, hash } = dialog.dataset;
  const at = now(), reason = verdict === "deny" ? $("#say-reason").value.trim() : "";
  const keys = JSON.parse(form.dataset.keys).map((k) => k.credential);
  const word = await assert(consentMessage({ hash, verdict, person, at, reason }), form.dataset.site, keys);
  fill($("#word"), { verdict, at, reason, ...word });
  $("#word").submit();
}

function dialog() {
  if (!$("#say")) return;
  document.addEventListener("click", (e) => {
    const verdict = e.target.closest?.("[data-say]")?.dataset.say;
    if (verdict) say(verdict);
  });
  $("#say-close").addEventListener("click", () => $("#say").close());
  $("#say-form").addEventListener("submit", (e) => {
    e.preventDefault();
    busy($("#say-go"), $("#say-wrong"), sign);
  });
}

// tabs follow the pattern of the ARIA authoring guide: arrows move, the rest is by focus.
function tabs() {
  let chosen = "tab-data";
  const choose = (id, focus) => {
    chosen = id;
    for (const tab of document.querySelectorAll("[role=tab]")) {
      const here = tab.id === id;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !here;
      if (here && focus) tab.focus();
    }
  };
  document.addEventListener("click", (e) => { const tab = e.target.closest?.("[role=tab]"); if (tab) choose(tab.id); });
  document.addEventListener("keydown", (e) => {
    const list = Array.from(document.querySelectorAll("[role=tab]")), at = list.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: list.length - 1 }[e.key];
    if (at < 0 || to === undefined) return;
    e.preventDefault();
    choose(list[(to + list.length) % list.length].id, true);
  });
  document.body.addEventListener("htmx:afterSwap", () => choose(chosen)); // what came anew shows the first one
}

enter();
enroll();
freeze();
dialog();
tabs();
countdowns();
listen();
