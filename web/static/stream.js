// The stream: one socket, opened again with growing pauses; each subscription again where
// its messages leave a gap.

const shortPause = 250, longPause = 15000, pingEvery = 1000, silence = 8000;

export class Stream {
  constructor(url, take, over) {
    this.url = url;
    this.take = take; // called with each message
    this.over = over; // called where the session is over that the page is of
    this.subscriptions = new Map();
    this.seen = new Map(); // the last seq by subscription
    this.pause = shortPause;
    this.heard = 0; // when the newest message came
    this.socket = null;
  }

  get open() { return this.socket !== null && this.socket.readyState === WebSocket.OPEN; }

  start() {
    this.connect();
    setInterval(() => {
      if (!this.open) return;
      if (performance.now() - this.heard > silence) this.socket.close();
      else this.send({ op: "ping" });
    }, pingEvery);
  }

  subscribe(want) {
    this.subscriptions.set(keyOf(want), want);
    if (this.open) this.send({ op: "subscribe", ...want });
  }

  unsubscribe(want) {
    this.subscriptions.delete(keyOf(want));
    this.seen.delete(keyOf(want));
    if (this.open) this.send({ op: "unsubscribe", ...want });
  }

  send(message) { this.socket.send(JSON.stringify(message)); }

  connect() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.heard = performance.now();
      this.seen.clear();
      for (const want of this.subscriptions.values()) this.send({ op: "subscribe", ...want });
    };
    socket.onmessage = (event) => {
      this.heard = performance.now();
      this.pause = shortPause;
      let message;
      try { message = JSON.parse(event.data); } catch { socket.close(); return; }
      this.receive(message);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (event.code === 1008 && event.reason === "session ended") this.over();
      // Not all pages at the same moment.
      setTimeout(() => this.connect(), this.pause * (0.5 + Math.random()));
      this.pause = Math.min(2 * this.pause, longPause);
    };
  }

  receive(message) {
    if (message.type === "error" && message.code === "unauthenticated") this.over();
    if (message.type !== "snapshot" && message.type !== "update") return;
    const key = keyOf(message), want = this.subscriptions.get(key);
    if (!want) return;
    if (message.type === "update" && message.prev !== undefined && this.seen.has(key) && message.prev !== this.seen.get(key)) {
      this.seen.delete(key);
      this.send({ op: "unsubscribe", ...want });
      this.send({ op: "subscribe", ...want });
      return;
    }
    if (message.type === "update" && message.prev !== undefined && !this.seen.has(key)) return; // before its snapshot
    if (message.seq !== undefined) this.seen.set(key, message.seq);
    this.take(message);
  }
}

function keyOf(m) { return [m.channel, m.market || "", m.interval || ""].join(" "); }
