// The trade page's script: live data into what the server drew. Lists and forms are the
// server's; htmx asks for them again where the private stream says that they changed.
import { Book, put } from "./book.js";
import { padded, seconds } from "./decimal.js";
import { Depth } from "./depth.js";
import { keys } from "./keys.js";
import { Stream } from "./stream.js";

const data = document.body.dataset;
const market = data.market, places = Number(data.priceDecimals), lotPlaces = Number(data.lotDecimals);
const byId = (id) => document.getElementById(id);
const freshFor = 3000, tapeRows = 30, toastFor = 5000, refreshPause = 200, lateRefresh = 1200;

const page = {
  tick: data.tick, lot: data.lot,
  // near is where an empty price begins: the best of the side, else the last trade.
  near() {
    const selling = document.querySelector("#order input[name=side][value=sell]:checked");
    const best = book.sorted(selling ? "asks" : "bids")[0];
    const last = byId("t-last").textContent;
    return best ? best.price : /^\d/.test(last) ? last : page.tick;
  },
  say(text) {
    const toast = byId("toast");
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(page.hiding);
    page.hiding = setTimeout(() => { toast.hidden = true; }, toastFor);
  },
};

function pick(price) {
  const type = byId("type");
  if (!type) return;
  if (type.value === "market") type.value = "limit";
  const field = type.value === "stop" ? byId("stopPrice") : byId("price");
  field.value = price;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  byId("quantity").focus();
}

const book = new Book({ places, lotPlaces, pick });
const depth = new Depth();
book.drawn = (asks, bids) => depth.draw(asks, bids);

// Own orders, as the list of open orders has them.
function mark() {
  const own = new Set();
  for (const row of document.querySelectorAll("#orders tr[data-own]")) {
    if (row.dataset.state === "open" && row.dataset.price) own.add(row.dataset.own + " " + padded(row.dataset.price, places));
  }
  book.mark(own);
}

function clockOf(time) {
  const at = seconds(time);
  return Number.isFinite(at) ? new Date(1000 * at).toISOString().slice(11, 19) : "–";
}

const tape = byId("tape");
function trades(message) {
  if (message.type === "snapshot") tape.replaceChildren();
  const list = (message.trades || []).slice(-tapeRows);
  for (const trade of list) {
    const row = document.createElement("tr");
    row.className = trade.side;
    for (const text of [padded(trade.price, places), padded(trade.quantity, lotPlaces), clockOf(trade.time)]) {
      row.insertCell().textContent = text;
    }
    tape.prepend(row);
  }
  while (tape.rows.length > tapeRows) tape.lastElementChild.remove();
}

function ticker(message) {
  const price = (text) => (text && Number(text) > 0 ? padded(text, places) : "–");
  put(byId("t-last"), price(message.last));
  put(byId("t-high"), price(message.high));
  put(byId("t-low"), price(message.low));
  put(byId("t-volume"), message.baseVolume || "–");
  put(byId("t-turnover"), (message.quoteVolume || "–").split(".")[0]);
  put(byId("t-state"), message.state || "–");
  const open = Number(message.open), last = Number(message.last);
  if (!(open > 0) || !(last > 0)) return;
  const moved = 100 * (last - open) / open, direction = moved > 0 ? "up" : moved < 0 ? "down" : "";
  put(byId("t-change"), (moved > 0 ? "+" : moved < 0 ? "−" : "") + Math.abs(moved).toFixed(2) + " %");
  byId("t-change").className = byId("t-last").className = direction;
  document.title = price(message.last) + " · " + market + " · Strongroom";
}

// Lists again: soon, and once more for what the history learns a moment later.
let soon = 0, late = 0;
function refresh() {
  if (!soon) soon = setTimeout(() => { soon = 0; htmx.trigger(document.body, "refresh"); }, refreshPause);
  clearTimeout(late);
  late = setTimeout(() => htmx.trigger(document.body, "refresh"), lateRefresh);
}

let candles = null, interval = "1m";
const takers = {
  book: (m) => book.take(m), trades, ticker, candles: (m) => candles && candles.take(m),
  orders: refresh, fills: refresh, balances: refresh, transfers: refresh,
};
const url = new URL("/v1/stream", location.href);
url.protocol = url.protocol.replace("http", "ws");
const stream = new Stream(url, (message) => { const take = takers[message.channel]; if (take) take(message); }, () => location.reload());
for (const channel of ["book", "trades", "ticker"]) stream.subscribe({ channel, market });
stream.subscribe({ channel: "candles", market, interval });
if (data.private) for (const channel of ["orders", "balances", "transfers"]) stream.subscribe({ channel });
stream.start();

// How old what is shown is: the socket's silence, or the shard's where it is older.
let shard = { milliseconds: 0, live: true };
const askEvery = 2000;
async function age() {
  try {
    const answer = await fetch(`/trade/${encodeURIComponent(market)}/age`);
    if (answer.ok) shard = { ...(await answer.json()), at: performance.now() };
  } catch { /* the badge turns red by the socket */ }
}
setInterval(age, askEvery);
age();
setInterval(() => {
  const silent = performance.now() - stream.heard;
  const old = Math.max(silent, shard.live ? 0 : shard.milliseconds);
  const state = !stream.open ? "gone" : !shard.live ? "stale" : silent > freshFor ? "stale" : "live";
  const badge = byId("badge");
  if (badge.dataset.state !== state) badge.dataset.state = state;
  const seconds = (old / 1000).toFixed(old < 10000 ? 1 : 0) + " s";
  put(byId("badge-text"), state === "live" ? "live" : state === "stale" ? seconds + " old" : "not connected");
  badge.title = "Newest message " + seconds + " ago";
}, 250);

for (const button of document.querySelectorAll("[data-interval]")) {
  button.addEventListener("click", () => {
    if (button.dataset.interval === interval) return;
    stream.unsubscribe({ channel: "candles", market, interval });
    interval = button.dataset.interval;
    for (const other of document.querySelectorAll("[data-interval]")) other.setAttribute("aria-pressed", String(other === button));
    stream.subscribe({ channel: "candles", market, interval });
    if (candles) candles.load(interval);
  });
}

document.body.addEventListener("htmx:afterSwap", mark);
for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
  document.body.addEventListener(name, () => page.say("That did not go through. Load the page again if it stays so."));
}
mark();
keys(page);

// The chart comes last: everything else works without it.
const { Candles } = await import("./chart.js");
candles = new Candles(byId("chart"), { market, places, interval });
await candles.load(interval);
