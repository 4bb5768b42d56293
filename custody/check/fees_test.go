package check_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"strongroom/custody"
	"strongroom/custody/check"
	"strongroom/custody/custodytest"
	"strongroom/ledger"
	"strongroom/money"
)

// feePlants are corruptions of what fees are made of.
func feePlants() []plant {
	return []plant{
		{
			`UPDATE custody.chain_tx SET fee = fee + 1 WHERE kind = 'gas_topup'`, `UPDATE custody.chain_tx SET fee = fee - 1 WHERE kind = 'gas_topup'`,
			"the book has the network fee of each transaction",
		},
		{
			`UPDATE custody.chain_tx SET fee = fee + 1 WHERE kind = 'collect' AND chain = 'coins'`,
			`UPDATE custody.chain_tx SET fee = fee - 1 WHERE kind = 'collect' AND chain = 'coins'`, "network fees are what our transactions cost",
		},
		{
			`UPDATE custody.house_intent SET id = id || 'x' WHERE kind = 'gas_topup'`,
			`UPDATE custody.house_intent SET id = trim(trailing 'x' FROM id) WHERE kind = 'gas_topup'`, "network fees are those of intents",
		},
		{
			`UPDATE custody.withdrawal SET fee = fee + 1 WHERE asset = 'BTC'`, `UPDATE custody.withdrawal SET fee = fee - 1 WHERE asset = 'BTC'`,
			"fee income is the fees of posted withdrawals",
		},
		{
			`INSERT INTO custody.network_fee (intent, booked) SELECT intent, fee + 1 FROM custody.chain_tx WHERE kind = 'gas_topup'`,
			`DELETE FROM custody.network_fee`, "fees are corrected where a booked payment left the chain",
		},
		{
			`INSERT INTO custody.network_fee (intent, booked, round) SELECT intent, fee, 1 FROM custody.chain_tx WHERE kind = 'gas_topup'`,
			`DELETE FROM custody.network_fee`, "fees are corrected where a booked payment left the chain",
		},
	}
}

// TestOnlyCorrectionsGiveFeesBack: what a payment cost less in the block that it came
// back in may leave the expense, by a transaction of that name alone.
func TestOnlyCorrectionsGiveFeesBack(t *testing.T) {
	h := newHouse(t)
	h.fund(t)
	for _, asset := range []string{custodytest.ETH, custodytest.TUSD} {
		h.Pay(t, asset, h.Address(t, "cus_a", asset), plenty(asset))
	}
	h.calm(t)
	h.withdraw(t, "cus_a", custodytest.ETH, plenty(custodytest.ETH)/3)
	h.calm(t)
	ctx := context.Background()
	var paid string
	var raw []byte
	if err := h.Pool.QueryRow(ctx, `SELECT intent, raw FROM custody.chain_tx`).Scan(&paid, &raw); err != nil {
		t.Fatal(err)
	}
	h.comeBackDearer(t, raw)
	if found := h.violations(t); !noticed(found, "the book has the network fee of each transaction") {
		t.Fatalf("before it is corrected: %v", found)
	}
	if err := h.desk.CorrectFees(ctx); err != nil {
		t.Fatal(err)
	}
	if found := h.violations(t); len(found) > 0 {
		t.Fatalf("corrected: %v", found)
	}
	lines, err := check.Fees(ctx, h.Pool)
	if err != nil || len(lines) == 0 || lines[0].Transactions != 1 {
		t.Fatalf("%+v, %v", lines, err)
	}
	h.withdraw(t, "cus_a", custodytest.TUSD, custodytest.Small)
	h.Deliver(t)
	var open string
	if err := h.Pool.QueryRow(ctx, `SELECT id FROM custody.withdrawal WHERE state <> 'posted'`).Scan(&open); err != nil {
		t.Fatal(err)
	}
	expense := custody.NetworkFeesAccount(custodytest.ETH)
	hot, deposits := custody.HotAccount(custodytest.Accounts, custodytest.ETH), custody.DepositsAccount(custodytest.Accounts, custodytest.ETH)
	for _, bad := range []struct {
		id, leg       string
		debit, credit ledger.AccountID
		named         string
	}{
		{"wdr/" + paid + "/refund/1", "network", hot, expense, "network fees are those of intents"},
		{"wdr/" + paid + "/fee/02", "network", hot, expense, "network fees are those of intents"},
		{"wdr/" + paid + "/fee/x", "network", expense, hot, "network fees are those of intents"},
		{"wdr/" + paid + "/void", "network", hot, expense, "network fees are those of intents"},
		{"col/" + paid + "/fee/2", "network", hot, expense, "network fees are those of intents"},
		{"wdr/" + paid + "/fee/2", "network", deposits, expense, "network fees are those of intents"},
		{"wdr/" + paid + "/fee/3", "other", hot, expense, "network fees are those of intents"},
		{"wdr/wdr_none/fee/1", "network", hot, expense, "network fees are those of intents"},
		{"wdr/" + open + "/fee/1", "network", hot, expense, "network fees are those of intents"},
		{"wdr/" + paid + "/fee/5", "network", expense, hot, "fees are corrected where"},
	} {
		_, err := h.Ledger.Post(ctx, ledger.Transaction{ID: bad.id, Legs: []ledger.Transfer{{
			ID: ledger.TransferID(bad.id + "/" + bad.leg), Kind: ledger.Single, Debit: bad.debit, Credit: bad.credit, Amount: money.FromUint64(1),
		}}})
		if err != nil {
			t.Fatal(err)
		}
		rows := map[bool]string{true: bad.id, false: paid}[strings.HasPrefix(bad.named, "network")]
		if found := h.violations(t); !slices.ContainsFunc(found, func(v check.Violation) bool {
			return strings.HasPrefix(v.Invariant, bad.named) && v.Rows == rows
		}) {
			t.Errorf("%s is not named: %v", bad.id, found)
		}
	}
}

// comeBackDearer takes the block of the only payment away and lets it be mined at
// another price, to the end.
func (h *house) comeBackDearer(tb testing.TB, raw []byte) {
	tb.Helper()
	chain := h.Chains[custodytest.Accounts]
	var depth int
	if err := h.Pool.QueryRow(context.Background(), `SELECT c.height - t.block_height + 1 FROM custody.chain_tx t JOIN custody.chain c ON c.chain = t.chain`).Scan(&depth); err != nil {
		tb.Fatal(err)
	}
	if err := chain.Reorg(depth); err != nil {
		tb.Fatal(err)
	}
	if err := h.Store.ClearHalt(context.Background(), custodytest.Accounts, uint64(depth)); err != nil {
		tb.Fatal(err)
	}
	chain.SetPrice(1_400_000_000)
	if err := h.Nodes[custodytest.Accounts].Broadcast(context.Background(), raw); err != nil {
		tb.Fatal(err)
	}
	h.Mine(tb, custodytest.Accounts, custodytest.FinalDepth)
}

// TestFeeLines: what was earned and paid is what the withdrawals and transactions
// say.
func TestFeeLines(t *testing.T) {
	h := newHouse(t)
	h.fund(t)
	h.Pay(t, custodytest.TUSD, h.Address(t, "cus_a", custodytest.TUSD), 900_000)
	h.Mine(t, custodytest.Accounts, custodytest.FinalDepth)
	h.withdraw(t, "cus_a", custodytest.TUSD, 200_000)
	h.withdraw(t, "cus_a", custodytest.TUSD, 300_000)
	h.calm(t)
	lines, err := check.Fees(context.Background(), h.Pool)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 2 || lines[0].Asset != custodytest.ETH || lines[0].Transactions != 2 || lines[0].Paid.IsZero() ||
		lines[1].Asset != custodytest.TUSD || lines[1].Earned != money.FromUint64(100) || !lines[1].Paid.IsZero() {
		t.Fatalf("%+v", lines)
	}
	if found := h.violations(t); len(found) > 0 {
		t.Fatal(found)
	}
}
