package check_test

import (
	"context"
	"testing"

	"strongroom/custody/check"
	"strongroom/custody/custodytest"
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
	}
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
