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

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// must ends the test where a step that has to work does not.
func must[T any](value T, err error) func(testing.TB, string) T {
	return func(t testing.TB, step string) T {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		return value
	}
}

func fraction(t testing.TB, u money.Units, of uint64) money.Units {
	t.Helper()
	return must(u.MulDiv(money.FromUint64(1), money.FromUint64(of), money.Down))(t, "divide")
}

func headOf(t testing.TB, h Harness) chainadapters.Header {
	t.Helper()
	return must(h.Adapter().Head(within(t)))(t, "head")
}

func blockAt(t testing.TB, h Harness, height uint64, contracts ...string) chainadapters.Block {
	t.Helper()
	header := must(h.Adapter().HeaderAt(within(t), height))(t, "header")
	return must(h.Adapter().Block(within(t), header.Ref, contracts))(t, "block")
}

// mined mines one block and returns it.
func mined(t testing.TB, h Harness, contracts ...string) chainadapters.Block {
	t.Helper()
	h.Mine(t, 1)
	return blockAt(t, h, headOf(t, h).Height, contracts...)
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

func statusOf(t testing.TB, a chainadapters.Adapter, txid string) chainadapters.TxStatus {
	t.Helper()
	statuses := must(a.Statuses(within(t), []string{txid}))(t, "statuses")
	if len(statuses) != 1 || statuses[0].TxID != txid {
		t.Fatalf("statuses of %s: got %+v", txid, statuses)
	}
	return statuses[0]
}

func wantState(t testing.TB, h Harness, txid string, want chainadapters.TxState) chainadapters.TxStatus {
	t.Helper()
	status := statusOf(t, h.Adapter(), txid)
	if status.State != want {
		t.Fatalf("state of %s: got %d, want %d", txid, status.State, want)
	}
	return status
}

// purse is a wallet with what it owns, as a custodian would have noted it.
type purse struct {
	Wallet
	coins []chainadapters.Coin
}

// newPurse returns a wallet that owns Plenty of the native asset, mined.
func newPurse(t testing.TB, h Harness) *purse {
	t.Helper()
	p := &purse{Wallet: h.NewWallet(t)}
	h.Fund(t, p.Address, h.Plenty())
	p.collect(mined(t, h))
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
func (p *purse) plan(t testing.TB, h Harness, pay chainadapters.Payment) chainadapters.Plan {
	t.Helper()
	a := h.Adapter()
	plan := chainadapters.Plan{Payments: []chainadapters.Payment{pay}}
	if a.Family() == chainadapters.Account {
		nonce := must(a.NextNonce(within(t), p.Address))(t, "next nonce")
		plan.Slot = &chainadapters.Slot{From: p.Address, Path: p.Path, Nonce: nonce}
		plan.Fee = must(a.Quote(within(t), plan))(t, "quote")
		return plan
	}
	plan.Coins, plan.ChangeTo, plan.ChangePath = p.coins, p.Address, p.Path
	plan.Fee = must(a.Quote(within(t), plan))(t, "quote")
	plan.Coins = must(a.SelectCoins(p.coins, plan.Payments, plan.Fee))(t, "select coins")
	return plan
}

// sign builds and signs a plan. Building is pure: it is done twice, the second
// time from the plan as a database would give it back.
func (p *purse) sign(t testing.TB, h Harness, plan chainadapters.Plan) (raw []byte, unsigned chainadapters.Unsigned, signed chainadapters.Signed) {
	t.Helper()
	unsigned = must(h.Adapter().Build(plan))(t, "build")
	stored := must(json.Marshal(plan))(t, "store plan")
	var loaded chainadapters.Plan
	if err := json.Unmarshal(stored, &loaded); err != nil {
		t.Fatalf("load plan: %v", err)
	}
	again := must(h.Adapter().Build(loaded))(t, "build again")
	if string(again.Bytes) != string(unsigned.Bytes) || again.MaxFee != unsigned.MaxFee || again.Change != unsigned.Change {
		t.Fatalf("the same plan gave other bytes:\n%x\n%x", unsigned.Bytes, again.Bytes)
	}
	raw = p.Sign(t, unsigned.Bytes)
	signed = must(h.Adapter().Decode(raw))(t, "decode")
	return raw, unsigned, signed
}

// holdings asks for what the purse owns at a block.
func (p *purse) holdings(t testing.TB, h Harness, contract string, at chainadapters.Ref) money.Units {
	t.Helper()
	q := chainadapters.Holdings{Contract: contract, At: at}
	if h.Adapter().Family() == chainadapters.Account {
		q.Addresses = []string{p.Address}
	} else {
		q.Coins = p.coins
	}
	return must(h.Adapter().Holdings(within(t), q))(t, "holdings")
}
