package signer

import (
	"testing"

	signerv1 "strongroom/internal/gen/signer/v1"
)

// collected is an attempt to move coins of 50,000 from deposit addresses.
func collected(tb testing.TB, s *Signer, id string, attempt uint32, amount int64, coins ...byte) *signerv1.SignRequest {
	tb.Helper()
	p := btcPlan{to: s.btcAddressOf(tb, hotPath), amount: amount}
	for _, n := range coins {
		p.coins = append(p.coins, testCoin{n, depositPath, 50_000})
	}
	req := btcRequest(tb, s, id, p)
	req.Intent.Kind, req.Intent.ToPath = signerv1.IntentKind_INTENT_KIND_COLLECT, wirePath(hotPath)
	req.Attempt = attempt
	return req
}

// TestACollectionPaysItsFeeFromWhatItMoves: later attempts move less to the same
// key, never more and never elsewhere, and each spends a coin of all before.
func TestACollectionPaysItsFeeFromWhatItMoves(t *testing.T) {
	s := newSigner(t)
	wantSigned(t, s, collected(t, s, "col_1", 1, 148_000, 31, 32, 33), "collection, fee 2,000")
	wantRefused(t, s, collected(t, s, "col_1", 2, 149_000, 31, 32, 33), "more of it, for a lower fee")
	wantSigned(t, s, collected(t, s, "col_1", 2, 146_000, 31, 32, 33), "a higher fee")
	wantRefused(t, s, collected(t, s, "col_1", 3, 44_000, 34), "a coin of its own")
	wantRefused(t, s, collected(t, s, "col_2", 1, 97_000, 32, 33), "coins that all its attempts spend")
	wantSigned(t, s, collected(t, s, "col_1", 3, 45_000, 31), "taken back by one of its coins")
	wantSigned(t, s, collected(t, s, "col_2", 1, 97_000, 32, 33), "the others, in another")
	wantRefused(t, s, collected(t, s, "col_3", 1, 47_000, 31), "the one that took it back")
	wantRefused(t, s, collected(t, s, "col_1", 4, 140_000, 31, 32, 33), "all of them again")
	elsewhere := collected(t, s, "col_1", 4, 40_000, 31)
	elsewhere.Intent.To = outsideBTC(t)
	wantInvalid(t, s, elsewhere, "to a stranger")
}

// TestACoinKeepsItsAmount whoever spends it next.
func TestACoinKeepsItsAmount(t *testing.T) {
	s := newSigner(t)
	wantSigned(t, s, collected(t, s, "col_1", 1, 98_000, 41, 42), "collection")
	wantSigned(t, s, collected(t, s, "col_1", 2, 45_000, 41), "taken back")
	p := btcPlan{to: s.btcAddressOf(t, hotPath), amount: 58_000, coins: []testCoin{{42, depositPath, 60_000}}}
	other := btcRequest(t, s, "col_2", p)
	other.Intent.Kind, other.Intent.ToPath = signerv1.IntentKind_INTENT_KIND_COLLECT, wirePath(hotPath)
	wantRefused(t, s, other, "the same coin with another amount")
}
