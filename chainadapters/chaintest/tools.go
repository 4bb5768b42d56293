package chaintest

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/money"
)

// patience bounds each question to the node in this suite.
const patience = 20 * time.Second

func within(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx
}

// must ends the test where a step that has to work does not.
func must[T any](value T, err error) func(testing.TB, string) T {
	return func(tb testing.TB, step string) T {
		tb.Helper()
		if err != nil {
			tb.Fatalf("%s: %v", step, err)
		}
		return value
	}
}

func fraction(tb testing.TB, u money.Units, of uint64) money.Units {
	tb.Helper()
	return must(u.MulDiv(money.FromUint64(1), money.FromUint64(of), money.Down))(tb, "divide")
}

func headOf(tb testing.TB, h Harness) chainadapters.Header {
	tb.Helper()
	return must(h.Adapter().Head(within(tb)))(tb, "head")
}

func blockAt(tb testing.TB, h Harness, height uint64, contracts ...string) chainadapters.Block {
	tb.Helper()
	header := must(h.Adapter().HeaderAt(within(tb), height))(tb, "header")
	return must(h.Adapter().Block(within(tb), header.Ref, contracts))(tb, "block")
}

// mined mines one block and returns it.
func mined(tb testing.TB, h Harness, contracts ...string) chainadapters.Block {
	tb.Helper()
	h.Mine(tb, 1)
	return blockAt(tb, h, headOf(tb, h).Height, contracts...)
}

func movementsTo(b chainadapters.Block, address string) []chainadapters.Movement {
	var found []chainadapters.Movement
	for _, m := range b.Movements {
		if m.To == address {
			found = append(found, m)
		}
	}
	return found
}

func statusOf(tb testing.TB, a chainadapters.Adapter, txid string) chainadapters.TxStatus {
	tb.Helper()
	statuses := must(a.Statuses(within(tb), []string{txid}))(tb, "statuses")
	if len(statuses) != 1 || statuses[0].TxID != txid {
		tb.Fatalf("statuses of %s: got %+v", txid, statuses)
	}
	return statuses[0]
}

func wantState(tb testing.TB, h Harness, txid string, want chainadapters.TxState) chainadapters.TxStatus {
	tb.Helper()
	status := statusOf(tb, h.Adapter(), txid)
	if status.State != want {
		tb.Fatalf("state of %s: got %d, want %d", txid, status.State, want)
	}
	return status
}

// purse is a wallet with what it owns, as a custodian would have noted it.
type purse struct {
	Wallet
	coins []chainadapters.Coin
}

// newPurse returns a wallet that owns Plenty of the native asset, mined.
func newPurse(tb testing.TB, h Harness) *purse {
	tb.Helper()
	p := &purse{Wallet: h.NewWallet(tb)}
	h.Fund(tb, p.Address, h.Plenty())
	p.collect(mined(tb, h))
	return p
}

// collect notes the coins that a block brought and took.
func (p *purse) collect(b chainadapters.Block) {
	for _, s := range b.Spends {
		p.coins = slices.DeleteFunc(p.coins, func(c chainadapters.Coin) bool { return c.Outpoint == s.Outpoint })
	}
	for _, m := range movementsTo(b, p.Address) {
		if m.Contract == "" && m.Index != chainadapters.NativeIndex {
			p.coins = append(p.coins, chainadapters.Coin{
				Outpoint: chainadapters.Outpoint{TxID: m.TxID, Vout: m.Index}, Amount: m.Amount, Address: p.Address, Path: p.Path,
			})
		}
	}
}

// plan makes a complete plan for one payment, with the adapter's own quote.
func (p *purse) plan(tb testing.TB, h Harness, pay chainadapters.Payment) chainadapters.Plan {
	tb.Helper()
	a := h.Adapter()
	plan := chainadapters.Plan{Payments: []chainadapters.Payment{pay}}
	if a.Family() == chainadapters.Account {
		nonce := must(a.NextNonce(within(tb), p.Address))(tb, "next nonce")
		plan.Slot = &chainadapters.Slot{From: p.Address, Path: p.Path, Nonce: nonce}
		plan.Fee = must(a.Quote(within(tb), plan))(tb, "quote")
		return plan
	}
	plan.Coins, plan.ChangeTo, plan.ChangePath = p.coins, p.Address, p.Path
	plan.Fee = must(a.Quote(within(tb), plan))(tb, "quote")
	plan.Coins = must(a.SelectCoins(p.coins, plan.Payments, plan.Fee))(tb, "select coins")
	return plan
}

// sign builds and signs a plan. Building is pure: it is done twice, the second
// time from the plan as a database would give it back.
func (p *purse) sign(tb testing.TB, h Harness, plan chainadapters.Plan) (raw []byte, unsigned chainadapters.Unsigned, signed chainadapters.Signed) {
	tb.Helper()
	unsigned = must(h.Adapter().Build(plan))(tb, "build")
	stored := must(json.Marshal(plan))(tb, "store plan")
	var loaded chainadapters.Plan
	if err := json.Unmarshal(stored, &loaded); err != nil {
		tb.Fatalf("load plan: %v", err)
	}
	again := must(h.Adapter().Build(loaded))(tb, "build again")
	if string(again.Bytes) != string(unsigned.Bytes) || again.MaxFee != unsigned.MaxFee || again.Change != unsigned.Change {
		tb.Fatalf("the same plan gave other bytes:\n%x\n%x", unsigned.Bytes, again.Bytes)
	}
	raw = p.Sign(tb, unsigned.Bytes)
	signed = must(h.Adapter().Decode(raw))(tb, "decode")
	return raw, unsigned, signed
}

// holdings asks for what the purse owns at a block.
func (p *purse) holdings(tb testing.TB, h Harness, contract string, at chainadapters.Ref) money.Units {
	tb.Helper()
	q := chainadapters.Holdings{Contract: contract, At: at}
	if h.Adapter().Family() == chainadapters.Account {
		q.Addresses = []string{p.Address}
	} else {
		q.Coins = p.coins
	}
	return must(h.Adapter().Holdings(within(tb), q))(tb, "holdings")
}
