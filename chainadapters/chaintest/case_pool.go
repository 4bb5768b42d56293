package chaintest

import (
	"errors"
	"testing"

	"strongroom/chainadapters"
)

// minedAgain hands bytes over once more after their block, as a sender does that was
// down meanwhile. The node may say that it has them, or that their place is taken
// ("nonce too low"): what decides is that the look which follows finds them mined.
func minedAgain(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	raw, _, signed := p.sign(t, h, p.plan(t, h, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 4)}))
	if err := h.Adapter().Broadcast(within(t), raw); err != nil {
		t.Fatalf("broadcast: %v", err)
	}
	h.Mine(t, 2)
	if err := h.Adapter().Broadcast(within(t), raw); err != nil && !errors.Is(err, chainadapters.ErrRefused) {
		t.Fatalf("the same bytes after their block: %v, want nil or ErrRefused", err)
	}
	wantState(t, h, signed.TxID, chainadapters.Mined)
}

// nonceGap sends the second of two payments first: it waits, takes no nonce, and is
// mined as soon as the first is there.
func nonceGap(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	first := p.plan(t, h, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 5)})
	second := first
	second.Payments = []chainadapters.Payment{{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 6)}}
	second.Slot = &chainadapters.Slot{From: p.Address, Path: p.Path, Nonce: first.Slot.Nonce + 1}
	front, _, opens := p.sign(t, h, first)
	behind, _, waits := p.sign(t, h, second)
	if err := h.Adapter().Broadcast(within(t), behind); err != nil {
		t.Fatalf("broadcast behind the gap: %v", err)
	}
	h.Mine(t, 1)
	wantState(t, h, waits.TxID, chainadapters.Pooled)
	wantUncounted(t, h, first)
	if err := h.Adapter().Broadcast(within(t), front); err != nil {
		t.Fatalf("broadcast into the gap: %v", err)
	}
	h.Mine(t, 1)
	wantState(t, h, opens.TxID, chainadapters.Mined)
	wantState(t, h, waits.TxID, chainadapters.Mined)
}

// pendingChange pays from change that no block holds yet; one block takes both.
func pendingChange(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	plan := p.plan(t, h, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 5)})
	raw, unsigned, parent := p.sign(t, h, plan)
	if err := h.Adapter().Broadcast(within(t), raw); err != nil {
		t.Fatalf("broadcast: %v", err)
	}
	for vout, out := range parent.Payments {
		if out.To == p.Address && out.Amount == unsigned.Change {
			p.coins = []chainadapters.Coin{{
				Outpoint: chainadapters.Outpoint{TxID: parent.TxID, Vout: uint32(vout)}, Amount: out.Amount,
				Address: p.Address, Path: p.Path, Pending: 1,
			}}
		}
	}
	to := h.NewWallet(t).Address
	raw, _, child := p.sign(t, h, p.plan(t, h, chainadapters.Payment{To: to, Amount: fraction(t, h.Plenty(), 5)}))
	if child.Spends[0].Outpoint.TxID != parent.TxID {
		t.Fatalf("spent %+v, want change of %s", child.Spends, parent.TxID)
	}
	if err := h.Adapter().Broadcast(within(t), raw); err != nil {
		t.Fatalf("broadcast of the child: %v", err)
	}
	if block := mined(t, h); len(movementsTo(block, to)) != 1 {
		t.Fatalf("block %d paid %+v", block.Height, movementsTo(block, to))
	}
	wantState(t, h, parent.TxID, chainadapters.Mined)
}

// quietQuote asks for a fee where nobody bids: there is one, it is not zero, and a
// plan with it is built.
func quietQuote(t *testing.T, h Harness) {
	t.Helper()
	h.Mine(t, walkDepth)
	p := newPurse(t, h)
	plan := p.plan(t, h, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 4)})
	unsigned := must(h.Adapter().Build(plan))(t, "build")
	if unsigned.MaxFee.IsZero() || !unsigned.MaxFee.Less(fraction(t, h.Plenty(), 100)) {
		t.Fatalf("a payment on a quiet chain may cost %s", unsigned.MaxFee)
	}
}
