package server

import (
	"context"
	"sync"
	"time"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// chunk is a frame of commands that waits.
type chunk struct {
	first uint64
	count int
	body  []byte
	at    time.Time
}

// flight is an entry on its way.
type flight struct {
	ticket   Ticket
	begun    time.Time
	arrivals []arrival
}

// arrival is when how many commands came.
type arrival struct {
	at    time.Time
	count int
}

// sequencer puts what sessions ask into log entries, one frame of each session that has
// any in turn, so that a flood waits behind itself only.
type sequencer struct {
	cfg     Config
	wake    chan struct{}
	flights chan flight
	last    int64 // log time of the last entry

	mu       sync.Mutex
	links    map[engine.SessionID]*link
	ready    []*link
	controls [][]byte
	queued   int
}

func newSequencer(cfg Config) *sequencer {
	return &sequencer{
		cfg: cfg, wake: make(chan struct{}, 1), flights: make(chan flight, maxFlights),
		links: map[engine.SessionID]*link{},
	}
}

// put queues commands of a session and waits while too many of it are there. It reports
// false where the stream has been replaced or the session dropped.
func (q *sequencer) put(ctx context.Context, l *link, from *conn, c chunk) bool {
	for {
		q.mu.Lock()
		if q.links[l.session] != l || !l.holds(from) || c.first != l.received+1 {
			q.mu.Unlock()
			return false
		}
		if l.queued < maxQueued {
			break
		}
		q.mu.Unlock()
		select {
		case <-l.room:
		case <-ctx.Done():
			return false
		}
	}
	defer q.mu.Unlock()
	l.queue = append(l.queue, c)
	l.queued += c.count
	q.queued += c.count
	q.cfg.Metrics.queued.Set(float64(q.queued))
	l.received += uint64(c.count) //nolint:gosec // a count
	if !l.ready {
		l.ready = true
		q.ready = append(q.ready, l)
	}
	q.rouse()
	return true
}

// control queues a record that is no session's.
func (q *sequencer) control(record []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.controls) >= maxControls {
		return false
	}
	q.controls = append(q.controls, record)
	q.rouse()
	return true
}

func (q *sequencer) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// run proposes until ctx ends.
func (q *sequencer) run(ctx context.Context) {
	ticker := time.NewTicker(q.cfg.Tick)
	defer ticker.Stop()
	entry := make([]byte, 0, maxEntryBytes)
	for {
		tick := false
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-ticker.C:
			tick = true
		}
		if _, leading := q.cfg.Log.Leading(); !leading {
			q.drop()
			continue
		}
		for more := true; more; tick = false {
			var arrivals []arrival
			entry, arrivals, more = q.collect(entry[:0], tick)
			if len(entry) > 0 && !q.propose(ctx, entry, arrivals) {
				break
			}
		}
	}
}

// collect writes the next entry, none where there is nothing to say.
func (q *sequencer) collect(entry []byte, tick bool) (out []byte, arrivals []arrival, more bool) {
	q.last = max(q.last, q.cfg.Clock().UnixNano())
	q.mu.Lock()
	defer q.mu.Unlock()
	entry = wire.AppendEntry(entry, q.last)
	head, count := len(entry), 0
	for _, c := range q.controls {
		entry = append(entry, c...)
	}
	q.controls = q.controls[:0]
	if tick {
		entry = q.sweep(entry)
	}
	for len(q.ready) > 0 && count < MaxEntryCommands && len(entry) < maxEntryBytes {
		l := q.ready[0]
		q.ready = q.ready[1:]
		c := l.queue[0]
		l.queue[0], l.queue = chunk{}, l.queue[1:]
		l.queued -= c.count
		q.queued -= c.count
		entry = wire.AppendCommands(entry, l.session, c.first, c.count, c.body)
		count += c.count
		arrivals = append(arrivals, arrival{c.at, c.count})
		if l.ready = len(l.queue) > 0; l.ready {
			q.ready = append(q.ready, l)
		}
		select {
		case l.room <- struct{}{}:
		default:
		}
	}
	q.cfg.Metrics.queued.Set(float64(q.queued))
	if len(entry) == head && !tick {
		return entry[:0], nil, false
	}
	return entry, arrivals, len(q.ready) > 0
}

// sweep ends sessions that were without a stream for too long, and adopts those of a
// leader before.
func (q *sequencer) sweep(entry []byte) []byte {
	for id, l := range q.links {
		if l.detached != 0 && q.last-l.detached >= q.cfg.Grace.Nanoseconds() && !l.ready {
			delete(q.links, id)
			entry = wire.AppendEnd(entry, id)
		}
	}
	epoch, _ := q.cfg.Log.Leading()
	for _, l := range q.cfg.Machine.adopt(epoch) {
		l.detached = q.last
		q.links[l.session] = l
	}
	return entry
}

// propose hands an entry to the log, waiting while too many are under way.
func (q *sequencer) propose(ctx context.Context, entry []byte, arrivals []arrival) bool {
	begun := q.cfg.Clock()
	ticket, err := q.cfg.Log.Begin(ctx, entry)
	if err != nil {
		if ctx.Err() == nil {
			q.cfg.Logger.Warn("log takes no entry", "error", err)
		}
		q.drop()
		return false
	}
	select {
	case q.flights <- flight{ticket, begun, arrivals}:
		q.cfg.Metrics.flights.Set(float64(len(q.flights)))
		return true
	case <-ctx.Done():
		return false
	}
}

// land waits for what becomes of entries, in order.
func (q *sequencer) land(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-q.flights:
			if _, err := f.ticket.Wait(ctx); err != nil {
				if ctx.Err() == nil {
					q.cfg.Logger.Warn("entry is lost", "error", err)
				}
				q.drop()
				continue
			}
			now := q.cfg.Clock()
			q.cfg.Metrics.commit.Observe(now.Sub(f.begun).Seconds())
			for _, a := range f.arrivals {
				q.cfg.Metrics.ack.Observe(now.Sub(a.at).Seconds())
			}
		}
	}
}

// drop ends all streams, because what was asked may or may not have happened. Sessions
// go on where the log says that they are.
func (q *sequencer) drop() {
	why := refuse(matchingv1.Reason_REASON_OUTCOME_UNKNOWN, "commands may have been lost; go on with the session")
	if _, leading := q.cfg.Log.Leading(); !leading {
		why = refuse(matchingv1.Reason_REASON_NOT_LEADER, "this node does not lead")
	}
	m := q.cfg.Machine
	q.mu.Lock()
	defer q.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.unlinkAll(why)
	for _, l := range q.links {
		close(l.room)
	}
	clear(q.links)
	q.ready, q.controls, q.queued = nil, nil, 0
}
