package safe

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

// multiSendCall runs several calls as one: all of them, or none.
const multiSendCall = "multiSend(bytes)"

// MaxBatch bounds how many calls a batch has.
const MaxBatch = 64

// innerHead is before the data of each call in a batch: operation, address, value, length.
const innerHead = 1 + common.AddressLength + 2*wordBytes

// Batch makes one transaction out of several plain calls, which takes the vault's signers
// once and runs them all or none. The nonce is the first one's; the others' are not looked
// at. Errors: ErrRefused where there are none or too many, or one of them is no plain call.
func Batch(set Set, calls ...Tx) (Tx, error) {
	if len(calls) == 0 || len(calls) > MaxBatch {
		return Tx{}, fmt.Errorf("%w: %d calls in a batch, 1 to %d can be", ErrRefused, len(calls), MaxBatch)
	}
	for i, call := range calls {
		if err := checkPlain(call); err != nil {
			return Tx{}, fmt.Errorf("call %d: %w", i+1, err)
		}
		if call.Operation != Call {
			return Tx{}, fmt.Errorf("%w: call %d is delegated", ErrRefused, i+1)
		}
	}
	t := Tx{To: set.MultiSend, Data: encodeBatch(calls), Operation: DelegateCall, Nonce: calls[0].Nonce}
	return t, t.check()
}

func encodeBatch(calls []Tx) []byte {
	var inner []byte
	for _, call := range calls {
		inner = append(inner, join([]byte{call.Operation}, call.To[:], numberWord(call.Value), countWord(len(call.Data)), call.Data)...)
	}
	return join(selector(multiSendCall), countWord(wordBytes), countWord(len(inner)), padded(inner))
}

// parseBatch reads a batch in the one form that encodeBatch has. Errors: ErrRefused.
func parseBatch(data []byte) ([]Tx, error) {
	fault := func(what string) ([]Tx, error) { return nil, fmt.Errorf("%w: batch: %s", ErrRefused, what) }
	if len(data) < selectorBytes+2*wordBytes || !bytes.Equal(data[:selectorBytes], selector(multiSendCall)) {
		return fault("another function than " + multiSendCall)
	}
	rest, ok := bytesAt(data[selectorBytes:], 0)
	if !ok {
		return fault("its calls are not where it says")
	}
	var calls []Tx
	for len(rest) > 0 {
		if len(calls) == MaxBatch {
			return fault(fmt.Sprintf("more than %d calls", MaxBatch))
		}
		if len(rest) < innerHead {
			return fault("a call is cut off")
		}
		amount := rest[1+common.AddressLength : innerHead]
		length, ok := small(wordAt(amount, 1), len(rest)-innerHead)
		if !ok {
			return fault("a call's data is cut off")
		}
		calls = append(calls, Tx{
			Operation: rest[0], To: common.BytesToAddress(rest[1 : 1+common.AddressLength]),
			Value: numberAt(amount, 0), Data: bytes.Clone(rest[innerHead : innerHead+length]),
		})
		rest = rest[innerHead+length:]
	}
	if len(calls) == 0 {
		return fault("no call in it")
	}
	if !bytes.Equal(encodeBatch(calls), data) {
		return fault("not in canonical form")
	}
	return calls, nil
}
