package signer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/money"
)

// bumped is a later attempt on the same nonce with a higher fee.
func bumped(t *testing.T, req *signerv1.SignRequest, attempt uint32, tip int64) *signerv1.SignRequest {
	t.Helper()
	next := clone(req)
	p, err := decodeEVM(next.GetUnsignedTx())
	if err != nil {
		t.Fatal(err)
	}
	p.TipCap.SetInt64(tip)
	p.FeeCap.SetInt64(2 * tip)
	next.Attempt, next.UnsignedTx = attempt, p.bytes(t)
	return next
}

func wantRefused(t *testing.T, s *Signer, req *signerv1.SignRequest, why string) {
	t.Helper()
	if _, err := s.Sign(req); !errors.Is(err, ErrRefused) {
		t.Errorf("%s: got %v, want ErrRefused", why, err)
	}
}

func wantSigned(t *testing.T, s *Signer, req *signerv1.SignRequest, why string) *signerv1.SignResponse {
	t.Helper()
	out, err := s.Sign(req)
	if err != nil {
		t.Fatalf("%s: %v", why, err)
	}
	return out
}

func TestNonceBelongsToOneIntent(t *testing.T) {
	s := newSigner(t)
	first := ethWithdrawal(t, "wdr_1", 4, 500)
	wantSigned(t, s, first, "first")
	other := clone(first)
	other.Intent.Id = "wdr_2"
	wantRefused(t, s, other, "the same payload for another intent")
	wantRefused(t, s, ethWithdrawal(t, "wdr_2", 4, 600), "another payload for a used nonce")
	wantRefused(t, s, ethWithdrawal(t, "wdr_1", 5, 500), "a second nonce for the same intent")
	later := ethWithdrawal(t, "wdr_1", 5, 500)
	later.Attempt = 2
	wantRefused(t, s, later, "a second nonce as a later attempt")
	wantRefused(t, s, ethWithdrawal(t, "wdr_1", 4, 501), "another amount for the same intent")
	// The same nonce of another key is another slot.
	wantSigned(t, s, tokenCollect(t, s, "col_1", 4, 5), "the nonce of another sender")
}

func TestReplacementOnTheSameNonce(t *testing.T) {
	s := newSigner(t)
	first := ethWithdrawal(t, "wdr_1", 0, 500)
	one := wantSigned(t, s, first, "first")
	wantRefused(t, s, bumped(t, first, 1, 15e8), "another payload as the same attempt")
	wantRefused(t, s, bumped(t, first, 0, 15e8), "another payload as an earlier attempt")
	second := bumped(t, first, 2, 15e8)
	two := wantSigned(t, s, second, "replacement")
	wantRefused(t, s, bumped(t, first, 2, 16e8), "another payload as the second attempt")
	wantSigned(t, s, bumped(t, first, 7, 2e9), "a later replacement")
	if again := wantSigned(t, s, first, "first again"); !proto.Equal(one, again) {
		t.Error("the first attempt has another signature now")
	}
	if again := wantSigned(t, s, second, "second again"); !proto.Equal(two, again) {
		t.Error("the second attempt has another signature now")
	}
	status, err := s.Status()
	if err != nil || status.GetCaps()[0].GetUsedDay() != "500" {
		t.Errorf("three attempts of one intent count as %v: %v", status.GetCaps()[0], err)
	}
}

func TestReplacementSharesACoin(t *testing.T) {
	s := newSigner(t)
	attempt := func(n uint32, coins ...byte) *signerv1.SignRequest {
		p := btcPlan{to: outsideBTC(t), amount: 60_000, change: int64(len(coins))*50_000 - 61_000 - 1_000*int64(n)}
		for _, c := range coins {
			p.coins = append(p.coins, testCoin{c, hotPath, 50_000})
		}
		req := btcRequest(t, s, "wdr_1", p)
		req.Attempt = n
		return req
	}
	wantSigned(t, s, attempt(1, 1, 2), "first")
	wantRefused(t, s, attempt(2, 3, 4), "no coin in common")
	wantSigned(t, s, attempt(2, 2, 3), "coin 2 in common")
	wantRefused(t, s, attempt(3, 1, 3), "a coin of each, but none of both")
	wantRefused(t, s, attempt(2, 2, 4), "not a later attempt")
	wantSigned(t, s, attempt(3, 2, 4, 5), "coin 2 in common with both")
	wantRefused(t, s, btcWithdrawal(t, s, "wdr_2", 2, 6), "a coin that all attempts of another intent spend")
	wantSigned(t, s, btcWithdrawal(t, s, "wdr_2", 6, 7), "coins of nobody")
	wantSigned(t, s, btcWithdrawal(t, s, "wdr_3", 1, 8), "a coin that the others were mined without")
	wantRefused(t, s, attempt(4, 1, 2), "that coin, back in the intent it was of first")
	wantSigned(t, s, attempt(1, 1, 2), "the first again")
}

// Two lies about one coin's amount could be joined into one valid transaction
// with a fee that no request showed.
func TestCoinKeepsItsAmount(t *testing.T) {
	s := newSigner(t)
	wantSigned(t, s, btcWithdrawal(t, s, "wdr_1", 1, 2), "first")
	p := btcPlan{to: outsideBTC(t), amount: 60_000, change: 37_000, coins: []testCoin{{1, hotPath, 50_000}, {2, hotPath, 49_000}}}
	req := btcRequest(t, s, "wdr_1", p)
	req.Attempt = 2
	wantRefused(t, s, req, "coin 2 with another amount")
}

func TestRestartKeepsSlots(t *testing.T) {
	cfg := testConfig(t.TempDir(), newClock())
	s := openSigner(t, cfg)
	reqs := everyKind(t, s)
	before := map[string]*signerv1.SignResponse{}
	for name, req := range reqs {
		before[name] = wantSigned(t, s, req, name)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSigner(t, cfg)
	t.Cleanup(func() { _ = s.Close() })
	for name, req := range reqs {
		if again := wantSigned(t, s, req, name); !proto.Equal(before[name], again) {
			t.Errorf("%s has another signature after a restart", name)
		}
	}
	wantRefused(t, s, ethWithdrawal(t, "wdr_other", 0, 500), "a used nonce after a restart")
	wantRefused(t, s, btcWithdrawal(t, s, "wdr_other", 1, 9), "a used coin after a restart")
}

// Whatever sequence of permissions is asked for, of those that were given any two
// of one intent exclude each other on chain, and no intent touches a nonce of
// another, or a coin that all attempts of another spend.
func TestBookAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBook(testPolicy())
		var given []permission
		for i := range rapid.IntRange(1, 60).Draw(t, "requests") {
			p := anyPermission(t, i)
			seen, err := b.judge(p, newClock().at)
			if err != nil || seen {
				continue
			}
			for _, earlier := range given {
				same := earlier.Intent.ID == p.Intent.ID
				if same && !clashes(earlier, p) || !same && takes(given, earlier.Intent.ID, p) {
					t.Fatalf("given: %+v\nand then: %+v", earlier, p)
				}
				if same && (!earlier.Fee.Less(p.Fee) || earlier.Attempt >= p.Attempt) {
					t.Fatalf("%+v does not replace %+v", p, earlier)
				}
				if same && earlier.Intent.Kind == kindCancel && p.Intent.Kind != kindCancel {
					t.Fatalf("%+v pays after a cancellation", p)
				}
			}
			b.apply(record{Time: newClock().at, Type: recordSign, Sign: &p})
			given = append(given, p)
		}
	})
}

func anyPermission(t *rapid.T, i int) permission {
	id := fmt.Sprintf("wdr_%d", rapid.IntRange(0, 4).Draw(t, "intent"))
	p := permission{
		Intent:  intent{ID: id, Kind: kindWithdrawal, Chain: evmName, Asset: "ETH", Amount: units(1)},
		Attempt: uint32(rapid.IntRange(0, 6).Draw(t, "attempt")), Payload: strconv.Itoa(i),
		Fee: units(rapid.Uint64Range(1, 20).Draw(t, "fee")),
	}
	if rapid.IntRange(0, 3).Draw(t, "cancel") == 0 {
		p.Intent.Kind, p.Intent.Amount = kindCancel, units(0)
	}
	if id > "wdr_2" {
		p.Slot = fmt.Sprintf("sender/%d", rapid.IntRange(0, 2).Draw(t, "nonce"))
		return p
	}
	p.Intent.Chain, p.Intent.Asset = btcName, "BTC"
	for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(0, 7), 1, 4, rapid.ID).Draw(t, "coins") {
		p.Coins = append(p.Coins, spentCoin{Outpoint: fmt.Sprintf("coin:%d", n), Amount: money.FromUint64(5)})
	}
	return p
}

// takes reports whether a permission uses a nonce of an intent, or a coin that all
// that was given to the intent spends.
func takes(given []permission, id string, p permission) bool {
	for _, c := range p.Coins {
		all := true
		for _, g := range given {
			all = all && (g.Intent.ID != id || slices.Contains(g.Coins, c))
		}
		if all {
			return true
		}
	}
	return slices.ContainsFunc(given, func(g permission) bool { return g.Intent.ID == id && p.Slot != "" && g.Slot == p.Slot })
}

// clashes reports whether at most one of two transactions can be mined.
func clashes(a, b permission) bool {
	if a.Slot != "" && a.Slot == b.Slot {
		return true
	}
	for _, x := range a.Coins {
		for _, y := range b.Coins {
			if x.Outpoint == y.Outpoint {
				return true
			}
		}
	}
	return false
}
