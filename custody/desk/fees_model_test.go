package desk_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

// undone is a house all of whose payments have ended, and whose blocks are replaced
// at any depth.
type undone struct {
	*house
	rnd     *rand.Rand
	intents map[string]chainadapters.ChainID
	ids     []string
	rounds  map[string]int
	booked  int
}

// TestFeesUnderAnyReorganisation replaces blocks under ended payments at any depth,
// again before the last was over, lets any attempt of each come back at any price,
// and holds each pass to a model: afterwards the book has what is final, and of what
// is not it has what it had.
func TestFeesUnderAnyReorganisation(t *testing.T) {
	seeds, commands := 6, 120
	if testing.Short() {
		seeds = 2
	}
	booked := 0
	for seed := range seeds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			u := newUndone(t, uint64(seed))
			for range commands {
				u.command()
			}
			u.rest()
			booked += u.booked
		})
	}
	t.Logf("%d corrections", booked)
	if booked < 5*seeds {
		t.Error("the commands are too weak")
	}
}

// newUndone has paid in every asset by two attempts each, topped up and collected.
func newUndone(t *testing.T, seed uint64) *undone {
	t.Helper()
	u := &undone{
		house: newHouse(t), rnd: rand.New(rand.NewPCG(seed, 17)), intents: map[string]chainadapters.ChainID{}, rounds: map[string]int{},
	}
	u.fund("ETH", big, big)
	u.fund("TUSD", 1_000_000, 1_000_000)
	u.fund("BTC", 10_000_000, 4_000_000)
	at := u.deposit("ETH", big/10)
	for _, asset := range []string{"ETH", "TUSD", "BTC"} {
		w := u.withdraw(asset, 70_000)
		u.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
		u.note(w.ID, w.Chain)
	}
	u.bidAgain()
	for _, intent := range []string{
		u.order(custody.IntentGasTopUp, "gas", "ETH", u.hot(), at, units(big/20)), u.order(custody.IntentCollect, "col", "ETH", at, u.hot(), units(big/20)),
	} {
		u.do(intent, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
		u.note(intent, evm)
	}
	u.mine(evm, finalDepth)
	u.mine(utxo, finalDepth)
	for _, intent := range u.ids {
		u.do(intent, custody.WithdrawalPosted, "observe", "settle", "observe", "settle")
	}
	return u
}

// bidAgain lets the price rise until everything bids once more, and fall again.
func (u *undone) bidAgain() {
	u.t.Helper()
	for chain, asset := range map[chainadapters.ChainID]string{evm: "ETH", utxo: "BTC"} {
		u.chains[chain].SetPrice(dear(asset))
		u.mine(chain, 2)
	}
	for _, intent := range u.ids {
		u.do(intent, custody.WithdrawalBroadcast, "observe")
	}
	u.pass(61 * time.Minute)
	for _, intent := range u.ids {
		u.do(intent, custody.WithdrawalBroadcast, "observe", "observe", "send")
	}
	u.chains[evm].SetPrice(0)
	u.chains[utxo].SetPrice(0)
}

func (u *undone) note(intent string, chain chainadapters.ChainID) {
	u.intents[intent] = chain
	u.ids = append(u.ids, intent)
}

func (u *undone) command() {
	chain := []chainadapters.ChainID{evm, utxo}[u.rnd.IntN(2)]
	switch n := u.rnd.IntN(100); {
	case n < 8:
		// No deeper than a payment: what was paid into the house stays.
		id := u.ids[u.rnd.IntN(len(u.ids))]
		_, depth := u.minedFee(id)
		chain = u.intents[id]
		u.reorg(chain, max(depth, 1))
		if u.rnd.IntN(2) == 0 {
			u.chains[chain].DropPool()
		}
	case n < 16:
		u.chains[evm].SetPrice(1_000_000_000 + u.rnd.Uint64N(1_000_000_000))
	case n < 30:
		u.handOver()
	case n < 50:
		u.must(u.desk.ResendOrphans(context.Background()))
	case n < 78:
		u.mine(chain, 1+u.rnd.IntN(finalDepth))
	case n < 80:
		u.restart()
	default:
		u.correct()
	}
}

// handOver gives the node any attempt of any payment.
func (u *undone) handOver() {
	intent := u.ids[u.rnd.IntN(len(u.ids))]
	attempts, err := u.store.Attempts(context.Background(), intent)
	u.must(err)
	_ = u.nodes[u.intents[intent]].Broadcast(context.Background(), attempts[u.rnd.IntN(len(attempts))].Raw) // another may be mined
}

// correct lets some workers correct at once, and compares with the model.
func (u *undone) correct() {
	u.t.Helper()
	had := map[string]money.Units{}
	for _, intent := range u.ids {
		had[intent], _ = u.bookedFee(intent)
	}
	u.atOnce(1+u.rnd.IntN(3), func(int) error { return u.desk.CorrectFees(context.Background()) })
	for _, intent := range u.ids {
		want, rounds := had[intent], u.rounds[intent]
		if now, depth := u.minedFee(intent); depth >= finalDepth && now != want {
			want, rounds = now, rounds+1
			u.booked++
		}
		if fee, n := u.bookedFee(intent); fee != want || n != rounds {
			u.t.Fatalf("%s: had %s after %d corrections, has %s after %d, want %s after %d", intent, had[intent], u.rounds[intent], fee, n, want, rounds)
		}
		u.rounds[intent] = rounds
	}
}

// rest lets everything come back for good: book and chain agree.
func (u *undone) rest() {
	u.t.Helper()
	u.chains[evm].SetPrice(0)
	for range 3 * finalDepth {
		u.must(u.desk.ResendOrphans(context.Background()))
		u.mine(evm, 1)
		u.mine(utxo, 1)
	}
	u.correct()
	for _, intent := range u.ids {
		now, depth := u.minedFee(intent)
		if fee, _ := u.bookedFee(intent); depth < finalDepth || fee != now {
			u.t.Errorf("%s at depth %d cost %s, booked %s", intent, depth, now, fee)
		}
	}
	for _, asset := range []string{"ETH", "TUSD", "BTC"} {
		u.hotWalletAgrees(u.assets.list[asset])
	}
}
