package engine_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/big"
	"testing"

	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
)

// How much the invariants are checked, and replayed.
const (
	invariantSeeds    = 24
	invariantCommands = 2500
	replaySeeds       = 8
	replayCommands    = 20_000
)

// ledger checks, from walks and events alone, what must hold whatever the rules of
// matching are.
type ledger struct {
	in       map[engine.AssetID]*big.Int // by transfers
	held     map[engine.AssetID]*big.Int // by balances, now
	reserved map[[2]uint32]*big.Int      // by balances, less what orders need
	markets  map[engine.MarketID]engine.StateRow
	best     map[engine.MarketID][2]int64
	seq      uint64
	time     int64
	broken   []string
}

func (l *ledger) fault(format string, args ...any) {
	l.broken = append(l.broken, fmt.Sprintf(format, args...))
}

func bigOf(a engine.Amount) *big.Int {
	n := new(big.Int).SetUint64(a.Hi)
	return n.Add(n.Lsh(n, 64), new(big.Int).SetUint64(a.Lo))
}

func addTo[K comparable](m map[K]*big.Int, k K, n *big.Int) {
	if m[k] == nil {
		m[k] = new(big.Int)
	}
	m[k].Add(m[k], n)
}

// State, Order and Money look at one walk.
func (l *ledger) State(r *engine.StateRow) {
	switch r.Kind {
	case engine.RowClock:
		if r.Seq != l.seq {
			l.fault("sequence is %d after event %d", r.Seq, l.seq)
		}
		if r.Time < l.time {
			l.fault("the clock went back from %d to %d", l.time, r.Time)
		}
		l.time = r.Time
	case engine.RowMarket:
		l.markets[r.Market] = *r
	case engine.RowAccount, engine.RowGuard, engine.RowBalance, engine.RowKey, engine.RowTransfer:
	}
}

func (l *ledger) Order(r *engine.OrderRow) {
	m := l.markets[r.Market]
	if r.Qty <= 0 || r.Shown < 0 || r.Shown > r.Qty || (r.Shown == 0) != (r.Price == 0) {
		l.fault("order %d has %d lots and shows %d at %d", r.Order, r.Qty, r.Shown, r.Price)
	}
	if r.Expires != 0 && r.Expires <= l.time {
		l.fault("order %d should have expired at %d", r.Order, r.Expires)
	}
	if best := l.best[r.Market]; r.Price != 0 && best[r.Side] == 0 {
		best[r.Side] = r.Price
		l.best[r.Market] = best
	}
	if r.Sibling != 0 && r.Trigger != 0 {
		return // its sibling reserves for both
	}
	asset, need := m.Config.Base, new(big.Int).SetUint64(m.Config.LotUnits)
	if r.Side == engine.Buy {
		asset, need = m.Config.Quote, new(big.Int).SetUint64(m.Config.TickUnits)
		need.Mul(need, big.NewInt(r.Hold))
	}
	need.Mul(need, big.NewInt(r.Qty))
	addTo(l.reserved, [2]uint32{uint32(r.Account), uint32(asset)}, need.Neg(need))
}

func (l *ledger) Money(r *engine.MoneyRow) {
	if r.Kind != engine.RowBalance {
		return
	}
	addTo(l.held, r.Asset, bigOf(r.Available))
	addTo(l.held, r.Asset, bigOf(r.Reserved))
	addTo(l.reserved, [2]uint32{uint32(r.Account), uint32(r.Asset)}, bigOf(r.Reserved))
}

// saw takes transfers from the events of a command and looks at their order.
func (l *ledger) saw(c *engine.Command, events []engine.Event) {
	for i := range events {
		v := &events[i]
		l.seq++
		if v.Seq != l.seq {
			l.fault("event %d follows %d", v.Seq, l.seq-1)
		}
		if v.Kind != engine.EventTransfer || v.Code != engine.CodeNone {
			continue
		}
		amount := bigOf(v.Amount)
		if c.Op == engine.OpDebit {
			amount.Neg(amount)
		}
		addTo(l.in, v.Asset, amount)
	}
}

// check walks m and says what is broken.
func (l *ledger) check(m machine) []string {
	l.held, l.reserved = map[engine.AssetID]*big.Int{}, map[[2]uint32]*big.Int{}
	l.markets, l.best = map[engine.MarketID]engine.StateRow{}, map[engine.MarketID][2]int64{}
	m.Walk(l)
	for asset, in := range l.in {
		held := l.held[asset]
		if held == nil {
			held = new(big.Int)
		}
		if held.Cmp(in) != 0 {
			l.fault("asset %d: accounts and house hold %s, transfers left %s", asset, held, in)
		}
	}
	for at, rest := range l.reserved {
		if rest.Sign() != 0 {
			l.fault("account %d asset %d: reserved differs from what orders need by %s", at[0], at[1], rest)
		}
	}
	for id, best := range l.best {
		state := l.markets[id].State
		open := state == engine.Open || state == engine.PostOnlyState
		if open && best[0] != 0 && best[1] != 0 && best[0] >= best[1] {
			l.fault("market %d is open and crossed: %d bid, %d asked", id, best[0], best[1])
		}
	}
	return l.broken
}

// TestInvariants looks at the whole state after each command, by no rule of either engine.
func TestInvariants(t *testing.T) {
	t.Parallel()
	for seed := range uint64(invariantSeeds) {
		for name, newMachine := range map[string]func(testing.TB, engine.Config) machine{"fast": newFast, "naive": newNaive} {
			t.Run(fmt.Sprintf("%s seed %d", name, seed), func(t *testing.T) {
				t.Parallel()
				stream := flow.NewAny(seed+1_000_000, flow.All)
				m, l := newMachine(t, stream.Shard()), &ledger{in: map[engine.AssetID]*big.Int{}}
				var events []engine.Event
				for i := range invariantCommands {
					step := stream.Next()
					events = step.Do(m, events[:0])
					stream.Saw(events)
					l.saw(&step.Command, events)
					if broken := l.check(m); broken != nil {
						t.Fatalf("after command %d, %s:\n%s\n%v", i, filled(step.Command), listed(events), broken)
					}
				}
			})
		}
	}
}

// TestReplayGivesTheSameBytes runs recorded streams twice.
func TestReplayGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(replaySeeds) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			stream := flow.NewAny(seed+2_000_000, flow.All)
			steps := flow.Record(stream, newFast(t, stream.Shard()), replayCommands)
			first, last := replayed(t, stream.Shard(), steps)
			again, lastAgain := replayed(t, stream.Shard(), steps)
			if !bytes.Equal(first, again) || last != lastAgain {
				t.Fatalf("%d and %d bytes of events, digests %x and %x", len(first), len(again), last, lastAgain)
			}
		})
	}
}

// replayed runs steps on a new engine and returns its events as bytes and its last digest.
func replayed(t *testing.T, shard engine.Config, steps []flow.Step) ([]byte, uint64) {
	t.Helper()
	m := newFast(t, shard)
	var all bytes.Buffer
	var events []engine.Event
	for i := range steps {
		events = steps[i].Do(m, events[:0])
		if err := binary.Write(&all, binary.LittleEndian, events); err != nil {
			t.Fatalf("write events: %v", err)
		}
	}
	return all.Bytes(), m.Digest()
}
