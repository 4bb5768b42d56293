package safe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters/evm/safe"
	"strongroom/contracts"
)

func TestCallsThatAreNone(t *testing.T) {
	f := example(t)
	call := must[[]byte](t)(f.ExecCalldata())
	if _, err := f.Vault.CheckExec(call, f.Tx.Nonce); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing": nil, "a selector": call[:4], "cut off": call[:len(call)-1], "more behind": append(bytes.Clone(call), 0),
		"another function": append([]byte{1}, call[1:]...), "too large": make([]byte, safe.MaxCall+1),
	} {
		if _, _, err := safe.ParseExec(text); !errors.Is(err, safe.ErrCall) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Vault.CheckExec(call, f.Tx.Nonce+1); !errors.Is(err, safe.ErrSignature) {
		t.Errorf("another nonce: %v", err)
	}
	other := f.Vault
	other.Threshold = 3
	if _, err := other.CheckExec(call, f.Tx.Nonce); !errors.Is(err, safe.ErrIncomplete) {
		t.Errorf("another threshold: %v", err)
	}
	other = f.Vault
	other.Owners = slices.Delete(slices.Clone(f.Vault.Owners), 0, 1)
	if _, err := other.CheckExec(call, f.Tx.Nonce); !errors.Is(err, safe.ErrSignature) {
		t.Errorf("other owners: %v", err)
	}
}

// Signatures count by owner, ascending, each once.
func TestOrderOfSignaturesInACall(t *testing.T) {
	f := example(t)
	first, second := f.Signatures[0].Bytes[:], f.Signatures[1].Bytes[:]
	for name, c := range map[string]struct {
		signatures [][]byte
		says       string
		want       error
	}{
		"in order":                {[][]byte{first, second}, "", nil},
		"out of order":            {[][]byte{second, first}, "signature 2 is out of order", safe.ErrSignature},
		"one twice":               {[][]byte{first, first}, "signature 2 is out of order", safe.ErrSignature},
		"a third":                 {[][]byte{first, second, second}, "3 signatures, and it takes 2", safe.ErrIncomplete},
		"one":                     {[][]byte{first}, "1 signatures, and it takes 2", safe.ErrIncomplete},
		"none":                    {nil, "0 bytes of signatures", safe.ErrCall},
		"half of one":             {[][]byte{first, second[:32]}, "97 bytes of signatures", safe.ErrCall},
		"of nobody":               {[][]byte{first, make([]byte, safe.SignatureBytes)}, "signature 2: ", safe.ErrSignature},
		"as many as there can be": {slices.Repeat([][]byte{first}, safe.MaxOwners), "16 signatures, and it takes 2", safe.ErrIncomplete},
		"more than there can be":  {slices.Repeat([][]byte{first}, safe.MaxOwners+1), "1105 bytes of signatures", safe.ErrCall},
	} {
		call := packed(t, "Safe", "execTransaction", f.Tx.To, new(big.Int), f.Tx.Data, f.Tx.Operation, new(big.Int), new(big.Int), new(big.Int),
			common.Address{}, common.Address{}, bytes.Join(c.signatures, nil))
		if _, err := f.Vault.CheckExec(call, f.Tx.Nonce); !errors.Is(err, c.want) || c.want != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// packed encodes by the ABI that was published, which this package does not use.
func packed(t *testing.T, contract, method string, args ...any) []byte {
	t.Helper()
	artifact := must[contracts.Artifact](t)(contracts.Safe(contract))
	parsed := must[abi.ABI](t)(abi.JSON(bytes.NewReader(artifact.ABI)))
	return must[[]byte](t)(parsed.Pack(method, args...))
}

// Calls are what the contracts' own ABI makes, whatever the length of what is in them.
func TestCallsAreOfThePublishedABI(t *testing.T) {
	keys := keysOf(3)
	for length := range 100 {
		tx := safe.Tx{
			To: named("to"), Value: wei(5), Data: bytes.Repeat([]byte{7}, length), SafeTxGas: wei(1), BaseGas: wei(2), GasPrice: wei(3),
			GasToken: named("gas"), RefundReceiver: named("refund"), Nonce: 9,
		}
		f := signed(t, safe.File{Vault: vaultOf(2, keys...), Tx: tx}, keys[0], keys[1])
		want := packed(t, "Safe", "execTransaction", tx.To, tx.Value, tx.Data, tx.Operation, tx.SafeTxGas, tx.BaseGas, tx.GasPrice,
			tx.GasToken, tx.RefundReceiver, append(bytes.Clone(f.Signatures[0].Bytes[:]), f.Signatures[1].Bytes[:]...))
		if got := must[[]byte](t)(f.ExecCalldata()); !bytes.Equal(got, want) {
			t.Fatalf("%d bytes of data: %x", length, got)
		}
		batch := must[safe.Tx](t)(safe.Batch(safe.Canonical(), safe.Tx{To: tx.To, Value: tx.Value, Data: tx.Data}))
		inner := append([]byte{0}, tx.To[:]...)
		inner = append(append(inner, make([]byte, 31)...), 5)
		inner = append(append(append(inner, make([]byte, 31)...), byte(length)), tx.Data...)
		if want := packed(t, "MultiSendCallOnly", "multiSend", inner); !bytes.Equal(batch.Data, want) {
			t.Fatalf("a batch with %d bytes of data: %x", length, batch.Data)
		}
	}
}

// Places and lengths beyond the end are errors, each of them.
func TestPlacesBeyondTheEnd(t *testing.T) {
	f := example(t)
	call := must[[]byte](t)(f.ExecCalldata())
	batch := payments(t)["batch"]
	for place := range uint64(1200) {
		for _, word := range []int{2, 9, 10, 14} {
			other := bytes.Clone(call)
			binary.BigEndian.PutUint64(other[4+word*32+24:], place)
			// Data that says to be longer by zeros that fill its word is other data.
			tx, _, err := safe.ParseExec(other)
			if longer := word == 10 && err == nil && uint64(len(tx.Data)) == place; (err == nil) != bytes.Equal(other, call) && !longer {
				t.Fatalf("word %d is %d: %v", word, place, err)
			}
		}
		for _, at := range []int{4 + 24, 4 + 32 + 24, 4 + 64 + 21 + 32 + 24} {
			other := batch
			other.Data = bytes.Clone(batch.Data)
			binary.BigEndian.PutUint64(other.Data[at:], place)
			if _, err := safe.Decode(f.Vault, other, known()); (err == nil) != bytes.Equal(other.Data, batch.Data) {
				t.Fatalf("%d at %d of a batch: %v", place, at, err)
			}
		}
	}
}

// No bit of the call that is sent can be another one.
func TestNoBitOfACallCanBeAnother(t *testing.T) {
	f := example(t)
	call := must[[]byte](t)(f.ExecCalldata())
	for bit := range len(call) * 8 {
		other := bytes.Clone(call)
		other[bit/8] ^= 1 << (bit % 8)
		if _, err := f.Vault.CheckExec(other, f.Tx.Nonce); err == nil {
			t.Errorf("bit %d does not count", bit)
		}
	}
}
