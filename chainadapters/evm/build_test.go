package evm_test

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"pgregory.net/rapid"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm"
	"strongroom/money"
)

var londonSigner = types.NewLondonSigner(big.NewInt(31337))

func key(tb interface{ Fatal(args ...any) }, seed byte) *ecdsa.PrivateKey {
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte{seed}))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func addressGen() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return common.BytesToAddress(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "address")).Hex()
	})
}

func unitsGen() *rapid.Generator[money.Units] {
	return rapid.Custom(func(t *rapid.T) money.Units {
		var word [32]byte
		n := rapid.IntRange(1, 32).Draw(t, "bytes")
		copy(word[32-n:], rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "units"))
		return money.FromBytes32(word)
	})
}

func planGen(sender string) *rapid.Generator[chainadapters.Plan] {
	return rapid.Custom(func(t *rapid.T) chainadapters.Plan {
		tip := rapid.Uint64().Draw(t, "tip")
		feeCap, err := money.FromUint64(tip).Add(money.FromUint64(rapid.Uint64Min(1).Draw(t, "above tip")))
		if err != nil {
			t.Fatal(err)
		}
		pay := chainadapters.Payment{To: addressGen().Draw(t, "to"), Amount: unitsGen().Filter(func(u money.Units) bool { return !u.IsZero() }).Draw(t, "amount")}
		if rapid.Bool().Draw(t, "token") {
			pay.Contract = addressGen().Draw(t, "contract")
		}
		return chainadapters.Plan{
			Payments: []chainadapters.Payment{pay},
			Slot:     &chainadapters.Slot{From: sender, Nonce: rapid.Uint64().Draw(t, "nonce")},
			Fee:      chainadapters.Fee{GasLimit: rapid.Uint64Min(21_000).Draw(t, "gas"), TipCap: money.FromUint64(tip), FeeCap: feeCap},
		}
	})
}

// sign puts a plan's transaction together the way go-ethereum does, from its
// parts, and signs what Build returned: both must agree on the hash.
func sign(t *rapid.T, k *ecdsa.PrivateKey, plan chainadapters.Plan, unsigned []byte) []byte {
	pay := plan.Payments[0]
	inner := &types.DynamicFeeTx{
		ChainID: big.NewInt(31337), Nonce: plan.Slot.Nonce, GasTipCap: plan.Fee.TipCap.Big(), GasFeeCap: plan.Fee.FeeCap.Big(),
		Gas: plan.Fee.GasLimit, Value: pay.Amount.Big(),
	}
	recipient := common.HexToAddress(pay.To)
	inner.To = &recipient
	if pay.Contract != "" {
		contract := common.HexToAddress(pay.Contract)
		inner.To, inner.Value = &contract, new(big.Int)
		inner.Data = slices.Concat(crypto.Keccak256([]byte("transfer(address,uint256)"))[:4], common.LeftPadBytes(recipient.Bytes(), 32), common.LeftPadBytes(pay.Amount.Big().Bytes(), 32))
	}
	tx := types.NewTx(inner)
	if londonSigner.Hash(tx) != crypto.Keccak256Hash(unsigned) {
		t.Fatalf("payload of %+v hashes otherwise", plan)
	}
	signature, err := crypto.Sign(crypto.Keccak256(unsigned), k)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := tx.WithSignature(londonSigner, signature)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestBuildAndDecodeAreInverse(t *testing.T) {
	a := openURL(t, "http://127.0.0.1:1")
	k := key(t, 1)
	sender := crypto.PubkeyToAddress(k.PublicKey).Hex()
	rapid.Check(t, func(t *rapid.T) {
		plan := planGen(sender).Draw(t, "plan")
		unsigned, err := a.Build(plan)
		if err != nil {
			t.Fatal(err)
		}
		again, err := a.Build(plan)
		if err != nil || !slices.Equal(again.Bytes, unsigned.Bytes) {
			t.Fatal("build is not pure")
		}
		if want, err := plan.Fee.FeeCap.Mul(plan.Fee.GasLimit); err != nil || unsigned.MaxFee != want || !unsigned.Change.IsZero() {
			t.Fatalf("max fee: got %s, want %s, %v", unsigned.MaxFee, want, err)
		}
		raw := sign(t, k, plan, unsigned.Bytes)
		got, err := a.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		want := chainadapters.Spend{TxID: crypto.Keccak256Hash(raw).Hex(), From: sender, Nonce: plan.Slot.Nonce}
		if got.TxID != want.TxID || !slices.Equal(got.Payments, plan.Payments) || !slices.Equal(got.Spends, []chainadapters.Spend{want}) {
			t.Fatalf("decoded %+v from %+v", got, plan)
		}
	})
}

func TestCancelIsASelfSendOfNothing(t *testing.T) {
	a := openURL(t, "http://127.0.0.1:1")
	fee := chainadapters.Fee{GasLimit: 21_000, FeeCap: money.FromUint64(1)}
	plan := chainadapters.Plan{Slot: &chainadapters.Slot{From: from}, Payments: []chainadapters.Payment{{To: from}}, Fee: fee}
	if _, err := a.Build(plan); err != nil {
		t.Fatalf("cancel: %v", err)
	}
	plan.Payments[0].Contract = token
	if _, err := a.Build(plan); !errors.Is(err, chainadapters.ErrPlan) {
		t.Fatalf("transfer of no tokens: got %v, want ErrPlan", err)
	}
}

func TestBuildRefuses(t *testing.T) {
	a := openURL(t, "http://127.0.0.1:1")
	huge, err := money.FromBig(new(big.Int).Lsh(big.NewInt(1), 255))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*chainadapters.Plan){
		"sender without checksum": func(p *chainadapters.Plan) { p.Slot.From = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed" },
		"contract malformed":      func(p *chainadapters.Plan) { p.Payments[0].Contract = "TUSD" },
		"two payments":            func(p *chainadapters.Plan) { p.Payments = append(p.Payments, p.Payments[0]) },
		"change address":          func(p *chainadapters.Plan) { p.ChangeTo = from },
		"little gas":              func(p *chainadapters.Plan) { p.Fee.GasLimit = 20_999 },
		"tip above cap":           func(p *chainadapters.Plan) { p.Fee.TipCap = money.FromUint64(3) },
		"rate by size":            func(p *chainadapters.Plan) { p.Fee.SatPerKVB = 1 },
		"fee beyond 256 bits":     func(p *chainadapters.Plan) { p.Fee.FeeCap = huge },
	} {
		plan := chainadapters.Plan{
			Slot:     &chainadapters.Slot{From: from},
			Payments: []chainadapters.Payment{{To: to, Amount: money.FromUint64(1)}},
			Fee:      chainadapters.Fee{GasLimit: 21_000, TipCap: money.FromUint64(1), FeeCap: money.FromUint64(2)},
		}
		change(&plan)
		if _, err := a.Build(plan); !errors.Is(err, chainadapters.ErrPlan) {
			t.Errorf("%s: got %v, want ErrPlan", name, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	a := openURL(t, "http://127.0.0.1:1")
	recipient := common.HexToAddress(to)
	dynamic := func(change func(*types.DynamicFeeTx)) types.TxData {
		tx := &types.DynamicFeeTx{ChainID: big.NewInt(31337), Gas: 21_000, GasFeeCap: big.NewInt(1), To: &recipient, Value: big.NewInt(5)}
		change(tx)
		return tx
	}
	for name, inner := range map[string]types.TxData{
		"legacy":             &types.LegacyTx{Gas: 21_000, GasPrice: big.NewInt(1), To: &recipient, Value: big.NewInt(5)},
		"access list type":   &types.AccessListTx{ChainID: big.NewInt(31337), Gas: 21_000, GasPrice: big.NewInt(1), To: &recipient},
		"another chain":      dynamic(func(tx *types.DynamicFeeTx) { tx.ChainID = big.NewInt(1) }),
		"contract creation":  dynamic(func(tx *types.DynamicFeeTx) { tx.To = nil }),
		"access list":        dynamic(func(tx *types.DynamicFeeTx) { tx.AccessList = types.AccessList{{Address: recipient}} }),
		"some call":          dynamic(func(tx *types.DynamicFeeTx) { tx.Value, tx.Data = new(big.Int), []byte{1, 2, 3, 4} }),
		"transfer and value": dynamic(func(tx *types.DynamicFeeTx) { tx.Data = append([]byte{0xa9, 0x05, 0x9c, 0xbb}, make([]byte, 64)...) }),
		"dirty recipient": dynamic(func(tx *types.DynamicFeeTx) {
			tx.Value, tx.Data = new(big.Int), append([]byte{0xa9, 0x05, 0x9c, 0xbb, 1}, make([]byte, 63)...)
		}),
	} {
		signed, err := types.SignNewTx(key(t, 1), types.LatestSignerForChainID(inner2chain(inner)), inner)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		raw, err := signed.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Decode(raw); !errors.Is(err, evm.ErrTransaction) {
			t.Errorf("%s: got %+v, %v, want ErrTransaction", name, got, err)
		}
	}
}

func inner2chain(inner types.TxData) *big.Int {
	if id := types.NewTx(inner).ChainId(); id.Sign() > 0 {
		return id
	}
	return big.NewInt(31337)
}
