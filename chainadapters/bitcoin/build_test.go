package bitcoin

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
)

// dustSatoshi is Bitcoin's limit for P2PKH.
const dustSatoshi = 546

func testAdapter(tb testing.TB) *Adapter {
	tb.Helper()
	a, err := New(chainadapters.Config{
		Chain: "bitcoin-regtest", URL: "http://127.0.0.1:1", Expect: chainadapters.Identity{Network: "regtest"},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func keyAddress(tb testing.TB, a *Adapter, n byte) string {
	tb.Helper()
	s, ok := a.params.Address(append([]byte{0x00, 0x14}, bytes.Repeat([]byte{n}, 20)...))
	if !ok {
		tb.Fatal("no address")
	}
	return s
}

// anyAddress draws a standard address of any type.
func anyAddress(t *rapid.T, a *Adapter) string {
	body := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash")
	scripts := [][]byte{
		slices.Concat([]byte{0x00, 0x14}, body[:20]),
		slices.Concat([]byte{0x00, 0x20}, body),
		slices.Concat([]byte{0x51, 0x20}, body),
		slices.Concat([]byte{0xa9, 0x14}, body[:20], []byte{0x87}),
		slices.Concat([]byte{0x76, 0xa9, 0x14}, body[:20], []byte{0x88, 0xac}),
	}
	s, ok := a.params.Address(rapid.SampledFrom(scripts).Draw(t, "script"))
	if !ok {
		t.Fatal("no address")
	}
	return s
}

func anyCoins(t *rapid.T, address string) []chainadapters.Coin {
	amounts := rapid.SliceOfN(rapid.Uint64Range(1, 2_000_000), 1, 60).Draw(t, "amounts")
	coins := make([]chainadapters.Coin, len(amounts))
	for i, amount := range amounts {
		var id [32]byte
		id[0], id[1] = byte(rapid.IntRange(0, 3).Draw(t, "id")), byte(i)
		coins[i] = chainadapters.Coin{
			Outpoint: chainadapters.Outpoint{TxID: hex.EncodeToString(id[:]), Vout: uint32(i % 3)},
			Amount:   money.FromUint64(amount), Address: address,
		}
	}
	return coins
}

func anyPayments(t *rapid.T, a *Adapter) []chainadapters.Payment {
	payments := make([]chainadapters.Payment, rapid.IntRange(1, 5).Draw(t, "payments"))
	for i := range payments {
		payments[i] = chainadapters.Payment{
			To: anyAddress(t, a), Amount: money.FromUint64(rapid.Uint64Range(dustSatoshi, 3_000_000).Draw(t, "amount")),
		}
	}
	return payments
}

// Whatever was selected can be built; inputs equal outputs and fee; the fee
// covers the size of the transaction as it will be signed; change is never dust.
func TestSelectionAndBuild(t *testing.T) {
	a := testAdapter(t)
	hot, change := keyAddress(t, a, 1), keyAddress(t, a, 2)
	rapid.Check(t, func(t *rapid.T) {
		coins, payments := anyCoins(t, hot), anyPayments(t, a)
		fee := chainadapters.Fee{SatPerKVB: rapid.Uint64Range(floorSatPerKVB, 200_000).Draw(t, "rate")}
		chosen, err := a.SelectCoins(coins, payments, fee)
		if err != nil {
			checkPoor(t, a, coins, payments, fee, change, err)
			return
		}
		if !slices.IsSortedFunc(chosen, byOutpoint) {
			t.Fatal("selection is not ordered by outpoint")
		}
		shuffled := rapid.Permutation(coins).Draw(t, "order")
		if again, err := a.SelectCoins(shuffled, payments, fee); err != nil || !slices.Equal(chosen, again) {
			t.Fatalf("the order of the coins changed the selection: %v", err)
		}
		plan := chainadapters.Plan{Payments: payments, Coins: chosen, ChangeTo: change, Fee: fee}
		unsigned, err := a.Build(plan)
		if err != nil {
			t.Fatalf("build what was selected: %v", err)
		}
		checkBalance(t, plan, unsigned)
	})
}

// checkPoor makes sure that a refusal is true: all coins together do not reach
// either, were they to pay a fee for each.
func checkPoor(t *rapid.T, a *Adapter, coins []chainadapters.Coin, payments []chainadapters.Payment, fee chainadapters.Fee, change string, err error) {
	if !errors.Is(err, chainadapters.ErrFunds) {
		t.Fatalf("select coins: %v", err)
	}
	worthwhile := slices.DeleteFunc(slices.Clone(coins), func(c chainadapters.Coin) bool {
		amount, _ := c.Amount.Uint64()
		return amount <= feeFor(inputWeight, fee.SatPerKVB)+1
	})
	if len(worthwhile) == 0 {
		return
	}
	unsigned, err := a.Build(chainadapters.Plan{Payments: payments, Coins: worthwhile, ChangeTo: change, Fee: fee})
	if err == nil && !unsigned.Change.IsZero() {
		t.Fatalf("refused, although %d coins leave change of %s", len(worthwhile), unsigned.Change)
	}
}

func checkBalance(t *rapid.T, plan chainadapters.Plan, unsigned chainadapters.Unsigned) {
	packet, err := psbt.NewFromRawBytes(bytes.NewReader(unsigned.Bytes), false)
	if err != nil {
		t.Fatalf("read PSBT: %v", err)
	}
	var in, out uint64
	for i, input := range packet.Inputs {
		in += uint64(input.WitnessUtxo.Value)
		if packet.UnsignedTx.TxIn[i].PreviousOutPoint.Hash.String() != plan.Coins[i].TxID {
			t.Fatal("inputs are not in the order of the plan's coins")
		}
	}
	for _, o := range packet.UnsignedTx.TxOut {
		out += uint64(o.Value)
		if o.Value < dustSatoshi {
			t.Fatalf("output of %d", o.Value)
		}
	}
	fee, _ := unsigned.MaxFee.Uint64()
	if in != out+fee {
		t.Fatalf("%d in, %d out, fee %d", in, out, fee)
	}
	want := len(plan.Payments)
	if !unsigned.Change.IsZero() {
		want++
	}
	if len(packet.UnsignedTx.TxOut) != want {
		t.Fatalf("%d outputs for %d payments, change %s", len(packet.UnsignedTx.TxOut), len(plan.Payments), unsigned.Change)
	}
	size := signedSize(packet.UnsignedTx)
	if fee*perKVB < size*plan.Fee.SatPerKVB {
		t.Fatalf("fee %d for %d vB at %d sat/kvB", fee, size, plan.Fee.SatPerKVB)
	}
	if most := feeFor(size*perByte, plan.Fee.SatPerKVB) + minChange(dustSatoshi) + feeFor(changeWeight+perByte, plan.Fee.SatPerKVB); fee > most {
		t.Fatalf("fee %d is more than %d", fee, most)
	}
}

// signedSize is the virtual size with signatures at their longest, by btcd's own
// count of bytes.
func signedSize(tx *wire.MsgTx) uint64 {
	signed := tx.Copy()
	for _, in := range signed.TxIn {
		in.Witness = wire.TxWitness{make([]byte, 72), make([]byte, 33)}
	}
	weight := signed.SerializeSizeStripped()*3 + signed.SerializeSize()
	return uint64(weight+3) / 4
}

func TestChangelessSelectionIsPreferred(t *testing.T) {
	a := testAdapter(t)
	hot := keyAddress(t, a, 1)
	fee := chainadapters.Fee{SatPerKVB: 1_000}
	coin := func(n byte, amount uint64) chainadapters.Coin {
		return chainadapters.Coin{
			Outpoint: chainadapters.Outpoint{TxID: hex.EncodeToString(append(make([]byte, 31), n))},
			Amount:   money.FromUint64(amount), Address: hot,
		}
	}
	coins := []chainadapters.Coin{coin(1, 900_000), coin(2, 60_300), coin(3, 40_000)}
	payments := []chainadapters.Payment{{To: keyAddress(t, a, 9), Amount: money.FromUint64(100_000)}}
	chosen, err := a.SelectCoins(coins, payments, fee)
	if err != nil {
		t.Fatal(err)
	}
	if len(chosen) != 2 || chosen[0] != coins[1] || chosen[1] != coins[2] {
		t.Fatalf("selection: %+v", chosen)
	}
	unsigned, err := a.Build(chainadapters.Plan{Payments: payments, Coins: chosen, ChangeTo: hot, Fee: fee})
	if err != nil || !unsigned.Change.IsZero() {
		t.Fatalf("change %s: %v", unsigned.Change, err)
	}
}

func TestRemainderIsNeverLostSilently(t *testing.T) {
	a := testAdapter(t)
	hot := keyAddress(t, a, 1)
	plan := chainadapters.Plan{
		Payments: []chainadapters.Payment{{To: keyAddress(t, a, 9), Amount: money.FromUint64(100_000)}},
		Coins: []chainadapters.Coin{{
			Outpoint: chainadapters.Outpoint{TxID: hex.EncodeToString(make([]byte, 32))}, Amount: money.FromUint64(150_000), Address: hot,
		}},
		Fee: chainadapters.Fee{SatPerKVB: 1_000},
	}
	if _, err := a.Build(plan); !errors.Is(err, chainadapters.ErrPlan) {
		t.Fatalf("49,000 sat without a place to go: %v", err)
	}
	plan.Payments[0].Amount = money.FromUint64(149_800)
	unsigned, err := a.Build(plan)
	if err != nil || unsigned.MaxFee != money.FromUint64(200) {
		t.Fatalf("fee %s: %v", unsigned.MaxFee, err)
	}
}

func FuzzParseAddress(f *testing.F) {
	a := testAdapter(f)
	for _, s := range []string{
		keyAddress(f, a, 3), "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc",
		"bcrt1p", "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y", "1", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		canonical, err := a.ParseAddress(s)
		if err != nil {
			if !errors.Is(err, chainadapters.ErrAddress) || canonical != "" {
				t.Fatalf("%q: %q, %v", s, canonical, err)
			}
			return
		}
		script, err := a.params.Script(s)
		if err != nil {
			t.Fatal(err)
		}
		if class := txscript.GetScriptClass(script); class == txscript.NonStandardTy {
			t.Fatalf("%q pays to %x", s, script)
		}
		if again, err := a.ParseAddress(canonical); err != nil || again != canonical {
			t.Fatalf("%q is canonical, yet: %q, %v", canonical, again, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	a := testAdapter(f)
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 1}, nil, [][]byte{make([]byte, 72), make([]byte, 33)}))
	tx.AddTxOut(wire.NewTxOut(1_000, network.KeyScript(make([]byte, 33))))
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		f.Fatal(err)
	}
	f.Add(raw.Bytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		signed, err := a.Decode(raw)
		if err != nil {
			return
		}
		if len(signed.TxID) != 64 || len(signed.Spends) == 0 || len(signed.Payments) == 0 {
			t.Fatalf("decoded %x as %+v", raw, signed)
		}
		if _, err := a.Decode(append(slices.Clone(raw), 0)); err == nil {
			t.Fatal("a trailing byte was accepted")
		}
	})
}
