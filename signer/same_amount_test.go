package signer

import "testing"

// A customer gets what was asked for in every attempt, however much the fee rises,
// and so does the hot wallet from an account, whose fee is paid beside it.
func TestLaterAttemptsPayTheSame(t *testing.T) {
	s := newSigner(t)
	pay := func(amount, change int64) btcPlan {
		return btcPlan{to: outsideBTC(t), amount: amount, change: change, coins: []testCoin{{1, hotPath, 50_000}, {2, hotPath, 50_000}}}
	}
	wantSigned(t, s, btcRequest(t, s, "wdr_1", pay(60_000, 38_000)), "payment, fee 2,000")
	less := btcRequest(t, s, "wdr_1", pay(58_000, 38_000))
	less.Attempt = 2
	wantRefused(t, s, less, "the fee out of what the customer gets")
	same := btcRequest(t, s, "wdr_1", pay(60_000, 36_000))
	same.Attempt = 2
	wantSigned(t, s, same, "the fee out of the change")

	wantSigned(t, s, tokenCollect(t, s, "col_1", 0, 500), "collection from an account")
	wantRefused(t, s, bumped(t, tokenCollect(t, s, "col_1", 0, 499), 2, 2e9), "less of it")
	wantSigned(t, s, bumped(t, tokenCollect(t, s, "col_1", 0, 500), 2, 2e9), "all of it for a higher fee")
}
