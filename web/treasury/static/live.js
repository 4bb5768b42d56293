// Keeps the page fresh: hears which requests changed and has htmx read the page's live part
// again, at once, and then at most every 200 ms.
const least = 200;

export function listen() {
  const badge = document.getElementById("badge");
  if (!document.body.dataset.live || !badge) return;
  const say = (state, text) => { badge.dataset.state = state; document.getElementById("badge-text").textContent = text; };
  let last = -least, planned = 0;
  const refresh = () => { planned = 0; last = performance.now(); document.body.dispatchEvent(new CustomEvent("refresh")); };
  const hear = (id) => {
    const { request, only } = document.getElementById("live")?.dataset ?? {};
    if (/^rqs_/.test(id) && (only || request && request !== id)) return;
    if (!planned) planned = setTimeout(refresh, Math.max(0, last + least - performance.now()));
  };
  let missed = false;
  const source = new EventSource("/treasury/events");
  source.onopen = () => { say("live", "live"); if (missed) hear("all"); missed = false; };
  source.onmessage = (e) => hear(e.data);
  source.onerror = () => { missed = true; say("gone", "not live"); };
  addEventListener("pagehide", () => source.close());
}

// Countdowns go by the server's clock, as it was when the page was made.
const began = performance.now(), then = Number(document.body.dataset.now);
export const now = () => then + Math.floor((performance.now() - began) / 1000);

export function countdowns() {
  const show = () => {
    for (const t of document.querySelectorAll("time[data-until]")) {
      const left = Number(t.dataset.until) - now();
      t.dateTime ||= new Date(Number(t.dataset.until) * 1000).toISOString();
      t.title ||= t.textContent;
      const d = Math.floor(left / 86400), h = Math.floor(left / 3600) % 24, m = Math.floor(left / 60) % 60, s = left % 60;
      t.textContent = left <= 0 ? "now" : "in " + (d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${s} s` : `${s} s`);
    }
  };
  show();
  setInterval(show, 1000);
  document.body.addEventListener("htmx:afterSwap", show);
}
