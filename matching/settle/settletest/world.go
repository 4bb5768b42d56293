// Package settletest makes up what a matching engine might say, so that settlement can
// be tested and measured without one: events whose balances are known at each sequence,
// and a source that hands them out as badly as a network can. It knows no order book.
package settletest

import (
	"fmt"
	"math/rand/v2"

	"strongroom/matching/chain"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/money"
)

// Purse is a balance of an account in an asset.
type Purse struct {
	Account engine.AccountID
	Asset   engine.AssetID
}

// Change is what an event adds to and takes from a balance.
type Change struct {
	Purse

	Plus, Minus uint64
}

// Move is a transfer between funding and trading that the stream has an event of.
type Move struct {
	settle.Transfer

	Inward bool
	Seq    uint64 // of the event
	Code   engine.Code
}

// World is a made-up shard: its events so far and what they mean.
type World struct {
	Events  []engine.Event
	Epochs  []uint64     // of each event
	Before  []chain.Hash // the chain's hash before each event
	Changes [][]Change   // of each event
	Moves   []Move
	Markets []settle.Market
	Assets  []string // by number

	// Begin is called before the engine hears of a transfer. Required.
	Begin func(Move)

	rng      *rand.Rand
	accounts int
	hash     chain.Hash
	epoch    uint64
	balance  map[Purse]uint64
}

// Start is the log time of the first event; the others follow a millisecond apart.
const Start = 1_700_000_000_000_000_000

// New returns a world with markets and without events. The numbers of accounts, from 1,
// and of assets are those that a settle.Registry gives in order.
func New(seed uint64, accounts int, begin func(Move)) *World {
	return &World{
		rng: rand.New(rand.NewPCG(seed, 41)), accounts: accounts, epoch: 1, balance: map[Purse]uint64{}, Begin: begin, //nolint:gosec // chance that can be repeated
		Assets: []string{"BTC", "USDC", "ETH"},
		Markets: []settle.Market{
			{No: 0, Base: 0, Quote: 1, LotUnits: 1_000, TickUnits: 3},
			{No: 1, Base: 2, Quote: 1, LotUnits: 50_000, TickUnits: 1},
			{No: 2, Base: 2, Quote: 0, LotUnits: 7, TickUnits: 11},
		},
	}
}

// Customer is the name of an account.
func Customer(no engine.AccountID) string { return fmt.Sprintf("cus_%d", no) }

func (w *World) add(e engine.Event, changes ...Change) {
	e.Seq = uint64(len(w.Events)) + 1
	e.Time = Start + int64(len(w.Events))*1_000_000
	for _, c := range changes {
		w.balance[c.Purse] += c.Plus - c.Minus
	}
	w.Events, w.Epochs, w.Before, w.Changes = append(w.Events, e), append(w.Epochs, w.epoch), append(w.Before, w.hash), append(w.Changes, changes)
	w.hash = w.hash.Next(&e)
}

// Elect makes later events those of a new leader.
func (w *World) Elect() { w.epoch += 1 + w.rng.Uint64N(3) }

func (w *World) someone() engine.AccountID {
	return engine.AccountID(1 + w.rng.IntN(w.accounts)) //nolint:gosec // a few
}

// Step adds one to three events of any kind.
func (w *World) Step() {
	switch n := w.rng.IntN(40); {
	case n < 4:
		w.Credit(w.someone(), engine.AssetID(w.rng.IntN(len(w.Assets))), 1+w.rng.Uint64N(1<<30), w.rng.IntN(12) == 0) //nolint:gosec // a few
	case n < 6:
		w.debit()
	case n < 8:
		w.Checkpoint()
	case n == 8:
		w.Elect()
	case n < 14:
		w.add(engine.Event{Kind: engine.EventCancelled, Account: w.someone(), Qty: 1, Code: engine.CodeByClient})
	default:
		w.Trade()
	}
}

// Credit moves funding to trading; the engine may refuse.
func (w *World) Credit(to engine.AccountID, asset engine.AssetID, amount uint64, refused bool) {
	m, e := w.move(Purse{to, asset}, amount, true)
	if refused {
		m.Code, e.Code = engine.CodeOverflow, engine.CodeOverflow
		w.transfer(m, e)
		return
	}
	w.transfer(m, e, Change{Purse{to, asset}, amount, 0})
}

// debit moves trading to funding, or more than there is.
func (w *World) debit() {
	from := Purse{w.someone(), engine.AssetID(w.rng.IntN(len(w.Assets)))} //nolint:gosec // a few
	amount := 1 + w.rng.Uint64N(1<<28)
	m, e := w.move(from, amount, false)
	if w.balance[from] < amount {
		m.Code, e.Code = engine.CodeInsufficient, engine.CodeInsufficient
		w.transfer(m, e)
		return
	}
	w.transfer(m, e, Change{from, 0, amount})
}

// TransferID is an id for a transfer.
func TransferID(rng *rand.Rand) string {
	return fmt.Sprintf("fnd_%016x%016x", rng.Uint64(), rng.Uint64())
}

func (w *World) move(at Purse, amount uint64, inward bool) (Move, engine.Event) {
	key := engine.Key{Hi: w.rng.Uint64(), Lo: w.rng.Uint64()}
	m := Move{Inward: inward, Transfer: settle.Transfer{
		ID: fmt.Sprintf("fnd_%016x%016x", key.Hi, key.Lo), Customer: Customer(at.Account), Asset: w.Assets[at.Asset], Amount: money.FromUint64(amount),
	}}
	return m, engine.Event{Kind: engine.EventTransfer, Key: key, Account: at.Account, Asset: at.Asset, Amount: engine.Amount{Lo: amount}}
}

func (w *World) transfer(m Move, e engine.Event, changes ...Change) {
	w.Begin(m)
	w.add(e, changes...)
	m.Seq = uint64(len(w.Events))
	w.Moves = append(w.Moves, m)
	if w.rng.IntN(3) == 0 { // asked again, answered again
		if e.Code == engine.CodeNone {
			e.Code = engine.CodeDuplicate
		}
		w.add(e)
	}
}

// Checkpoint adds the digest of the balances.
func (w *World) Checkpoint() {
	sum := uint64(0)
	for at, amount := range w.balance {
		sum += engine.BalanceHash(at.Account, at.Asset, engine.Amount{Lo: amount})
	}
	w.add(engine.Event{Kind: engine.EventCheckpoint, Digest: w.rng.Uint64(), Balances: sum})
}

// Trade adds an order that comes in and a trade, if two can be found who have cover.
func (w *World) Trade() {
	m := w.Markets[w.rng.IntN(len(w.Markets))]
	e := engine.Event{
		Kind: engine.EventTrade, Market: m.No, Price: 1 + w.rng.Int64N(1_000), Qty: 1 + w.rng.Int64N(50), Account: w.someone(), MakerAccount: w.someone(),
		Order: engine.OrderID(w.rng.Uint64()), Maker: engine.OrderID(w.rng.Uint64()), Side: engine.Side(w.rng.IntN(2)), //nolint:gosec // 0 or 1
	}
	buyer, seller := e.Account, e.MakerAccount
	if e.Side == engine.Sell {
		buyer, seller = seller, buyer
	}
	base, quote := uint64(e.Qty)*m.LotUnits, uint64(e.Qty)*uint64(e.Price)*m.TickUnits //nolint:gosec // positive
	if w.balance[Purse{seller, m.Base}] < base || w.balance[Purse{buyer, m.Quote}] < quote {
		return
	}
	w.add(engine.Event{Kind: engine.EventAccepted, Market: m.No, Account: e.Account, Order: e.Order, Price: e.Price, Qty: e.Qty, Side: e.Side})
	baseFee, quoteFee := fee(base, 700), fee(quote, 1_300)
	e.Amount.Lo, e.Balance.Lo = baseFee, quoteFee
	if e.Side == engine.Sell {
		e.Amount.Lo, e.Balance.Lo = quoteFee, baseFee
	}
	w.add(e,
		Change{Purse{seller, m.Base}, 0, base}, Change{Purse{buyer, m.Base}, base - baseFee, 0}, Change{Purse{0, m.Base}, baseFee, 0},
		Change{Purse{buyer, m.Quote}, 0, quote}, Change{Purse{seller, m.Quote}, quote - quoteFee, 0}, Change{Purse{0, m.Quote}, quoteFee, 0})
}

// fee is parts per million, rounded up.
func fee(amount, ppm uint64) uint64 { return (amount*ppm + 999_999) / 1_000_000 }

// Balances returns the engine's balances after a sequence, zeros left out.
func (w *World) Balances(seq uint64) map[Purse]uint64 {
	sums := map[Purse]uint64{}
	for _, changes := range w.Changes[:seq] {
		for _, c := range changes {
			if sums[c.Purse] += c.Plus - c.Minus; sums[c.Purse] == 0 {
				delete(sums, c.Purse)
			}
		}
	}
	return sums
}
