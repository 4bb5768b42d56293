package signer

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/money"
)

// Constants of a Safe's execTransaction(to, value, data, operation, safeTxGas, baseGas,
// gasPrice, gasToken, refundReceiver, signatures), and of what its owners sign with.
const (
	execSelector   = "6a761202"
	execWords      = 10 // before the two that have a length
	execDataWord   = 2
	execSignedWord = 9
	maxExecBytes   = 8 << 10
	ownerSignature = 65 // r, s, v
	maxOwners      = 16
)

// checkRefill compares the call of a Safe with the intent: it is execTransaction and nothing
// else, by which the Safe pays what is meant to the hot wallet. The call is not delegated,
// nobody is paid for gas, and with no gas of its own whatever fails is undone as a whole.
// That the Safe is the house's, council says; that its owners have signed, the Safe itself.
func checkRefill(o order, p evmPayload, hot common.Address) error {
	if p.Value.Sign() != 0 {
		return fmt.Errorf("%w: the call of a vault carries %s of value", ErrInvalid, p.Value)
	}
	inner, signatures, err := decodeExec(p.Data)
	if err != nil {
		return err
	}
	if err := checkSignatures(signatures); err != nil {
		return err
	}
	// What the vault does is checked as if the hot wallet did it itself.
	return checkTransfer(o, inner, hot)
}

// decodeExec reads the call in the one form that it has where operation, gas and refund are
// zero; anything else is refused.
func decodeExec(call []byte) (inner evmPayload, signatures []byte, err error) {
	fault := func(what string) (evmPayload, []byte, error) {
		return evmPayload{}, nil, fmt.Errorf("%w: not the call of a vault: %s", ErrInvalid, what)
	}
	if len(call) > maxExecBytes || len(call) < len(execSelector)/2+execWords*wordSize || hex.EncodeToString(call[:4]) != execSelector {
		return fault("another function, or its length")
	}
	words := call[4:]
	word := func(n int) []byte { return words[n*wordSize : (n+1)*wordSize] }
	data, ok := execBytes(words, word(execDataWord))
	signatures, whole := execBytes(words, word(execSignedWord))
	if !ok || !whole {
		return fault("its parts")
	}
	inner = evmPayload{To: common.BytesToAddress(word(0)), Value: new(big.Int).SetBytes(word(1)), Data: data}
	value, err := money.FromBig(inner.Value)
	if err != nil {
		return fault("its value")
	}
	if !bytes.Equal(execCall(inner.To, value, data, signatures), call) {
		return fault("it is delegated, has gas or a refund of its own, or is not in canonical form")
	}
	return inner, signatures, nil
}

// execBytes reads the bytes that a word points at, counted from the first word.
func execBytes(words, at []byte) ([]byte, bool) {
	length := uint64(len(words))
	start, small := smallWord(at, length)
	if !small || start+wordSize > length {
		return nil, false
	}
	n, small := smallWord(words[start:start+wordSize], length)
	if !small || start+wordSize+n > length {
		return nil, false
	}
	return words[start+wordSize : start+wordSize+n], true
}

func smallWord(word []byte, most uint64) (uint64, bool) {
	n := binary.BigEndian.Uint64(word[wordSize-8:])
	return n, n <= most && len(bytes.Trim(word[:wordSize-8], "\x00")) == 0
}

// execCall is the calldata of a Safe's transaction that is a plain call, by whoever sends it.
func execCall(to common.Address, value money.Units, data, signatures []byte) []byte {
	number := func(n int) []byte { return binary.BigEndian.AppendUint64(make([]byte, wordSize-8), uint64(n)) } //nolint:gosec // a length
	padded := func(b []byte) []byte {
		return append(bytes.Clone(b), make([]byte, (wordSize-len(b)%wordSize)%wordSize)...)
	}
	call, _ := hex.DecodeString(execSelector)
	units := value.Bytes32()
	first := execWords * wordSize
	second := first + wordSize + len(padded(data))
	call = append(append(append(call, common.LeftPadBytes(to[:], wordSize)...), units[:]...), number(first)...)
	call = append(call, make([]byte, 6*wordSize)...) // operation, safeTxGas, baseGas, gasPrice, gasToken, refundReceiver
	call = append(append(append(call, number(second)...), number(len(data))...), padded(data)...)
	return append(append(call, number(len(signatures))...), padded(signatures)...)
}

// checkSignatures insists on plain signatures of owners: no contract is asked, and nobody
// counts as having signed because of who sends the call.
func checkSignatures(signatures []byte) error {
	n := len(signatures) / ownerSignature
	if len(signatures)%ownerSignature != 0 || n < 1 || n > maxOwners {
		return fmt.Errorf("%w: %d bytes of owners' signatures", ErrInvalid, len(signatures))
	}
	for ; len(signatures) > 0; signatures = signatures[ownerSignature:] {
		if v := signatures[ownerSignature-1]; v != compactHeader && v != compactHeader+1 {
			return fmt.Errorf("%w: a signature of a kind that is not an owner's key's", ErrInvalid)
		}
	}
	return nil
}
