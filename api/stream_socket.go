package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"
)

// socket is one stream: one goroutine reads, one writes, and each subscription has one
// that waits for news.
type socket struct {
	s        *Server
	conn     *websocket.Conn
	customer string
	guard    *guard // nil where there is nothing to guard
	out      chan outgoing
	frames   *rate.Limiter

	subscribed map[topic]*subscription // of the reading goroutine
	feeders    sync.WaitGroup
	late       atomic.Bool // the message that is being written takes longer than the patience
	ending     sync.Once
	ended      chan struct{} // closed where the stream is closed
	closing    sync.WaitGroup
}

// outgoing is a message, and what ends the stream behind it.
type outgoing struct {
	channel string
	data    []byte
	end     *ending
}

// ending is why a stream ends.
type ending struct {
	status websocket.StatusCode
	reason string // for the client
	label  string // for figures
}

type subscription struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func newSocket(s *Server, conn *websocket.Conn, who visitor) *socket {
	conn.SetReadLimit(maxFrame)
	return &socket{
		s: s, conn: conn, customer: who.customer, guard: who.guard, out: make(chan outgoing, sendQueue), frames: rate.NewLimiter(framesPerSecond, frameBurst),
		subscribed: map[topic]*subscription{}, ended: make(chan struct{}),
	}
}

// serve works until the stream has ended.
func (k *socket) serve(ctx context.Context) {
	k.s.metrics.sockets.Inc()
	defer k.s.metrics.sockets.Dec()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	workers.Go(func() { k.write(ctx) })
	workers.Go(func() { k.watch(ctx) })
	if k.guard != nil {
		workers.Go(func() {
			if e := k.guard.watch(ctx); e != nil {
				k.end(e)
			}
		})
	}
	err := k.read(ctx)
	if k.late.Load() { // the writer gave up and closed the connection: reading fails first at times
		k.end(slowReader())
	}
	k.end(&ending{status: websocket.StatusNormalClosure, label: endOf(err)})
	cancel()
	workers.Wait()
	k.feeders.Wait()
	k.closing.Wait()
}

// endOf is why reading ended, for figures.
func endOf(err error) string {
	switch websocket.CloseStatus(err) { //nolint:exhaustive // others are of one kind
	case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
		return "client"
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return "too_large"
	}
	return "lost"
}

// end closes the stream, once.
func (k *socket) end(e *ending) {
	k.ending.Do(func() {
		k.s.metrics.ended.WithLabelValues(e.label).Inc()
		close(k.ended)
		// Closing waits for the client's answer a moment.
		k.closing.Go(func() { _ = k.conn.Close(e.status, e.reason) })
	})
}

// send gives a message to the writer; false where the stream has ended.
func (k *socket) send(ctx context.Context, channel string, message any) bool {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(message); err != nil {
		k.end(&ending{status: websocket.StatusInternalError, reason: "a message cannot be written", label: "fault"})
		k.s.cfg.Log.ErrorContext(ctx, "encode message of a stream", "cause", err)
		return false
	}
	return k.queue(ctx, outgoing{channel: channel, data: bytes.TrimSpace(data.Bytes())})
}

func (k *socket) queue(ctx context.Context, o outgoing) bool {
	select {
	case k.out <- o:
		return true
	case <-ctx.Done():
	case <-k.ended:
	}
	return false
}

// write sends what waits. Whoever does not take a message for longer than the patience is
// sent away: with a reason where that can still be said, cut off where not.
func (k *socket) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.ended:
			return
		case o := <-k.out:
			if e := k.put(ctx, o); e != nil {
				k.end(e)
				return
			}
		}
	}
}

func slowReader() *ending {
	return &ending{websocket.StatusPolicyViolation, "slow reader", "slow_reader"}
}

func (k *socket) put(ctx context.Context, o outgoing) *ending {
	if o.data != nil {
		ctx, cancel := context.WithTimeout(ctx, 2*k.s.cfg.StreamPatience)
		defer cancel()
		timer := time.AfterFunc(k.s.cfg.StreamPatience, func() { k.late.Store(true) })
		err := k.conn.Write(ctx, websocket.MessageText, o.data)
		timer.Stop()
		switch {
		case k.late.Load():
			return slowReader()
		case err != nil:
			return &ending{websocket.StatusNormalClosure, "", "lost"}
		}
		k.s.metrics.messages.WithLabelValues(o.channel).Inc()
	}
	return o.end
}

// watch ends the stream where the server stops, the client is gone, or its time is up.
func (k *socket) watch(ctx context.Context) {
	beat, life := time.NewTicker(k.s.cfg.Heartbeat), time.NewTimer(streamLife)
	defer beat.Stop()
	defer life.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.ended:
			return
		case <-k.s.draining:
			k.end(&ending{websocket.StatusGoingAway, "the server stops; come back", "drained"})
			return
		case <-life.C:
			k.end(&ending{websocket.StatusGoingAway, "the stream is old; open another", "old"})
			return
		case <-beat.C:
			if !k.alive(ctx) {
				k.end(&ending{websocket.StatusPolicyViolation, "no answer to a ping", "silent"})
				return
			}
		}
	}
}

func (k *socket) alive(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*k.s.cfg.StreamPatience)
	defer cancel()
	return k.conn.Ping(ctx) == nil
}

// read takes the client's frames until there are no more.
func (k *socket) read(ctx context.Context) error {
	for {
		kind, data, err := k.conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("read stream: %w", err)
		}
		if !k.frames.AllowN(k.s.now(), 1) {
			k.end(&ending{websocket.StatusPolicyViolation, "too many frames", "flood"})
			continue // reading fails from here on
		}
		if kind != websocket.MessageText {
			k.end(&ending{websocket.StatusUnsupportedData, "frames are JSON text", "malformed"})
			continue
		}
		k.take(ctx, data)
	}
}

// take does what a frame asks for.
func (k *socket) take(ctx context.Context, data []byte) {
	f, err := parseFrame(data)
	if err != nil {
		k.send(ctx, "error", complain(topic{}, "malformed", "the frame cannot be read: "+err.Error(), "see /docs"))
		k.queue(ctx, outgoing{end: &ending{websocket.StatusInvalidFramePayloadData, "the frame cannot be read", "malformed"}})
		return
	}
	if c := f.check(func(name string) bool { return k.s.cfg.Trading.Catalog.Market(name) != nil }); c != nil {
		k.send(ctx, "error", c)
		return
	}
	t := topic{f.Channel, f.Market, f.Interval}
	switch f.Op {
	case "ping":
		k.send(ctx, "pong", struct {
			Type string `json:"type"`
		}{"pong"})
	case "subscribe":
		if c := k.subscribe(ctx, t); c != nil {
			k.send(ctx, "error", c)
		}
	case "unsubscribe":
		k.unsubscribe(ctx, t)
	}
}

func (k *socket) subscribe(ctx context.Context, t topic) *complaint {
	switch {
	case k.subscribed[t] != nil:
		return complain(t, "already_subscribed", "this is subscribed", "unsubscribe first to begin anew")
	case len(k.subscribed) >= maxSubscriptions:
		return complain(t, "too_many_subscriptions", fmt.Sprintf("a stream has at most %d", maxSubscriptions), "unsubscribe from others, or open another stream")
	case t.private() && k.customer == "":
		return complain(t, "unauthenticated", "this channel is of an account", "sign the handshake, or log in on the trade page")
	case t.Channel == channelTransfers && k.s.cfg.Trading.Endings == nil:
		return complain(t, "unknown_channel", "nobody tells of transfers here", "use GET /v1/transfers")
	}
	ctx, cancel := context.WithCancel(ctx)
	sub := &subscription{cancel: cancel, done: make(chan struct{})}
	k.subscribed[t] = sub
	k.feeders.Go(func() {
		defer close(sub.done)
		k.feed(ctx, t)
	})
	return nil
}

// unsubscribe waits until nothing more can come.
func (k *socket) unsubscribe(ctx context.Context, t topic) {
	sub := k.subscribed[t]
	if sub == nil {
		k.send(ctx, "error", complain(t, "not_subscribed", "this is not subscribed", "subscribe first"))
		return
	}
	delete(k.subscribed, t)
	sub.cancel()
	<-sub.done
}

// feed tells a subscription's news until it ends.
func (k *socket) feed(ctx context.Context, t topic) {
	switch {
	case t.Channel == channelTransfers:
		k.feedTransfers(ctx, t)
	case t.private():
		k.feedAccount(ctx, t)
	default:
		k.feedMarket(ctx, t)
	}
}
