package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"strongroom/feed"
	"strongroom/matching/client"
	"strongroom/matching/engine"
)

var (
	errGap  = errors.New("events leave a gap")
	errHash = errors.New("events are not those that follow")
	// errWhole is no failure: the store has what was missing, and is read anew.
	errWhole = errors.New("the store has the trades that were missing")
)

// lookEvery is how often the store is asked for trades that nobody keeps as events.
const lookEvery = 5 * time.Second

// keptClosed is how many closed candles of each interval are remembered until the store
// has them.
const keptClosed = 128

// Run follows the shard until ctx ends, and returns nil then. What fails is told to the
// logger and tried again, for ever.
func (l *Live) Run(ctx context.Context) error {
	var keeping sync.WaitGroup
	defer keeping.Wait()
	if l.cfg.Store != nil {
		keeping.Go(func() { l.keep(ctx) })
	}
	for first := true; ctx.Err() == nil; first = false {
		if !first {
			l.figures.resnapshots.Inc()
		}
		err := l.follow(ctx)
		l.heard(0, false)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errWhole) {
			l.cfg.Logger.InfoContext(ctx, "candles are whole again")
			continue
		}
		l.cfg.Logger.WarnContext(ctx, "follow the shard", slog.Any("error", err))
		pause(ctx, l.cfg.Pause)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// follower is one go at following: from the candles' event on, or from the books' where
// nobody has what is between.
type follower struct {
	live  *Live
	base  uint64   // the books are behind this event
	at    [32]byte // the chain's hash behind it
	hash  [32]byte
	epoch uint64
	next  uint64
	known bool // hash is that of the chain before next
	due   map[engine.MarketID][]engine.Event
	// lacks is set where trades up to base came from nowhere; look is when the store is
	// asked for them next.
	lacks bool
	look  time.Time
}

// follow begins with what waits and goes on until something fails.
func (l *Live) follow(ctx context.Context) error {
	resting, err := l.cfg.Client.Resting(ctx, l.ids()...)
	if err != nil {
		return fmt.Errorf("read the books: %w", err)
	}
	past, next, err := l.cfg.Candles.Past(ctx, l.ids())
	if err != nil {
		return fmt.Errorf("read the past: %w", err)
	}
	for id, m := range l.markets {
		p := past[id]
		m.forget()
		m.feed.Recall(&p)
		m.feed.Begin(standing(&resting, id))
	}
	l.heard(resting.Time, true)
	f := &follower{live: l, base: resting.Seq, at: resting.Hash, hash: resting.Hash, epoch: resting.Epoch, next: min(next, resting.Seq+1), due: map[engine.MarketID][]engine.Event{}}
	f.known = f.next > f.base
	err = f.run(ctx)
	if errors.Is(err, client.ErrNotKept) && f.next <= f.base {
		// The candles lack trades until who keeps them has taken them from elsewhere.
		l.figures.lacking.Set(1)
		defer l.figures.lacking.Set(0)
		l.cfg.Logger.WarnContext(ctx, "trades of before are not kept: candles lack them", slog.Uint64("from", f.next), slog.Uint64("to", f.base))
		f.next, f.hash, f.known = f.base+1, resting.Hash, true
		f.lacks, f.look = true, l.cfg.Clock().Add(lookEvery)
		err = f.run(ctx)
	}
	return err
}

func standing(r *client.Resting, id engine.MarketID) *feed.Standing {
	s := &feed.Standing{Seq: r.Seq, Time: r.Time}
	for i := range r.Markets {
		m := &r.Markets[i]
		if m.Market != id {
			continue
		}
		s.State, s.Until = m.State, m.Until
		s.Orders = make([]feed.Order, 0, len(m.Orders))
		for _, o := range m.Orders {
			s.Orders = append(s.Orders, feed.Order{ID: o.Order, Side: o.Side, Price: o.Price, Shown: o.Shown})
		}
	}
	return s
}

func (f *follower) run(ctx context.Context) error {
	for b, err := range f.live.cfg.Client.Events(ctx, f.epoch, f.next) {
		if err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		if err := f.take(&b); err != nil {
			return err
		}
		if err := f.whole(ctx); err != nil {
			return err
		}
	}
	return ctx.Err() //nolint:wrapcheck // the caller's own
}

// whole returns errWhole where trades are missing that the store has by now, and looks
// now and then. What cannot be read is looked for again.
func (f *follower) whole(ctx context.Context) error {
	l := f.live
	if !f.lacks || l.cfg.Clock().Before(f.look) {
		return nil
	}
	f.look = l.cfg.Clock().Add(lookEvery)
	_, next, err := l.cfg.Candles.Past(ctx, l.ids())
	if err != nil {
		l.cfg.Logger.WarnContext(ctx, "look for trades that are missing", slog.Any("error", err))
		return nil
	}
	if next > f.base {
		return errWhole
	}
	return nil
}

// take takes a batch that follows; one that is known changes nothing.
func (f *follower) take(b *client.Batch) error {
	last := b.Events[len(b.Events)-1]
	if last.Seq < f.next {
		return nil
	}
	if err := f.fits(b); err != nil {
		return err
	}
	f.hand(b)
	caughtUp := f.next <= f.base && last.Seq >= f.base
	f.next, f.hash, f.known, f.epoch = last.Seq+1, b.Hash, true, max(f.epoch, b.Epoch)
	if caughtUp {
		for _, m := range f.live.markets {
			m.feed.Renew()
		}
	}
	f.live.heard(last.Time, true)
	f.live.figures.events.Add(float64(len(b.Events)))
	return nil
}

// fits says why a batch is not what comes next, nil if it is.
func (f *follower) fits(b *client.Batch) error {
	first, last := b.Events[0].Seq, b.Events[len(b.Events)-1].Seq
	switch {
	case first > f.next:
		return fmt.Errorf("%w: %d follows %d", errGap, first, f.next-1)
	case first == f.next && f.known && b.Before != f.hash, last == f.base && b.Hash != f.at:
		return fmt.Errorf("%w: from %d on", errHash, first)
	}
	return nil
}

// hand gives each market what is new to it, all of a batch at once.
func (f *follower) hand(b *client.Batch) {
	for i := range b.Events {
		if v := &b.Events[i]; v.Seq >= f.next && f.live.markets[v.Market] != nil && ofMarket(v.Kind) {
			f.due[v.Market] = append(f.due[v.Market], *v)
		}
	}
	for id, events := range f.due {
		if len(events) > 0 {
			f.live.markets[id].take(events)
			f.due[id] = events[:0]
		}
	}
}

// ofMarket tells whether events of a kind are of a book; market 0 is also that of those
// that are of none.
func ofMarket(k engine.EventKind) bool {
	switch k { //nolint:exhaustive // the others change nothing that is seen
	case engine.EventRested, engine.EventTrade, engine.EventReduced, engine.EventReplaced, engine.EventCancelled, engine.EventState, engine.EventAuction:
		return true
	}
	return false
}

// take gives a market events of one batch, and remembers candles that they end.
func (m *market) take(events []engine.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.feed.Take(events, nil) {
		list := m.closed[c.Interval]
		list = append(list, c.Candle)
		if len(list) > 2*keptClosed {
			list = append(list[:0], list[len(list)-keptClosed:]...)
		}
		m.closed[c.Interval] = list
	}
}

func (m *market) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.closed)
}
