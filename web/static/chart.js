// The candle chart. Prices become floats here, for drawing alone.
import { seconds } from "./decimal.js";
import { CandlestickSeries, HistogramSeries, createChart } from "./vendor/lightweight-charts.mjs";

export class Candles {
  constructor(element, options) {
    this.options = options;
    this.chart = createChart(element, { autoSize: true, layout: { attributionLogo: false } });
    this.prices = this.chart.addSeries(CandlestickSeries, {
      priceFormat: { type: "price", precision: options.places, minMove: Math.pow(10, -options.places) },
    });
    this.volume = this.chart.addSeries(HistogramSeries, { priceFormat: { type: "volume" }, priceScaleId: "volume", lastValueVisible: false, priceLineVisible: false });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.last = 0;
    this.dress();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.dress());
  }

  /** dress takes the colours of the page. */
  dress() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(name).trim();
    const up = color("--buy"), down = color("--sell"), line = color("--line");
    this.bars = { up: color("--buy-soft"), down: color("--sell-soft") };
    this.chart.applyOptions({
      layout: { background: { color: color("--panel") }, textColor: color("--dim"), fontFamily: style.fontFamily, fontSize: 11 },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line }, timeScale: { borderColor: line, timeVisible: true, secondsVisible: this.options.interval === "1s" },
    });
    this.prices.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
    const candles = this.prices.data();
    this.volume.setData(this.volume.data().map((column, i) => ({ ...column, color: this.tint(candles[i]) })));
  }

  tint(c) { return Number(c.close) >= Number(c.open) ? this.bars.up : this.bars.down; }

  /** load shows an interval from its beginning; what comes late for another is dropped. */
  async load(interval) {
    this.options.interval = interval;
    const answer = await fetch(`/trade/${encodeURIComponent(this.options.market)}/candles?interval=${interval}`);
    if (!answer.ok || this.options.interval !== interval) return;
    const { candles } = await answer.json();
    this.last = 0;
    this.prices.setData(candles.map((c) => this.bar(c)));
    this.volume.setData(candles.map((c) => this.column(c)));
    if (candles.length) this.last = candles[candles.length - 1].start;
    this.chart.applyOptions({ timeScale: { secondsVisible: interval === "1s" } });
    this.chart.timeScale().setVisibleLogicalRange({ from: Math.max(-5, candles.length - 120), to: candles.length + 4 });
  }

  /** take goes on with candles of the stream. */
  take(message) {
    if (message.interval !== this.options.interval) return;
    for (const candle of message.candles || []) {
      const start = seconds(candle.start);
      if (start < this.last || !(Number(candle.open) > 0)) continue;
      this.last = start;
      this.prices.update(this.bar({ ...candle, start }));
      this.volume.update(this.column({ ...candle, start }));
    }
  }

  bar(c) { return { time: c.start, open: Number(c.open), high: Number(c.high), low: Number(c.low), close: Number(c.close) }; }

  column(c) { return { time: c.start, value: Number(c.volume), color: this.tint(c) }; }
}
