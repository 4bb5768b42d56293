package signer

import (
	"errors"
	"math/big"
	"testing"
	"time"

	signerv1 "strongroom/internal/gen/signer/v1"
)

// cancelOf asks to use up a nonce of a key by nothing, in place of an intent.
func cancelOf(tb testing.TB, s *Signer, id string, attempt uint32, nonce uint64, tip int64, from keyPath) *signerv1.SignRequest {
	tb.Helper()
	self := s.evmAddressOf(tb, from)
	p := plainPayload(nonce, self, 0)
	p.TipCap, p.FeeCap = big.NewInt(tip), big.NewInt(2*tip)
	return &signerv1.SignRequest{
		Intent: &signerv1.Intent{
			Id: id, Kind: signerv1.IntentKind_INTENT_KIND_CANCEL, Chain: evmName, Asset: "ETH",
			To: self.Hex(), Amount: "0", ToPath: wirePath(from),
		},
		Attempt: attempt, UnsignedTx: p.bytes(tb), FromPath: wirePath(from), MaxFee: "10000000000000000",
	}
}

func ethCancel(tb testing.TB, s *Signer, id string, attempt uint32, nonce uint64, tip int64) *signerv1.SignRequest {
	tb.Helper()
	return cancelOf(tb, s, id, attempt, nonce, tip, hotPath)
}

// btcCancel asks to send hot coins of 50,000 each to the change key, less a fee.
func btcCancel(tb testing.TB, s *Signer, id string, attempt uint32, fee int64, coins ...byte) *signerv1.SignRequest {
	tb.Helper()
	p := btcPlan{to: s.btcAddressOf(tb, changePath), amount: int64(len(coins))*50_000 - fee}
	for _, c := range coins {
		p.coins = append(p.coins, testCoin{c, hotPath, 50_000})
	}
	req := btcRequest(tb, s, id, p)
	req.Attempt = attempt
	req.Intent.Kind, req.Intent.ToPath = signerv1.IntentKind_INTENT_KIND_CANCEL, wirePath(changePath)
	return req
}

func wantInvalid(t *testing.T, s *Signer, req *signerv1.SignRequest, why string) {
	t.Helper()
	if _, err := s.Sign(req); !errors.Is(err, ErrInvalid) {
		t.Errorf("%s: got %v, want ErrInvalid", why, err)
	}
}

func TestCancelTakesTheNonceAndEndsTheIntent(t *testing.T) {
	s := newSigner(t)
	pay := ethWithdrawal(t, "wdr_1", 0, 500) // bids 2e9
	wantSigned(t, s, pay, "payment")
	wantRefused(t, s, ethCancel(t, s, "wdr_1", 2, 1, 2e9), "another nonce")
	wantRefused(t, s, ethCancel(t, s, "wdr_2", 1, 0, 2e9), "the nonce of another intent")
	wantRefused(t, s, ethCancel(t, s, "wdr_1", 2, 0, 1e9), "no higher fee")
	wantRefused(t, s, ethCancel(t, s, "wdr_1", 1, 0, 2e9), "no later attempt")
	wantSigned(t, s, ethCancel(t, s, "wdr_1", 2, 0, 2e9), "cancellation")
	wantSigned(t, s, pay, "the very payment again: its bytes are out")
	wantRefused(t, s, bumped(t, pay, 3, 9e9), "a payment after the cancellation")
	wantSigned(t, s, ethCancel(t, s, "wdr_1", 3, 0, 3e9), "a higher cancellation")
}

func TestCancelOfWhatWasNeverSigned(t *testing.T) {
	s := newSigner(t)
	wantSigned(t, s, ethCancel(t, s, "wdr_1", 2, 0, 1e9), "a nonce that nobody used")
	late := ethWithdrawal(t, "wdr_1", 0, 500)
	late.Attempt = 3
	wantRefused(t, s, late, "its payment")
	wantSigned(t, s, cancelOf(t, s, "col_1", 1, 0, 1e9, depositPath), "a collection's nonce")
	status, err := s.Status()
	if err != nil || status.GetCaps()[0].GetUsedDay() != "0" {
		t.Errorf("a cancellation counts as paid: %v, %v", status.GetCaps()[0], err)
	}
}

func TestCancelMovesNothing(t *testing.T) {
	s := newSigner(t)
	value := ethCancel(t, s, "wdr_1", 1, 0, 1e9)
	value.UnsignedTx = plainPayload(0, s.evmAddressOf(t, hotPath), 5).bytes(t)
	wantInvalid(t, s, value, "value in the transaction")
	value.Intent.Amount = "5"
	wantInvalid(t, s, value, "value in both")
	other := ethCancel(t, s, "wdr_1", 1, 0, 1e9)
	other.Intent.To = outsideEVM
	other.UnsignedTx = plainPayload(0, outsider(), 0).bytes(t)
	wantInvalid(t, s, other, "to an outsider")
	deposit := ethCancel(t, s, "wdr_1", 1, 0, 1e9)
	deposit.Intent.To, deposit.Intent.ToPath = s.evmAddressOf(t, depositPath).Hex(), wirePath(depositPath)
	deposit.UnsignedTx = plainPayload(0, s.evmAddressOf(t, depositPath), 0).bytes(t)
	wantInvalid(t, s, deposit, "to another key of ours")
	token := ethCancel(t, s, "wdr_1", 1, 0, 1e9)
	token.Intent.Asset, token.Intent.Contract = "TUSD", tokenHex
	wantInvalid(t, s, token, "of a token")
	bare := ethCancel(t, s, "wdr_1", 1, 0, 1e9)
	bare.Intent.ToPath = nil
	wantInvalid(t, s, bare, "without the key")
	for _, id := range []string{"", "_1", "wdr", "wdr_", "WDR_1", "wdr_ü"} {
		nameless := ethCancel(t, s, "wdr_1", 1, 0, 1e9)
		nameless.Intent.Id = id
		wantInvalid(t, s, nameless, "of intent "+id)
	}
}

func TestCancelOfCoins(t *testing.T) {
	s := newSigner(t)
	wantSigned(t, s, btcWithdrawal(t, s, "wdr_1", 1, 2), "payment, fee 2,000")
	wantRefused(t, s, btcCancel(t, s, "wdr_1", 2, 3_000, 3), "a coin of its own")
	wantRefused(t, s, btcCancel(t, s, "wdr_1", 2, 2_000, 1, 2), "no higher fee")
	wantSigned(t, s, btcCancel(t, s, "wdr_1", 2, 3_000, 1, 2), "cancellation")
	receive := btcCancel(t, s, "wdr_2", 1, 2_000, 5)
	receive.Intent.To, receive.Intent.ToPath = s.btcAddressOf(t, hotPath), wirePath(hotPath)
	wantInvalid(t, s, receive, "to the receiving key")
	split := btcWithdrawal(t, s, "wdr_2", 5, 6)
	split.Intent.Kind, split.Intent.ToPath = signerv1.IntentKind_INTENT_KIND_CANCEL, wirePath(changePath)
	wantInvalid(t, s, split, "to an outsider with change")
	deposits := btcPlan{to: s.btcAddressOf(t, changePath), amount: 48_000, coins: []testCoin{{9, depositPath, 50_000}}}
	req := btcRequest(t, s, "col_1", deposits)
	req.Intent.Kind, req.Intent.ToPath = signerv1.IntentKind_INTENT_KIND_CANCEL, wirePath(changePath)
	wantInvalid(t, s, req, "coins of customers' deposits")
}

func TestCancelSurvivesARestart(t *testing.T) {
	cfg := testConfig(t.TempDir(), newClock())
	s := openSigner(t, cfg)
	wantSigned(t, s, ethCancel(t, s, "wdr_1", 1, 0, 1e9), "cancellation")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSigner(t, cfg)
	t.Cleanup(func() { _ = s.Close() })
	wantRefused(t, s, bumped(t, ethWithdrawal(t, "wdr_1", 0, 500), 2, 9e9), "its payment after a restart")
}

// Fees of 84e12 and their raises, within 200e12 an hour and 300e12 a day.
func TestFeesAreBoundedInTime(t *testing.T) {
	clock := newClock()
	cfg := testConfig(t.TempDir(), clock)
	cfg.Policy.Chains[0].FeePerHour, cfg.Policy.Chains[0].FeePerDay = units(200e12), units(300e12)
	s := openSigner(t, cfg)
	t.Cleanup(func() { _ = s.Close() })
	first := bumped(t, ethWithdrawal(t, "wdr_1", 0, 500), 1, 2e9)
	wantSigned(t, s, first, "84 of 200")
	wantSigned(t, s, bumped(t, first, 2, 4e9), "raised to 168 of 200")
	wantRefused(t, s, bumped(t, first, 3, 5e9), "raised to 210 of 200")
	wantRefused(t, s, ethWithdrawal(t, "wdr_2", 1, 5), "another 42")
	wantSigned(t, s, first, "the first again costs nothing")
	clock.advance(time.Hour)
	wantSigned(t, s, bumped(t, first, 3, 5e9), "42 more in the next hour")
	wantSigned(t, s, ethWithdrawal(t, "wdr_2", 1, 5), "another 42: 252 of the day's 300")
	wantRefused(t, s, bumped(t, ethWithdrawal(t, "wdr_3", 2, 5), 1, 2e9), "84 more in the day")
	clock.advance(23 * time.Hour)
	wantSigned(t, s, bumped(t, ethWithdrawal(t, "wdr_3", 2, 5), 1, 2e9), "84 a day after the first")
}
