package reorgs

import (
	"context"
	"fmt"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/custody/desk"
	"strongroom/money"
)

// keys is the bed's adapter on which each key of the house is a wallet of the bed,
// and the signer that holds them.
type keys struct {
	chainadapters.Adapter

	bed  Bed
	tb   testing.TB
	made map[string]chaintest.Wallet // by key path and by address
}

var _ desk.Signer = (*keys)(nil)

// DeriveAddress implements the port: the same key has the same address.
func (k *keys) DeriveAddress(xpub string, branch, index uint32) (string, error) {
	path := fmt.Sprintf("%s/%d/%d", xpub, branch, index)
	if _, made := k.made[path]; !made {
		w := k.bed.NewWallet(k.tb)
		k.made[path], k.made[w.Address] = w, w
	}
	return k.made[path].Address, nil
}

// Sign implements desk.Signer: one wallet owns all that a plan spends.
func (k *keys) Sign(_ context.Context, r desk.SignRequest) (desk.Signature, error) {
	raw, txid := k.sign(r.Plan, r.Unsigned.Bytes)
	return desk.Signature{Raw: raw, TxID: txid}, nil
}

func (k *keys) sign(plan chainadapters.Plan, unsigned []byte) (raw []byte, txid string) {
	k.tb.Helper()
	var from string
	if plan.Slot != nil {
		from = plan.Slot.From
	} else {
		from = plan.Coins[0].Address
	}
	raw = k.made[from].Sign(k.tb, unsigned)
	signed, err := k.Decode(raw)
	if err != nil {
		k.tb.Fatal(err)
	}
	return raw, signed.TxID
}

// stranger is somebody outside with coins and two minds.
type stranger struct {
	plan chainadapters.Plan // of a payment, without where it goes
	keys *keys
}

// stranger returns a fresh one. Blocks are mined: what it has is deep.
func (h *house) stranger() *stranger {
	h.Helper()
	w := h.bed.NewWallet(h.TB)
	h.keys.made[w.Address] = w
	third, err := h.bed.Plenty().MulDiv(units(1), units(3), money.Down)
	h.must(err)
	txid := h.bed.Fund(h.TB, w.Address, third)
	h.mine(1)
	s := &stranger{keys: h.keys}
	if h.keys.Family() == chainadapters.Account {
		s.plan.Slot = &chainadapters.Slot{From: w.Address, Path: w.Path}
	} else {
		s.plan.Coins = []chainadapters.Coin{h.coin(txid, w, third)}
		s.plan.ChangeTo, s.plan.ChangePath = w.Address, w.Path
	}
	h.mine(lateDepth)
	return s
}

// coin finds the output of a transaction in the newest block.
func (h *house) coin(txid string, w chaintest.Wallet, amount money.Units) chainadapters.Coin {
	h.Helper()
	head, err := h.keys.Head(h.ctx())
	h.must(err)
	block, err := h.keys.Block(h.ctx(), head.Ref, nil)
	h.must(err)
	for _, m := range block.Movements {
		if m.TxID == txid && m.To == w.Address {
			return chainadapters.Coin{Outpoint: chainadapters.Outpoint{TxID: txid, Vout: m.Index}, Amount: amount, Address: w.Address, Path: w.Path}
		}
	}
	h.Fatalf("%s is not in block %d", txid, head.Height)
	return chainadapters.Coin{}
}

// pay returns a signed payment. Each dearer one takes the place of the one before:
// it spends the same.
func (h *house) pay(plan chainadapters.Plan, to string, amount money.Units, dearer uint64) []byte {
	h.Helper()
	plan.Payments = []chainadapters.Payment{{To: to, Amount: amount}}
	if plan.Fee == (chainadapters.Fee{}) {
		quoted, err := h.keys.Quote(h.ctx(), plan)
		h.must(err)
		plan.Fee = quoted
	}
	times := func(u money.Units) money.Units {
		out, err := u.Mul(dearer)
		h.must(err)
		return out
	}
	plan.Fee.SatPerKVB *= dearer
	plan.Fee.TipCap, plan.Fee.FeeCap = times(plan.Fee.TipCap), times(plan.Fee.FeeCap)
	unsigned, err := h.keys.Build(plan)
	h.must(err)
	raw, _ := h.keys.sign(plan, unsigned.Bytes)
	return raw
}
