package safe

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

const execSignature = "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"

// Words of execTransaction before what has a length, and which of them name such a place.
const (
	execWords      = 10
	execData       = 2
	execSignatures = 9
)

// MaxCall bounds the calldata of execTransaction, in bytes.
const MaxCall = MaxData + MaxOwners*SignatureBytes + 64*wordBytes

// SignatureBytes is the length of an owner's signature: r, s, v.
const SignatureBytes = 65

// encodeExec is the call that executes a transaction.
func encodeExec(t Tx, signatures []byte) []byte {
	second := (execWords+1)*wordBytes + len(padded(t.Data))
	return join(
		selector(execSignature), addressWord(t.To), numberWord(t.Value), countWord(execWords*wordBytes),
		countWord(t.Operation), numberWord(t.SafeTxGas), numberWord(t.BaseGas), numberWord(t.GasPrice),
		addressWord(t.GasToken), addressWord(t.RefundReceiver), countWord(second),
		countWord(len(t.Data)), padded(t.Data), countWord(len(signatures)), padded(signatures),
	)
}

// ParseExec reads execTransaction in the one form that ExecCalldata makes: plain
// signatures of keys, one after another, nothing behind them. The nonce is not in the
// call: it is zero in the answer. Errors: ErrCall.
func ParseExec(calldata []byte) (Tx, [][SignatureBytes]byte, error) {
	fault := func(what string) (Tx, [][SignatureBytes]byte, error) {
		return Tx{}, nil, fmt.Errorf("%w: %s", ErrCall, what)
	}
	if len(calldata) > MaxCall || len(calldata) < selectorBytes+execWords*wordBytes {
		return fault(fmt.Sprintf("%d bytes", len(calldata)))
	}
	if !bytes.Equal(calldata[:selectorBytes], selector(execSignature)) {
		return fault("another function")
	}
	words := calldata[selectorBytes:]
	data, hasData := bytesAt(words, execData)
	signed, hasSigned := bytesAt(words, execSignatures)
	operation, ok := small(wordAt(words, 3), DelegateCall)
	if !hasData || !hasSigned || !ok {
		return fault("its parts are not where it says")
	}
	t := Tx{
		To: addressAt(words, 0), Value: numberAt(words, 1), Data: bytes.Clone(data), Operation: uint8(operation), //nolint:gosec // 0 or 1
		SafeTxGas: numberAt(words, 4), BaseGas: numberAt(words, 5), GasPrice: numberAt(words, 6),
		GasToken: addressAt(words, 7), RefundReceiver: addressAt(words, 8),
	}
	if !bytes.Equal(encodeExec(t, signed), calldata) {
		return fault("not in canonical form")
	}
	if len(signed) == 0 || len(signed)%SignatureBytes != 0 || len(signed) > MaxOwners*SignatureBytes {
		return fault(fmt.Sprintf("%d bytes of signatures", len(signed)))
	}
	var signatures [][SignatureBytes]byte
	for ; len(signed) > 0; signed = signed[SignatureBytes:] {
		signatures = append(signatures, [SignatureBytes]byte(signed))
	}
	return t, signatures, nil
}

// CheckExec reads the call that executes the vault's transaction with a nonce, and makes
// sure that it carries exactly the signatures that it takes, as ExecCalldata puts them.
// Errors: ErrCall, ErrSignature, ErrIncomplete.
func (v Vault) CheckExec(calldata []byte, nonce uint64) (Tx, error) {
	t, signatures, err := ParseExec(calldata)
	if err != nil {
		return Tx{}, err
	}
	t.Nonce = nonce
	if len(signatures) != v.Threshold {
		return Tx{}, fmt.Errorf("%w: %d signatures, and it takes %d", ErrIncomplete, len(signatures), v.Threshold)
	}
	hash := v.Hash(t)
	var last common.Address
	for i, signature := range signatures {
		owner, err := v.Signer(hash, signature)
		if err != nil {
			return Tx{}, fmt.Errorf("signature %d: %w", i+1, err)
		}
		if i > 0 && owner.Cmp(last) <= 0 {
			return Tx{}, fmt.Errorf("%w: signature %d is out of order", ErrSignature, i+1)
		}
		last = owner
	}
	return t, nil
}

// Recovery values of a plain signature of a key; others mean that a contract is asked, that
// the sender counts as an owner, or that another text was signed.
const (
	recoverBase = 27
	recoverLast = 28
)

// Signer returns the owner whose signature it is. Only plain signatures of keys over the
// hash itself count, in the lower of their two forms. Errors: ErrSignature.
func (v Vault) Signer(hash common.Hash, signature [SignatureBytes]byte) (common.Address, error) {
	kind := signature[SignatureBytes-1]
	if kind != recoverBase && kind != recoverLast {
		return common.Address{}, fmt.Errorf("%w: of a kind (v = %d) that is not a key's over this hash", ErrSignature, kind)
	}
	plain := signature
	plain[SignatureBytes-1] -= recoverBase
	r, s := numberAt(plain[:], 0), numberAt(plain[:], 1)
	if !crypto.ValidateSignatureValues(plain[SignatureBytes-1], r, s, true) {
		return common.Address{}, fmt.Errorf("%w: not in its lower form", ErrSignature)
	}
	public, err := crypto.SigToPub(hash[:], plain[:])
	if err != nil {
		return common.Address{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	signer := crypto.PubkeyToAddress(*public)
	for _, owner := range v.Owners {
		if owner == signer {
			return owner, nil
		}
	}
	return common.Address{}, fmt.Errorf("%w: what it recovers to, %s, is no owner; or it is over another transaction", ErrSignature, signer)
}
