// The keyboard: letters act where nobody types.
import { moved } from "./decimal.js";

export function keys(page) {
  const byId = (id) => document.getElementById(id);
  const help = byId("help"), markets = byId("markets"), search = byId("market-search");

  byId("help-open").addEventListener("click", () => help.showModal());
  search.addEventListener("input", () => filter(search.value));
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const first = markets.querySelector("li:not([hidden]) a");
    if (first) location.assign(first.href);
  });
  markets.addEventListener("toggle", () => { if (markets.open) search.focus(); });

  function filter(text) {
    for (const item of markets.querySelectorAll("li")) item.hidden = !item.textContent.toLowerCase().includes(text.trim().toLowerCase());
  }

  function side(name) {
    const choice = document.querySelector(`#order input[name=side][value=${name}]`);
    if (!choice) return;
    choice.checked = true;
    byId("quantity").focus();
    byId("quantity").select();
    choice.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function empty() {
    const form = byId("order");
    if (!form) return;
    for (const input of form.querySelectorAll("input[data-step]")) input.value = "";
    form.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function escape() {
    if (help.open) return; // the dialog closes itself
    if (markets.open) {
      markets.open = false;
      markets.querySelector("summary").focus();
      return;
    }
    empty();
    if (document.activeElement && document.activeElement !== document.body) document.activeElement.blur();
  }

  function newest() {
    const button = document.querySelector("#orders tr[data-own] button.cancel");
    if (button) button.click();
    else page.say("No open order in this market.");
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const at = event.target;
    if (at.matches("input[data-step]") && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      const step = at.dataset.step === "price" ? page.tick : page.lot;
      const from = at.value || (at.dataset.step === "price" ? page.near() : "");
      at.value = moved(from, step, (event.key === "ArrowUp" ? 1 : -1) * (event.shiftKey ? 10 : 1));
      at.dispatchEvent(new Event("input", { bubbles: true }));
      return;
    }
    if (event.key === "Escape") return escape();
    if (help.open || at.matches("input:not([type=radio]):not([type=checkbox]), select, textarea")) return;
    const actions = { b: () => side("buy"), s: () => side("sell"), x: newest, "?": () => help.showModal(), "/": () => { markets.open = true; search.focus(); } };
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
