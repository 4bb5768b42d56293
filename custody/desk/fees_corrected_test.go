package desk_test

import (
	"context"
	"errors"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/ledger"
	"strongroom/money"
)

// dearer is a price that first bids still reach.
const dearer = 1_700_000_000

// bookedFee is what the book has of an intent's network fee, and how often it was
// corrected, by the transfers alone.
func (h *house) bookedFee(intent string) (fee money.Units, rounds int) {
	h.t.Helper()
	h.must(h.pool.QueryRow(context.Background(), `SELECT coalesce(sum(CASE WHEN l.debit = a.no THEN l.amount ELSE -l.amount END), 0)::numeric(78,0),
			count(*) FILTER (WHERE x.id LIKE '%/fee/%')
		FROM ledger.transfer l JOIN ledger.transaction x ON x.seq = l.transaction
		JOIN ledger.account a ON a.no IN (l.debit, l.credit) AND a.id LIKE 'expense/%' WHERE split_part(x.id, '/', 2) = $1`, intent).Scan(&fee, &rounds))
	return fee, rounds
}

// minedFee is what an intent cost by its block, and how deep that is; zero for none.
func (h *house) minedFee(intent string) (fee money.Units, depth int) {
	h.t.Helper()
	h.must(h.pool.QueryRow(context.Background(), `SELECT coalesce(max(t.fee), 0)::numeric(78,0), coalesce(max(c.height - t.block_height + 1), 0)
		FROM custody.chain_tx t JOIN custody.chain c ON c.chain = t.chain WHERE t.intent = $1 AND t.block_height IS NOT NULL`, intent).Scan(&fee, &depth))
	return fee, depth
}

// orphan takes the block of an ended intent out of the chain, and empties the pool.
func (h *house) orphan(intent string, chain chainadapters.ChainID) {
	h.t.Helper()
	if _, depth := h.minedFee(intent); depth > 0 {
		h.reorg(chain, depth)
	}
	h.chains[chain].DropPool()
}

// comeBack lets an ended intent lose its block and be mined at another price. Its
// fee is booked once that is final, and not before.
func (h *house) comeBack(intent string, price uint64) {
	h.t.Helper()
	ctx := context.Background()
	before, rounds := h.bookedFee(intent)
	h.orphan(intent, evm)
	h.chains[evm].SetPrice(price)
	h.must(h.desk.ResendOrphans(ctx))
	_ = h.nodes[evm].Broadcast(ctx, h.first(intent)) // what failed on chain nobody sends again
	for range finalDepth - 1 {
		h.mine(evm, 1)
		h.must(h.desk.CorrectFees(ctx))
		if fee, n := h.bookedFee(intent); fee != before || n != rounds {
			h.t.Fatalf("booked %s after %d corrections before the block is final", fee, n)
		}
	}
	h.mine(evm, 1)
	for range 2 {
		h.must(h.desk.CorrectFees(ctx))
		now, depth := h.minedFee(intent)
		due := rounds
		if now != before {
			due++
		}
		if fee, n := h.bookedFee(intent); depth != finalDepth || fee != now || n != due {
			h.t.Fatalf("at depth %d it cost %s (before %s); booked %s after %d corrections", depth, now, before, fee, n)
		}
	}
}

// TestFeeOfANewBlockIsBooked: every kind of intent that pays a fee, dearer, cheaper
// and at the same price.
func TestFeeOfANewBlockIsBooked(t *testing.T) {
	for name, pay := range map[string]func(h *house) (intent, from string){
		"withdrawal":       func(h *house) (string, string) { return h.payOut("ETH"), "" },
		"token withdrawal": func(h *house) (string, string) { return h.payOut("TUSD"), "" },
		"collection": func(h *house) (string, string) {
			from := h.deposit("ETH", big/10)
			return h.own(custody.IntentCollect, "col", from, h.hot(), units(big/20)), from
		},
		"gas top-up": func(h *house) (string, string) {
			to := h.deposit("ETH", 5000)
			return h.own(custody.IntentGasTopUp, "gas", h.hot(), to, units(big/20)), to
		},
		"cancellation": func(h *house) (string, string) {
			w := h.stuck("ETH")
			h.must(h.store.OrderCancel(context.Background(), w.ID, "a mistake"))
			h.do(w.ID, custody.WithdrawalBroadcast, "observe", "send", "observe")
			h.mine(evm, finalDepth)
			h.do(w.ID, custody.WithdrawalCancelled, "observe")
			return w.ID, ""
		},
		"failure": func(h *house) (string, string) {
			r := h.request("ETH", "to a contract", 70_000)
			r.To = h.chains[evm].Token()
			w, _, err := h.store.CreateWithdrawal(context.Background(), r)
			h.must(err)
			mended := h.desk
			defer func() { h.desk = mended }()
			h.desk = h.over(h.store, map[chainadapters.ChainID]chainadapters.Adapter{evm: generous{h.nodes[evm]}})
			h.do(w.ID, custody.WithdrawalBroadcast, "screen", "reserve", "sign", "send")
			h.mine(evm, finalDepth)
			h.do(w.ID, custody.WithdrawalReverted, "observe")
			return w.ID, ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := ready(t, "TUSD")
			h.fund("ETH", big/2, big)
			intent, deposits := pay(h)
			for _, price := range []uint64{dearer, 0, 0} {
				h.comeBack(intent, price)
			}
			if _, rounds := h.bookedFee(intent); rounds != 2 {
				t.Errorf("corrected %d times", rounds)
			}
			h.hotWalletAgrees(h.assets.list["ETH"])
			if deposits != "" {
				h.depositsAgree("ETH", h.chains[evm].Balance(deposits, ""))
			}
		})
	}
}

func (h *house) payOut(asset string) string {
	h.t.Helper()
	w := h.withdraw(asset, 70_000)
	h.walkOut(w.ID, w.Chain)
	return w.ID
}

func (h *house) own(kind custody.IntentKind, prefix, from, to string, amount money.Units) string {
	h.t.Helper()
	intent := h.order(kind, prefix, "ETH", from, to, amount)
	h.walkOut(intent, evm)
	return intent
}

func (h *house) hot() string {
	h.t.Helper()
	at, err := h.store.HotAddress(context.Background(), evm)
	h.must(err)
	return at.Address
}

// TestFeeOfAnotherAttemptIsBooked: coins, where only another attempt costs another fee.
func TestFeeOfAnotherAttemptIsBooked(t *testing.T) {
	h := ready(t, "BTC")
	ctx := context.Background()
	w := h.stuck("BTC")
	h.do(w.ID, custody.WithdrawalBroadcast, "observe", "send", "observe")
	h.mine(utxo, finalDepth)
	h.do(w.ID, custody.WithdrawalPosted, "observe", "settle")
	h.chains[utxo].SetPrice(0)
	dear, _ := h.bookedFee(w.ID)

	h.orphan(w.ID, utxo)
	h.must(h.nodes[utxo].Broadcast(ctx, h.first(w.ID)))
	h.mine(utxo, finalDepth)
	h.must(h.desk.CorrectFees(ctx))
	cheap, rounds := h.bookedFee(w.ID)
	if now, _ := h.minedFee(w.ID); cheap != now || !cheap.Less(dear) || rounds != 1 {
		t.Fatalf("booked %s, then %s after %d corrections; it cost %s", dear, cheap, rounds, now)
	}
	h.hotWalletAgrees(h.assets.list["BTC"])

	h.orphan(w.ID, utxo)
	h.must(h.desk.ResendOrphans(ctx))
	h.mine(utxo, finalDepth)
	h.must(h.desk.CorrectFees(ctx))
	if again, rounds := h.bookedFee(w.ID); again != dear || rounds != 2 {
		t.Fatalf("booked %s after %d corrections, want %s", again, rounds, dear)
	}
	h.hotWalletAgrees(h.assets.list["BTC"])
}

// stagedLedger lets something happen around a booking.
type stagedLedger struct {
	*ledger.Ledger

	before, after func() error
}

func (l stagedLedger) Post(ctx context.Context, tx ledger.Transaction, attach ...ledger.Attachment) (ledger.Receipt, error) {
	if l.before != nil {
		if err := l.before(); err != nil {
			return ledger.Receipt{}, err
		}
	}
	r, err := l.Ledger.Post(ctx, tx, attach...)
	if err == nil && l.after != nil {
		err = l.after()
	}
	return r, err
}

// staged is another worker, with a book of its own.
func (h *house) staged(before, after func() error) *desk.Desk {
	h.t.Helper()
	adapters := map[chainadapters.ChainID]chainadapters.Adapter{}
	for id, node := range h.nodes {
		adapters[id] = node
	}
	store, err := custodydb.New(custodydb.Config{
		Pool: h.pool, Ledger: stagedLedger{h.ledger, before, after}, Assets: h.assets, Adapters: adapters, Environment: "test", Clock: h.clock,
	})
	h.must(err)
	return h.over(store, adapters)
}

func (h *house) over(store *custodydb.Store, adapters map[chainadapters.ChainID]chainadapters.Adapter) *desk.Desk {
	h.t.Helper()
	d, err := desk.New(desk.Config{
		Store: store, Adapters: adapters, Assets: h.assets, Signer: h.signer, Screening: h.sanctions, Log: quiet(), Clock: h.clock,
	})
	h.must(err)
	return d
}

// due is a house with a payment whose fee is to be corrected now.
func due(t *testing.T) (*house, string) {
	t.Helper()
	h := ready(t, "ETH")
	intent := h.payOut("ETH")
	h.dueAgain(intent, dearer)
	return h, intent
}

// dueAgain lets a payment come back at a price, and be final.
func (h *house) dueAgain(intent string, price uint64) {
	h.t.Helper()
	h.orphan(intent, evm)
	h.chains[evm].SetPrice(price)
	h.must(h.nodes[evm].Broadcast(context.Background(), h.first(intent)))
	h.mine(evm, finalDepth)
}

// corrected checks how often an intent's fee was corrected, and that it is right.
func (h *house) corrected(intent string, times int) {
	h.t.Helper()
	now, _ := h.minedFee(intent)
	if fee, n := h.bookedFee(intent); fee != now || n != times {
		h.t.Fatalf("it cost %s; booked %s after %d corrections, want %d", now, fee, n, times)
	}
	h.hotWalletAgrees(h.assets.list["ETH"])
}

var errKilled = errors.New("killed")

func killed() error { return errKilled }

// TestFeeIsCorrectedOnceThroughDeaths: before the booking, and after it before
// anybody was told.
func TestFeeIsCorrectedOnceThroughDeaths(t *testing.T) {
	h, intent := due(t)
	ctx := context.Background()
	before, _ := h.bookedFee(intent)
	if err := h.staged(killed, nil).CorrectFees(ctx); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if fee, n := h.bookedFee(intent); fee != before || n != 0 {
		t.Fatalf("booked %s after %d corrections, before anything was", fee, n)
	}
	if err := h.staged(nil, killed).CorrectFees(ctx); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	h.corrected(intent, 1)
	h.must(h.desk.CorrectFees(ctx))
	h.corrected(intent, 1)
}

// TestFeeIsCorrectedOnceByMany: workers that read the same and book one after the other.
func TestFeeIsCorrectedOnceByMany(t *testing.T) {
	h, intent := due(t)
	ctx := context.Background()
	first := h.staged(func() error { return h.desk.CorrectFees(ctx) }, nil)
	h.must(first.CorrectFees(ctx)) // it books what another booked while it was about to
	h.corrected(intent, 1)
	h.dueAgain(intent, 0)
	h.atOnce(4, func(int) error { return h.desk.CorrectFees(ctx) })
	h.corrected(intent, 2)
	// What one read before the next round is worth nothing in it.
	h.dueAgain(intent, dearer)
	late := h.staged(func() error {
		h.must(h.desk.CorrectFees(ctx))
		h.dueAgain(intent, 1_400_000_000) //nolint:contextcheck // helpers of tests bring their own
		return h.desk.CorrectFees(ctx)
	}, nil)
	h.must(late.CorrectFees(ctx))
	h.corrected(intent, 4)
}

// TestFeeIsNotCorrectedOnWhatMoved: a second reorganisation, a node of another mind, a
// halted chain.
func TestFeeIsNotCorrectedOnWhatMoved(t *testing.T) {
	h, intent := due(t)
	ctx := context.Background()
	before, _ := h.bookedFee(intent)
	unmoved := func(when string) {
		t.Helper()
		if fee, n := h.bookedFee(intent); fee != before || n != 0 {
			t.Fatalf("%s: booked %s after %d corrections", when, fee, n)
		}
	}
	h.nodes[evm].Break(fakechain.Down)
	if err := h.desk.CorrectFees(ctx); err == nil {
		t.Error("a node that is not there agrees")
	}
	h.nodes[evm].Break(fakechain.None)
	unmoved("node down")
	h.must(h.store.HaltChain(ctx, evm, "a test", false))
	if err := h.desk.CorrectFees(ctx); !errors.Is(err, custody.ErrChainHalted) {
		t.Errorf("on a halted chain: %v", err)
	}
	h.mine(evm, 1) // the halt ends
	unmoved("halted")
	h.must(h.chains[evm].Reorg(finalDepth + 1)) // the watcher has not seen it yet
	h.must(h.desk.CorrectFees(ctx))
	unmoved("the node has another branch")
	h.follow(evm)
	h.dueAgain(intent, dearer)
	h.must(h.staged(func() error { h.orphan(intent, evm); return nil }, nil).CorrectFees(ctx))
	unmoved("gone while it was about to be booked")
	h.must(h.desk.CorrectFees(ctx))
	unmoved("in no block")
	h.dueAgain(intent, 1_400_000_000)
	h.must(h.desk.CorrectFees(ctx))
	h.corrected(intent, 1)
}
