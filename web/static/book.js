// The ladder: what the book holds, best in the middle, own orders marked.
import { padded, parse } from "./decimal.js";

export class Book {
  constructor(options) {
    this.places = options.places;
    this.lotPlaces = options.lotPlaces;
    this.sides = { asks: new Map(), bids: new Map() };
    this.own = new Set();
    this.rows = { asks: rowsOf("asks").reverse(), bids: rowsOf("bids") };
    this.spread = document.getElementById("spread");
    this.waiting = false;
    this.drawn = () => {};
    document.getElementById("book").addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      const button = row && row.querySelector("button");
      if (button && !button.hidden) options.pick(button.textContent);
    });
  }

  take(message) {
    for (const side of ["asks", "bids"]) {
      const levels = this.sides[side];
      if (message.type === "snapshot") levels.clear();
      for (const [price, quantity] of message[side] || []) {
        if (Number(quantity) === 0) levels.delete(price);
        else levels.set(price, quantity);
      }
    }
    this.draw();
  }

  /** mark says at which prices own orders stand: "buy 1.50". */
  mark(own) {
    this.own = own;
    this.draw();
  }

  /** sorted is a side, best first, with numbers for drawing. */
  sorted(side) {
    const list = [];
    for (const [price, quantity] of this.sides[side]) list.push({ price, quantity, at: Number(price), much: Number(quantity) });
    return list.sort(side === "asks" ? (a, b) => a.at - b.at : (a, b) => b.at - a.at);
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      const asks = this.sorted("asks"), bids = this.sorted("bids");
      if (asks.length + bids.length === 0 && !this.began) return; // what the server drew stays
      this.began = true;
      const n = this.rows.asks.length;
      const most = Math.max(...asks.slice(0, n).map((l) => l.much), ...bids.slice(0, n).map((l) => l.much), 0);
      this.fill(this.rows.asks, asks, "sell", most);
      this.fill(this.rows.bids, bids, "buy", most);
      this.between(asks[0], bids[0]);
      this.drawn(asks, bids);
    });
  }

  fill(rows, levels, side, most) {
    rows.forEach((row, i) => {
      const level = levels[i], button = row.cells[0].firstElementChild;
      const price = level ? padded(level.price, this.places) : "";
      put(button, price);
      button.hidden = !level;
      put(row.cells[1], level ? padded(level.quantity, this.lotPlaces) : "");
      row.classList.toggle("own", Boolean(level) && this.own.has(side + " " + price));
      row.style.setProperty("--share", level && most > 0 ? (100 * level.much / most).toFixed(1) + "%" : "0%");
    });
  }

  between(ask, bid) {
    let text = "–";
    if (ask && bid) {
      const a = parse(ask.price, this.places), b = parse(bid.price, this.places);
      if (a !== null && b !== null && a >= b) {
        const digits = (a - b).toString().padStart(this.places + 1, "0");
        text = this.places ? digits.slice(0, -this.places) + "." + digits.slice(-this.places) : digits;
      }
    }
    put(this.spread, text);
  }
}

/** put changes a text only where it differs. */
export function put(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

function rowsOf(id) { return Array.from(document.getElementById(id).rows); }
