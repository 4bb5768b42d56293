// Package matchingbench measures the matching engine and its service: what a command
// costs, how many orders a second a shard acknowledges, and how long they wait.
package matchingbench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// PerMessage is how many commands a message of the service's load has.
const PerMessage = 16

// The mix, in percent: orders near the middle, cancels of orders that were placed some
// time before, and the rest crosses.
const (
	adds     = 45
	cancels  = 45
	mid      = 1_000_000
	near     = 50
	reach    = 10
	mostLots = 100
	// young is how many of an account's newest orders a cancel chooses among.
	young = 1000
)

// mix makes commands of one account. Orders go by client ids, so that nobody has to
// wait for an answer before a cancel.
type mix struct {
	dice    *rand.Rand
	account engine.AccountID
	placed  uint64
}

func newMix(seed uint64, account engine.AccountID) *mix {
	return &mix{dice: rand.New(rand.NewPCG(seed, uint64(account))), account: account} //nolint:gosec // a seeded load
}

func (m *mix) next() engine.Command {
	roll := m.dice.IntN(100)
	if roll >= adds && roll < adds+cancels && m.placed > 0 {
		back := m.dice.Uint64N(min(young, m.placed))
		return engine.Command{Op: engine.OpCancel, Account: m.account, Key: engine.Key{Lo: m.placed - back}}
	}
	m.placed++
	c := engine.Command{
		Op: engine.OpNew, Account: m.account, Side: engine.Side(m.dice.IntN(2)), //nolint:gosec // 0 or 1
		Qty: 1 + m.dice.Int64N(mostLots), Key: engine.Key{Lo: m.placed},
	}
	away := 1 + m.dice.Int64N(near)
	if roll >= adds+cancels {
		c.TIF, away = engine.IOC, -reach
	}
	c.Price = mid - away
	if c.Side == engine.Sell {
		c.Price = mid + away
	}
	return c
}

// message packs the next commands, of which the first has a number.
func (m *mix) message(first uint64, n int) *matchingv1.ClientFrame {
	f := &matchingv1.ClientFrame{Version: wire.Version, First: first, Commands: make([]byte, 0, 64*n)}
	for range n {
		c := m.next()
		f.Commands = wire.AppendCommand(f.Commands, &c)
	}
	return f
}

// line is one stream of the load: an account's.
type line struct {
	stream  grpc.BidiStreamingClient[matchingv1.ClientFrame, matchingv1.ServerFrame]
	close   context.CancelFunc
	mix     *mix
	next    uint64 // number of the next command
	results atomic.Uint64
}

var errNoWelcome = errors.New("no welcome")

func openLine(ctx context.Context, node matchingv1.MatchingClient, seed uint64, account engine.AccountID) (*line, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := node.Trade(ctx)
	if err == nil {
		err = stream.Send(&matchingv1.ClientFrame{Hello: &matchingv1.Hello{}})
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("open stream: %w", err)
	}
	if f, err := stream.Recv(); err != nil || f.GetWelcome() == nil {
		cancel()
		return nil, errors.Join(errNoWelcome, err)
	}
	return &line{stream: stream, close: cancel, mix: newMix(seed, account), next: 1}, nil
}

// read takes frames until the stream ends and gives seen the numbers of results, in
// order: those from first on, n of them.
func (l *line) read(seen func(first uint64, n int)) {
	next := uint64(1)
	for {
		f, err := l.stream.Recv()
		if err != nil {
			return // it is ended by close, or nothing more comes and who waits sees that
		}
		if n := len(f.GetResults()) / wire.ResultBytes; n > 0 {
			seen(next, n)
			next += uint64(n)
			l.results.Add(uint64(n))
		}
	}
}

func (l *line) send(n int) error {
	f := l.mix.message(l.next, n)
	l.next += uint64(n) //nolint:gosec // a count
	if err := l.stream.Send(f); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// flood keeps so many commands of each line without a result for a while and returns
// how many were answered a second. The lines are used up.
func flood(clock func() time.Time, lines []*line, open int, lasts time.Duration) (float64, error) {
	var wg sync.WaitGroup
	failures := make([]error, len(lines))
	over := make(chan struct{})
	begun := clock()
	for i, l := range lines {
		room := make(chan struct{}, open/PerMessage)
		part := 0
		wg.Go(func() {
			l.read(func(_ uint64, n int) {
				for part += n; part >= PerMessage; part -= PerMessage {
					<-room
				}
			})
		})
		wg.Go(func() {
			for failures[i] == nil {
				select {
				case room <- struct{}{}:
					failures[i] = l.send(PerMessage)
				case <-over:
					return
				}
			}
		})
	}
	timer := time.NewTimer(lasts)
	defer timer.Stop()
	<-timer.C
	rate := float64(answered(lines)) / clock().Sub(begun).Seconds()
	close(over)
	for _, l := range lines {
		l.close() // what is still to come is not counted
	}
	wg.Wait()
	for i, err := range failures {
		if err != nil && lines[i].results.Load() > 0 {
			failures[i] = nil // it was sending when it was closed
		}
	}
	return rate, errors.Join(failures...)
}

func answered(lines []*line) (n uint64) {
	for _, l := range lines {
		n += l.results.Load()
	}
	return n
}

// paced sends messages at times that were fixed before, whatever became of those
// before them, so that a shard that falls behind is seen to: a wait counts from the
// time at which its message was to be sent.
func paced(clock func() time.Time, lines []*line, rate int, lasts time.Duration) (Waits, error) {
	var wg sync.WaitGroup
	failures, waits := make([]error, len(lines)), make([][]time.Duration, len(lines))
	every := time.Duration(float64(time.Second) * PerMessage * float64(len(lines)) / float64(rate))
	messages := int(lasts / every)
	begun := clock().Add(warmUp)
	for i, l := range lines {
		first := begun.Add(every * time.Duration(i) / time.Duration(len(lines)))
		due := func(message int) time.Time { return first.Add(every * time.Duration(message)) }
		done := make(chan struct{})
		wg.Go(func() {
			l.read(func(from uint64, n int) {
				now := clock()
				for k := range uint64(n) { //nolint:gosec // a count
					message := int((from + k - 1) / PerMessage) //nolint:gosec // far below
					waits[i] = append(waits[i], now.Sub(due(message)))
				}
				if len(waits[i]) == messages*PerMessage {
					close(done)
				}
			})
		})
		wg.Go(func() {
			defer l.close()
			for message := range messages {
				for wait := due(message).Sub(clock()); wait > 0; wait = due(message).Sub(clock()) {
					pause(wait)
				}
				if failures[i] = l.send(PerMessage); failures[i] != nil {
					return
				}
			}
			select {
			case <-done:
			case <-time.After(drain): //nolint:forbidigo // real time is what is measured
				failures[i] = fmt.Errorf("%w: %d of %d", errMissing, l.results.Load(), messages*PerMessage)
			}
		})
	}
	wg.Wait()
	return waitsOf(slices.Concat(waits...)), errors.Join(failures...)
}

const (
	warmUp = 50 * time.Millisecond
	drain  = 30 * time.Second
)

var errMissing = errors.New("results are missing")

// single sends one command after another, each when the one before is answered.
func single(clock func() time.Time, l *line, n int) (Waits, error) {
	got := make(chan struct{}, 1)
	var reader sync.WaitGroup
	reader.Go(func() { l.read(func(uint64, int) { got <- struct{}{} }) })
	defer reader.Wait()
	defer l.close()
	waits := make([]time.Duration, 0, n)
	for range n {
		begun := clock()
		if err := l.send(1); err != nil {
			return Waits{}, err
		}
		select {
		case <-got:
		case <-time.After(drain): //nolint:forbidigo // real time is what is measured
			return Waits{}, errMissing
		}
		waits = append(waits, clock().Sub(begun))
	}
	return waitsOf(waits), nil
}

// Waits are how long commands waited for their results.
type Waits struct {
	Count               int
	P50, P99, P999, Max time.Duration
}

func waitsOf(all []time.Duration) Waits {
	if len(all) == 0 {
		return Waits{}
	}
	slices.Sort(all)
	at := func(part float64) time.Duration { return all[min(len(all)-1, int(part*float64(len(all))))] }
	return Waits{Count: len(all), P50: at(0.5), P99: at(0.99), P999: at(0.999), Max: all[len(all)-1]}
}
