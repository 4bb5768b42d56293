package safe_test

import (
	"bytes"
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"strongroom/chainadapters/evm/safe"
)

// same reports whether two transactions are one, up to how zero is written.
func same(v safe.Vault, a, b safe.Tx) bool { return v.Hash(a) == v.Hash(b) }

// Whatever is changed in a transaction that is a payment, either it is refused or its words
// change: nobody can be shown one thing and sign another.
func TestNoMutationHasTheSameEffect(t *testing.T) {
	v := vaultOf(2, keysOf(3)...)
	for name, tx := range payments(t) {
		want := must[safe.Effect](t)(safe.Decode(v, tx, known())).String()
		tried, taken := 0, 0
		rapid.Check(t, func(r *rapid.T) {
			other := mutated(r, tx)
			if same(v, other, tx) {
				return
			}
			tried++
			e, err := safe.Decode(v, other, known())
			if err != nil {
				return
			}
			taken++
			if e.String() == want {
				r.Fatalf("%s: %+v has the effect of %+v", name, other, tx)
			}
		})
		if tried == 0 || taken == 0 {
			t.Errorf("%s: %d tried, %d taken: mutations should be of both kinds", name, tried, taken)
		}
	}
}

// Every bit of the data counts.
func TestEveryBitOfDataCounts(t *testing.T) {
	v := vaultOf(2, keysOf(3)...)
	for name, tx := range payments(t) {
		want := must[safe.Effect](t)(safe.Decode(v, tx, known())).String()
		for bit := range len(tx.Data) * 8 {
			other := tx
			other.Data = bytes.Clone(tx.Data)
			other.Data[bit/8] ^= 1 << (bit % 8)
			if e, err := safe.Decode(v, other, known()); err == nil && e.String() == want {
				t.Errorf("%s: bit %d does not count", name, bit)
			}
		}
	}
}

func mutated(r *rapid.T, tx safe.Tx) safe.Tx {
	tx.Data = bytes.Clone(tx.Data)
	number := func(label string) *big.Int {
		return new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(r, label))
	}
	for i := range rapid.IntRange(1, 3).Draw(r, "changes") {
		label := fmt.Sprintf("change %d", i)
		switch rapid.IntRange(0, 10).Draw(r, label) {
		case 0:
			tx.To[rapid.IntRange(0, 19).Draw(r, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
		case 1:
			tx.Value = number(label)
		case 2, 3, 4:
			if n := len(tx.Data); n > 0 {
				tx.Data[rapid.IntRange(0, n-1).Draw(r, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
			}
		case 5:
			tx.Data = append(tx.Data, rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(r, label)...)
		case 6:
			tx.Data = tx.Data[:rapid.IntRange(0, len(tx.Data)).Draw(r, "length")]
		case 7:
			tx.Operation = rapid.Byte().Draw(r, label)
		case 8:
			tx.SafeTxGas, tx.BaseGas = number(label), number(label)
		case 9:
			tx.GasPrice, tx.RefundReceiver = number(label), named(label)
		default:
			tx.Nonce = rapid.Uint64().Draw(r, label)
		}
	}
	return tx
}
