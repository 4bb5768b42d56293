package multisig

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"strongroom/money"
)

func TestTwoOfThreeSignApartAndCombine(t *testing.T) {
	h := openHouse(t, "regtest", 2, 3, "apart")
	raw, s := h.typical(t)
	e := h.effect(t, raw)
	if err := e.Fulfils(s.Payments, e.Fee); err != nil || e.Ready || len(e.Signed) != 0 {
		t.Fatalf("%+v, %v", e, err)
	}
	first, second, third := h.sign(t, raw, 0), h.sign(t, raw, 1), h.sign(t, raw, 2)
	if _, _, err := h.Finalize(first); !errors.Is(err, ErrIncomplete) {
		t.Errorf("one signature is enough: %v", err)
	}
	both := h.combine(t, first, third)
	if again := h.combine(t, third, raw, first, both); !bytes.Equal(again, both) {
		t.Error("the order of copies matters")
	}
	if one := h.sign(t, first, 2); !bytes.Equal(one, both) {
		t.Error("one after the other is not the same as apart")
	}
	if e := h.effect(t, both); !e.Ready || !slices.Equal(e.Signed, []string{h.vault.Keys[0].Fingerprint, h.vault.Keys[2].Fingerprint}) {
		t.Errorf("signed by %v", e.Signed)
	}
	tx, txid, err := h.Finalize(h.combine(t, both, second))
	if err != nil || txid != e.TxID {
		t.Fatalf("%s, want %s, %v", txid, e.TxID, err)
	}
	var signed wire.MsgTx
	if err := signed.Deserialize(bytes.NewReader(tx)); err != nil || len(signed.TxIn[0].Witness) != 4 {
		t.Fatalf("%+v, %v", signed, err)
	}
	if two := h.sign(t, raw, 0); !bytes.Equal(two, first) {
		t.Error("signing is not deterministic")
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	h, stranger := openHouse(t, "regtest", 2, 3, "keys"), openHouse(t, "regtest", 2, 3, "strangers")
	raw, _ := h.typical(t)
	txid := h.effect(t, raw).TxID
	public, _ := h.masters[0].Neuter()
	child, _ := h.masters[0].Derive(hardened)
	if _, err := h.Sign(raw, txid, stranger.masters[0]); !errors.Is(err, ErrKey) {
		t.Errorf("a stranger's: %v", err)
	}
	if _, err := h.Sign(raw, txid, public); !errors.Is(err, ErrKey) {
		t.Errorf("a public one: %v", err)
	}
	if _, err := h.Sign(raw, txid, child); !errors.Is(err, ErrKey) {
		t.Errorf("one of another place: %v", err)
	}
	if _, err := h.Sign(raw, txid, nil); !errors.Is(err, ErrKey) {
		t.Errorf("none: %v", err)
	}
	if _, err := h.Sign(raw, strings.Repeat("0", 64), h.masters[0]); !errors.Is(err, ErrRefused) {
		t.Errorf("another transaction than approved: %v", err)
	}
	account, err := descend(h.masters[1], h.origins[1].path[:]...)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := h.Sign(raw, txid, account)
	if err != nil || !bytes.Equal(signed, h.sign(t, raw, 1)) {
		t.Errorf("the account's own key: %v", err)
	}
	if again, err := h.Sign(raw, txid, account); err != nil || !bytes.Equal(again, signed) {
		t.Errorf("the key was changed by its use: %v", err)
	}
}

func TestSpendsThatAreRefused(t *testing.T) {
	h := openHouse(t, "regtest", 2, 3, "plans")
	for name, tc := range map[string]struct {
		change func(*Spending)
		reason string
	}{
		"no coins":             {func(s *Spending) { s.Coins = nil }, "0 coins"},
		"a coin twice":         {func(s *Spending) { s.Coins = append(s.Coins, s.Coins[0]) }, "twice"},
		"a coin elsewhere":     {func(s *Spending) { s.Coins[0].Index++ }, "not of the vault"},
		"an output not there":  {func(s *Spending) { s.Coins[0].Vout = 2 }, "not of the vault"},
		"bytes after the coin": {func(s *Spending) { s.Coins[0].Previous = append(s.Coins[0].Previous, 0) }, "cannot be read"},
		"half a transaction":   {func(s *Spending) { s.Coins[0].Previous = s.Coins[0].Previous[:40] }, "cannot be read"},
		"branch 2":             {func(s *Spending) { s.Coins[0].Branch = 2 }, "branches"},
		"no rate":              {func(s *Spending) { s.SatPerKVB = 0 }, "rate"},
		"absurd rate":          {func(s *Spending) { s.SatPerKVB = MaxSatPerKVB + 1 }, "rate"},
		"more than there is":   {func(s *Spending) { s.Payments[0].Amount = money.FromUint64(149_999_990) }, "coins of"},
		"dust":                 {func(s *Spending) { s.Payments[0].Amount = money.FromUint64(545) }, "payment 0"},
		"another network":      {func(s *Spending) { s.Payments[0].To = "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9" }, "payment 0"},
		"change far away":      {func(s *Spending) { s.ChangeIndex = MaxIndex + 1 }, "change"},
		"a fee of a sixth": {func(s *Spending) {
			s.Coins, s.Payments, s.SatPerKVB = []Coin{h.coin(t, 0, 0, 400_000, 9)}, []Payment{{To: s.Payments[0].To, Amount: money.FromUint64(330_000)}}, 400_000
		}, "of 400000 that are spent"},
	} {
		_, s := h.typical(t)
		tc.change(&s)
		if _, err := h.Spend(s); err == nil || !strings.Contains(err.Error(), tc.reason) {
			t.Errorf("%s: %v, want a word of %q", name, err, tc.reason)
		}
	}
}

// Whatever is spent: the fee is the rate times the size, the signed transaction is no
// larger, and smaller by no more than its signatures are shorter than the longest.
func TestFeesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(2, 5).Draw(t, "k")
		h := openHouse(t, rapid.SampledFrom([]string{"regtest", "litecoin-main"}).Draw(t, "network"), k, rapid.IntRange(k, 9).Draw(t, "n"), "fees")
		s := Spending{SatPerKVB: rapid.Uint64Range(MinSatPerKVB, 100_000).Draw(t, "rate"), ChangeIndex: rapid.Uint32Range(0, MaxIndex).Draw(t, "change")}
		var total uint64
		for i := range rapid.IntRange(1, 4).Draw(t, "coins") {
			amount := rapid.Int64Range(2_000_000, 10_000_000_000).Draw(t, "coin")
			total += uint64(amount)
			s.Coins = append(s.Coins, h.coin(t, rapid.Uint32Range(0, 1).Draw(t, "branch"), rapid.Uint32Range(0, 50).Draw(t, "index"), amount, byte(i)))
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "payments") {
			s.Payments = append(s.Payments, Payment{To: h.outside(t, byte(i)), Amount: money.FromUint64(rapid.Uint64Range(h.params.Dust, total/4).Draw(t, "payment"))})
		}
		raw, err := h.Spend(s)
		if errors.Is(err, ErrRefused) && strings.Contains(err.Error(), "absurd fee") {
			return // much for little: a tenth of it
		}
		if err != nil {
			t.Fatal(err)
		}
		e := h.effect(t, raw)
		if fee, _ := e.Fee.Uint64(); e.Change != nil && fee != feeFor(e.VSize*perByte, s.SatPerKVB) {
			t.Fatalf("fee %d for %d virtual bytes", fee, e.VSize)
		}
		if err := e.Fulfils(s.Payments, e.Fee); err != nil {
			t.Fatal(err)
		}
		for i := range k {
			raw = h.sign(t, raw, i)
		}
		tx, _, err := h.Finalize(raw)
		if err != nil {
			t.Fatal(err)
		}
		checkWeight(t, h, tx, len(s.Coins)*k)
	})
}

func checkWeight(t fataler, h *house, raw []byte, signatures int) {
	t.Helper()
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		t.Fatal(err)
	}
	var longest int
	for _, in := range tx.TxIn {
		for _, signature := range in.Witness[1 : len(in.Witness)-1] {
			longest += signatureBytes - len(signature)
		}
	}
	actual := uint64(tx.SerializeSizeStripped()*3 + tx.SerializeSize())
	if estimate := h.weight(len(tx.TxIn), tx.TxOut); estimate != actual+uint64(longest) {
		t.Fatalf("estimate %d, weight %d with %d signatures shorter by %d in all", estimate, actual, signatures, longest)
	}
}

// What is built is a PSBT for another reader, too, with all that signers want.
func TestAnotherReaderFindsAllFields(t *testing.T) {
	h := openHouse(t, "regtest", 3, 5, "fields")
	raw, _ := h.typical(t)
	packet, err := psbt.NewFromRawBytes(strings.NewReader(Encode(raw)), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range packet.Inputs {
		if in.NonWitnessUtxo == nil || in.WitnessUtxo == nil || len(in.Bip32Derivation) != 5 || len(in.WitnessScript) != 173 {
			t.Errorf("input %+v", in)
		}
	}
	again, err := Decode([]byte(Encode(raw) + "\n"))
	if err != nil || !bytes.Equal(again, raw) {
		t.Errorf("read from base 64: %v", err)
	}
	if _, err := Decode([]byte("cHNidA==")); !errors.Is(err, ErrPSBT) {
		t.Errorf("not one: %v", err)
	}
}

func TestWordsSayEverything(t *testing.T) {
	h := openHouse(t, "litecoin-regtest", 2, 3, "words")
	raw, s := h.typical(t)
	e, err := h.Inspect(h.sign(t, raw, 1), map[string]string{s.Payments[0].To: "hot-ltc"})
	if err != nil {
		t.Fatal(err)
	}
	words := e.String()
	for _, part := range []string{
		e.TxID, "litecoin-regtest", "2 coins of the 2-of-3 vault " + h.ID(), "1.50000000 LTC", "0.70000000 LTC to " + s.Payments[0].To + ", known as hot-ltc",
		"our 0/7", "our 1/2", "our 1/3", "can be replaced", "can be mined at once", "Signed by 1 of the 2", h.vault.Keys[1].Fingerprint,
	} {
		if !strings.Contains(strings.ToLower(words), strings.ToLower(part)) {
			t.Errorf("no %q in:\n%s", part, words)
		}
	}
	if strings.Contains(h.effect(t, raw).String(), "known as") {
		t.Error("a name from nowhere")
	}
}
