// The depth chart: how much there is up to each price, on both sides of the middle.
import { put } from "./book.js";

const width = 1000, height = 200, reach = 0.02; // of the middle, to each side at most

export class Depth {
  constructor() {
    const svg = document.getElementById("depth");
    this.bid = svg.querySelector(".bid");
    this.ask = svg.querySelector(".ask");
    this.note = document.getElementById("depth-note");
  }

  draw(asks, bids) {
    if (!asks.length || !bids.length) {
      this.bid.setAttribute("d", "");
      this.ask.setAttribute("d", "");
      put(this.note, "");
      return;
    }
    const middle = (asks[0].at + bids[0].at) / 2;
    const end = Math.max(asks[asks.length - 1].at - middle, middle - bids[bids.length - 1].at);
    const far = Math.min(reach * middle, end) || reach * middle;
    const near = (list) => list.filter((l) => Math.abs(l.at - middle) <= far);
    const a = near(asks), b = near(bids);
    const sum = (list) => list.reduce((all, l) => all + l.much, 0);
    const most = Math.max(sum(a), sum(b)) || 1;
    const x = (price) => (width / 2 + (price - middle) / far * width / 2).toFixed(1);
    const y = (much) => (height - much / most * (height - 12)).toFixed(1);
    this.ask.setAttribute("d", outline(a, x, y, width));
    this.bid.setAttribute("d", outline(b, x, y, 0));
    put(this.note, "± " + (100 * far / middle).toFixed(2) + " %");
  }
}

function outline(levels, x, y, end) {
  if (!levels.length) return "";
  let much = 0, d = `M${x(levels[0].at)} ${height}`;
  for (const level of levels) {
    d += `H${x(level.at)}`;
    much += level.much;
    d += `V${y(much)}`;
  }
  return d + `H${end}V${height}Z`;
}
