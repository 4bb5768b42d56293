// Tests of the page's scripts that need no browser. Run by `go test ./web`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { format, moved, padded, parse, seconds } from "./static/decimal.js";
import { Stream } from "./static/stream.js";

test("decimals come back exactly", () => {
  for (const text of ["0", "1", "0.01", "60000.01", "123456789012345678901234567890.12"]) {
    assert.equal(format(parse(text, 2), 2), padded(text, 2));
  }
  for (const text of ["", "-1", "1e5", "1.", ".5", "1,5", " 1", "1.001", "0x1", "NaN"]) assert.equal(parse(text, 2), null, text);
  assert.equal(padded("1.5", 0), "1.5");
});

test("prices move by ticks, stay on ticks, and never reach nothing", () => {
  for (const [from, step, count, to] of [
    ["60000", "0.01", 1, "60000.01"], ["60000.01", "0.01", -1, "60000.00"], ["0.01", "0.01", -1, "0.01"], ["", "0.01", 1, "0.01"],
    ["9007199254740993.01", "0.01", 1, "9007199254740993.02"], ["0.0019999", "0.000001", 1, "0.002000"], ["7", "5", 1, "10"], ["1.5", "0.5", 10, "6.5"],
    ["0.1", "0.0001", 2, "0.1002"], ["12.3456", "1", 1, "13"],
  ]) assert.equal(moved(from, step, count), to, `${from} by ${count} of ${step}`);
  let price = "0.01";
  for (let i = 2; i < 3000; i++) {
    price = moved(price, "0.01", 1);
    assert.equal(parse(price, 2), BigInt(i));
  }
});

test("times are read as the API writes them", () => {
  assert.equal(seconds("2026-01-02T03:04:05.678Z"), 1767323045);
  assert.equal(seconds(60), 60);
  assert.ok(Number.isNaN(seconds("yesterday")));
});

// Socket stands in for the browser's.
class Socket {
  static OPEN = 1;
  static all = [];
  constructor() { this.readyState = 0; this.sent = []; Socket.all.push(this); }
  send(text) { this.sent.push(JSON.parse(text)); }
  close(code = 1006, reason = "") { this.readyState = 3; this.onclose({ code, reason }); }
  open() { this.readyState = 1; this.onopen(); }
  hear(message) { this.onmessage({ data: JSON.stringify(message) }); }
}

function stream(t) {
  globalThis.WebSocket = Socket;
  Socket.all = [];
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const taken = [];
  const s = new Stream("ws://x", (m) => taken.push(m.seq), () => taken.push("over"));
  s.subscribe({ channel: "book", market: "A-B" });
  s.start();
  Socket.all[0].open();
  return { s, taken, socket: Socket.all[0] };
}

const book = (type, prev, seq) => ({ type, channel: "book", market: "A-B", prev, seq });

test("a gap asks for everything again, and nothing between is taken", (t) => {
  const { taken, socket } = stream(t);
  assert.deepEqual(socket.sent, [{ op: "subscribe", channel: "book", market: "A-B" }]);
  socket.hear(book("update", 1, 2)); // before its snapshot
  socket.hear(book("snapshot", undefined, 5));
  socket.hear(book("update", 5, 6));
  socket.hear(book("update", 7, 8)); // 7 is lost
  socket.hear(book("update", 8, 9)); // was on its way
  assert.deepEqual(socket.sent.slice(1).map((m) => m.op), ["unsubscribe", "subscribe"]);
  socket.hear(book("snapshot", undefined, 10));
  socket.hear(book("update", 10, 11));
  socket.hear({ type: "update", channel: "book", market: "C-D", prev: 1, seq: 2 }); // nobody asked
  assert.deepEqual(taken, [5, 6, 10, 11]);
});

test("a lost socket is opened again, ever more slowly, and subscribes again", (t) => {
  const { s, socket } = stream(t);
  socket.close();
  assert.equal(s.open, false);
  let opened = 1;
  for (let i = 0; i < 12; i++) {
    const before = s.pause;
    t.mock.timers.tick(22500); // the longest pause with its chance
    assert.equal(Socket.all.length, ++opened);
    Socket.all.at(-1).close();
    assert.ok(s.pause >= before && s.pause <= 15000);
  }
  assert.equal(s.pause, 15000);
  t.mock.timers.tick(22500);
  const last = Socket.all.at(-1);
  last.open();
  assert.deepEqual(last.sent, [{ op: "subscribe", channel: "book", market: "A-B" }]);
  last.hear({ type: "pong" });
  assert.equal(s.pause, 250);
});

test("what is no JSON closes the socket, and silence too", (t) => {
  const { s, socket } = stream(t);
  socket.onmessage({ data: "{" });
  assert.equal(socket.readyState, 3);
  t.mock.timers.tick(1000);
  const second = Socket.all.at(-1);
  second.open();
  t.mock.timers.tick(1000);
  assert.equal(second.sent.at(-1).op, "ping");
  s.heard = performance.now() - 9000;
  t.mock.timers.tick(1000);
  assert.equal(second.readyState, 3);
});

test("the end of the session is told, other ends are not", (t) => {
  const { taken, socket } = stream(t);
  for (const [code, reason, over] of [[1001, "the server stops; come back", false], [1008, "slow reader", false], [1006, "", false], [1008, "session ended", true]]) {
    taken.length = 0;
    Socket.all.at(-1).close(code, reason);
    assert.deepEqual(taken, over ? ["over"] : [], reason);
    t.mock.timers.tick(22500);
    Socket.all.at(-1).open();
  }
  taken.length = 0;
  Socket.all.at(-1).hear({ type: "error", code: "not_subscribed" });
  assert.deepEqual(taken, []);
  Socket.all.at(-1).hear({ type: "error", code: "unauthenticated", channel: "orders" });
  assert.deepEqual(taken, ["over"]);
  assert.equal(socket.readyState, 3);
});
