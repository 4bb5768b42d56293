package signer

import (
	"errors"
	"testing"

	signerv1 "strongroom/internal/gen/signer/v1"
)

// btcMerge merges coins of the hot wallet, received and change, into one at a path.
func btcMerge(tb testing.TB, s *Signer, id string, to keyPath) *signerv1.SignRequest {
	tb.Helper()
	p := btcPlan{
		to: s.btcAddressOf(tb, to), amount: 148_000,
		coins: []testCoin{{210, hotPath, 50_000}, {211, changePath, 50_000}, {212, hotPath, 50_000}},
	}
	req := btcRequest(tb, s, id, p)
	req.Intent.Kind, req.Intent.ToPath = signerv1.IntentKind_INTENT_KIND_COLLECT, wirePath(to)
	return req
}

// TestHotCoinsAreMergedIntoTheHotWalletOnly: coins of the hot wallet may end in it
// as collections do, and nowhere else; an account has nothing to merge.
func TestHotCoinsAreMergedIntoTheHotWalletOnly(t *testing.T) {
	s := newSigner(t)
	if _, err := s.Sign(btcMerge(t, s, "col_m1", hotPath)); err != nil {
		t.Errorf("merge: %v", err)
	}
	if _, err := s.Sign(btcMerge(t, s, "col_m2", depositPath)); !errors.Is(err, ErrInvalid) {
		t.Errorf("merge into a deposit address: %v", err)
	}
	outside := btcMerge(t, s, "col_m3", hotPath)
	outside.Intent.To = outsideBTC(t)
	if _, err := s.Sign(outside); !errors.Is(err, ErrInvalid) {
		t.Errorf("merge to a stranger: %v", err)
	}
	account := tokenCollect(t, s, "col_m4", 0, 500)
	account.FromPath = wirePath(hotPath)
	if _, err := s.Sign(account); !errors.Is(err, ErrInvalid) {
		t.Errorf("the hot key collects from itself: %v", err)
	}
}
