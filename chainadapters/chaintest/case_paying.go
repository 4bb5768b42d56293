package chaintest

import (
	"errors"
	"slices"
	"testing"

	"strongroom/chainadapters"
	"strongroom/money"
)

func nativePayment(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	pay(t, h, p, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 3)})
}

func tokenPayment(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	funds := money.FromUint64(50_000_000)
	h.FundToken(t, p.Address, funds)
	h.Mine(t, 1)
	amount := money.FromUint64(20_000_001)
	pay(t, h, p, chainadapters.Payment{To: h.NewWallet(t).Address, Contract: h.Token(), Amount: amount})
	left := must(funds.Sub(amount))(t, "subtract")
	if got := p.holdings(t, h, h.Token(), headOf(t, h).Ref); got != left {
		t.Fatalf("tokens left: got %s, want %s", got, left)
	}
}

// pay follows one payment from plan to block.
func pay(t *testing.T, h Harness, p *purse, payment chainadapters.Payment) {
	t.Helper()
	a := h.Adapter()
	before := p.holdings(t, h, "", headOf(t, h).Ref)
	plan := p.plan(t, h, payment)
	raw, unsigned, signed := p.sign(t, h, plan)
	wantDecoded(t, h, plan, unsigned, signed)

	wantState(t, h, signed.TxID, chainadapters.Absent)
	for range 2 { // the second time the node has it already
		if err := a.Broadcast(within(t), raw); err != nil {
			t.Fatalf("broadcast: %v", err)
		}
		wantState(t, h, signed.TxID, chainadapters.Pooled)
	}
	wantUncounted(t, h, plan)
	block := mined(t, h, h.Token())
	status := wantState(t, h, signed.TxID, chainadapters.Mined)
	if status.Block != block.Ref || !status.Success {
		t.Fatalf("status of the payment: %+v, want block %+v", status, block.Ref)
	}
	arrived := movementsTo(block, payment.To)
	if len(arrived) != 1 || arrived[0].Amount != payment.Amount || arrived[0].Contract != payment.Contract || arrived[0].TxID != signed.TxID {
		t.Fatalf("payment %+v arrived as %+v", payment, arrived)
	}
	for _, want := range signed.Spends {
		if !slices.Contains(block.Spends, want) {
			t.Fatalf("spend %+v is not among %+v", want, block.Spends)
		}
	}
	wantCost(t, h, p, before, block, payment, unsigned, status)
}

// wantUncounted makes sure that a slot is not counted while its transaction waits
// in the pool, which forgets.
func wantUncounted(t *testing.T, h Harness, plan chainadapters.Plan) {
	t.Helper()
	if plan.Slot == nil {
		return
	}
	nonce := must(h.Adapter().NextNonce(within(t), plan.Slot.From))(t, "next nonce")
	if nonce != plan.Slot.Nonce {
		t.Fatalf("nonce %d of a pooled transaction was counted: next is %d", plan.Slot.Nonce, nonce)
	}
}

// wantDecoded compares a signed transaction with its plan.
func wantDecoded(t *testing.T, h Harness, plan chainadapters.Plan, unsigned chainadapters.Unsigned, signed chainadapters.Signed) {
	t.Helper()
	want := slices.Clone(plan.Payments)
	if !unsigned.Change.IsZero() {
		want = append(want, chainadapters.Payment{To: plan.ChangeTo, Amount: unsigned.Change})
	}
	byText := func(a, b chainadapters.Payment) int {
		return slices.Compare([]string{a.To, a.Contract, a.Amount.String()}, []string{b.To, b.Contract, b.Amount.String()})
	}
	got := slices.Clone(signed.Payments)
	slices.SortFunc(got, byText)
	slices.SortFunc(want, byText)
	if !slices.Equal(got, want) {
		t.Fatalf("payments decoded: got %+v, want %+v", got, want)
	}
	var spends []chainadapters.Spend
	if h.Adapter().Family() == chainadapters.Account {
		spends = append(spends, chainadapters.Spend{TxID: signed.TxID, From: plan.Slot.From, Nonce: plan.Slot.Nonce})
	}
	for _, c := range plan.Coins {
		spends = append(spends, chainadapters.Spend{TxID: signed.TxID, Outpoint: c.Outpoint})
	}
	if len(spends) != len(signed.Spends) {
		t.Fatalf("spends decoded: got %+v, want %+v", signed.Spends, spends)
	}
	for _, s := range spends {
		if !slices.Contains(signed.Spends, s) {
			t.Fatalf("spends decoded: %+v is not among %+v", s, signed.Spends)
		}
	}
}

// wantCost makes sure that the payment took what it says and no more than MaxFee.
func wantCost(t *testing.T, h Harness, p *purse, before money.Units, block chainadapters.Block, payment chainadapters.Payment, unsigned chainadapters.Unsigned, status chainadapters.TxStatus) {
	t.Helper()
	if h.Adapter().Family() == chainadapters.Account {
		nonce := must(h.Adapter().NextNonce(within(t), p.Address))(t, "next nonce")
		if nonce == 0 {
			t.Fatal("no nonce was consumed")
		}
		if status.Fee.IsZero() || unsigned.MaxFee.Less(status.Fee) {
			t.Fatalf("fee: paid %s, at most %s", status.Fee, unsigned.MaxFee)
		}
	}
	p.collect(block)
	cost := must(before.Sub(p.holdings(t, h, "", block.Ref)))(t, "cost")
	if payment.Contract == "" {
		cost = must(cost.Sub(payment.Amount))(t, "cost beyond the payment")
	}
	if cost.IsZero() || unsigned.MaxFee.Less(cost) {
		t.Fatalf("cost: paid %s, at most %s", cost, unsigned.MaxFee)
	}
	if h.Adapter().Family() == chainadapters.Account && cost != status.Fee {
		t.Fatalf("cost: paid %s, the status says %s", cost, status.Fee)
	}
}

func reorganised(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	to := h.NewWallet(t).Address
	raw, _, signed := p.sign(t, h, p.plan(t, h, chainadapters.Payment{To: to, Amount: fraction(t, h.Plenty(), 4)}))
	send := func() chainadapters.Block {
		if err := h.Adapter().Broadcast(within(t), raw); err != nil {
			t.Fatalf("broadcast: %v", err)
		}
		b := mined(t, h)
		if len(movementsTo(b, to)) != 1 {
			t.Fatalf("block %d brought %+v", b.Height, movementsTo(b, to))
		}
		return b
	}
	gone := send()
	h.Mine(t, 1)
	h.Reorg(t, 2)
	h.DropPool(t)
	wantState(t, h, signed.TxID, chainadapters.Absent)
	if now := blockAt(t, h, gone.Height); now.Hash == gone.Hash || now.Parent != gone.Parent || len(movementsTo(now, to)) != 0 {
		t.Fatalf("block %d was not replaced: %+v", gone.Height, now.Header)
	}
	if head := headOf(t, h); head.Height != gone.Height+2 {
		t.Fatalf("head after the replacement: got %d, want %d", head.Height, gone.Height+2)
	}
	parentWalk(t, h)
	back := send()
	if status := wantState(t, h, signed.TxID, chainadapters.Mined); status.Block != back.Ref || back.Hash == gone.Hash {
		t.Fatalf("status after coming back: %+v, want %+v", status, back.Ref)
	}
}

func doubleSpend(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	amount := fraction(t, h.Plenty(), 5)
	plan := p.plan(t, h, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: amount})
	rival := plan
	rival.Payments = []chainadapters.Payment{{To: h.NewWallet(t).Address, Amount: amount}}
	first, _, signed := p.sign(t, h, plan)
	second, _, other := p.sign(t, h, rival)
	if err := h.Adapter().Broadcast(within(t), first); err != nil {
		t.Fatalf("broadcast: %v", err)
	}
	refused := func(when string) {
		if err := h.Adapter().Broadcast(within(t), second); !errors.Is(err, chainadapters.ErrRefused) {
			t.Fatalf("rival %s: got %v, want ErrRefused", when, err)
		}
	}
	refused("in the pool")
	h.Mine(t, 1)
	refused("after the first was mined")
	// One call answers for the whole set of an intent, in order.
	statuses := must(h.Adapter().Statuses(within(t), []string{other.TxID, signed.TxID}))(t, "statuses")
	if statuses[0].State != chainadapters.Absent || statuses[1].State != chainadapters.Mined {
		t.Fatalf("statuses: got %+v, want absent, mined", statuses)
	}
}

// bumpPercent is what a replacement offers of the fee before; pools ask for 110
// to 112.5, and for the cost of relaying it.
const bumpPercent = 150

func replacement(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	plan := p.plan(t, h, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 5)})
	raise := func(u money.Units) money.Units {
		return must(u.MulDiv(money.FromUint64(bumpPercent), money.FromUint64(100), money.Up))(t, "raise fee")
	}
	dearer := plan
	dearer.Fee.TipCap, dearer.Fee.FeeCap = raise(plan.Fee.TipCap), raise(plan.Fee.FeeCap)
	dearer.Fee.SatPerKVB = plan.Fee.SatPerKVB * bumpPercent / 100
	cheap, low, first := p.sign(t, h, plan)
	dear, high, second := p.sign(t, h, dearer)
	if !low.MaxFee.Less(high.MaxFee) {
		t.Fatalf("the dearer plan costs %s, the cheaper %s", high.MaxFee, low.MaxFee)
	}
	for _, raw := range [][]byte{cheap, dear} {
		if err := h.Adapter().Broadcast(within(t), raw); err != nil {
			t.Fatalf("broadcast: %v", err)
		}
	}
	wantState(t, h, first.TxID, chainadapters.Absent)
	wantState(t, h, second.TxID, chainadapters.Pooled)
	if block := mined(t, h); len(movementsTo(block, plan.Payments[0].To)) != 1 {
		t.Fatalf("paid as %+v", movementsTo(block, plan.Payments[0].To))
	}
	wantState(t, h, first.TxID, chainadapters.Absent)
	wantState(t, h, second.TxID, chainadapters.Mined)
}

func noCover(t *testing.T, h Harness) {
	t.Helper()
	rich := newPurse(t, h)
	plan := rich.plan(t, h, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 4)})
	poor := &purse{Wallet: h.NewWallet(t)}
	if plan.Slot != nil {
		plan.Slot = &chainadapters.Slot{From: poor.Address, Path: poor.Path}
	}
	plan.Coins = slices.Clone(plan.Coins)
	for i := range plan.Coins { // coins that never were: the id of a block, not of a transaction
		plan.Coins[i].TxID, plan.Coins[i].Address, plan.Coins[i].Path = headOf(t, h).Hash, poor.Address, poor.Path
	}
	raw, _, signed := poor.sign(t, h, plan)
	if err := h.Adapter().Broadcast(within(t), raw); !errors.Is(err, chainadapters.ErrRefused) {
		t.Fatalf("broadcast without cover: got %v, want ErrRefused", err)
	}
	wantState(t, h, signed.TxID, chainadapters.Absent)
}

func holdingsAtBlock(t *testing.T, h Harness) {
	t.Helper()
	p := newPurse(t, h)
	at := headOf(t, h).Ref
	h.Mine(t, 1)
	pay(t, h, p, chainadapters.Payment{To: h.NewWallet(t).Address, Amount: fraction(t, h.Plenty(), 3)})
	if h.Adapter().Family() == chainadapters.Account {
		if got := p.holdings(t, h, "", at); got != h.Plenty() {
			t.Fatalf("holdings before the payment: got %s, want %s", got, h.Plenty())
		}
	}
	unknown := chainadapters.Holdings{
		Addresses: []string{p.Address}, Coins: p.coins,
		At: chainadapters.Ref{Height: at.Height, Hash: headOf(t, h).Hash},
	}
	if h.Adapter().Family() == chainadapters.Account {
		unknown.Coins = nil
	} else {
		unknown.Addresses = nil
	}
	if got, err := h.Adapter().Holdings(within(t), unknown); err == nil {
		t.Fatalf("holdings at a block that is not on the chain: got %s, want an error", got)
	}
}
