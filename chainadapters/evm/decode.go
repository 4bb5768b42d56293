package evm

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"strongroom/chainadapters"
	"strongroom/money"
)

// ErrTransaction reports bytes that are no signed EIP-1559 payment on this chain.
var ErrTransaction = errors.New("not a signed EIP-1559 payment of this chain")

// transferSelector is the first four bytes of
// keccak256("transfer(address,uint256)"), ERC-20.
const transferSelector = "\xa9\x05\x9c\xbb"

// transferLength is selector, recipient, amount.
const transferLength = len(transferSelector) + 2*wordLength

// maxRawBytes is the pool's own bound on a transaction in geth.
const maxRawBytes = 128 << 10

// Decode reads a raw signed transaction as Build makes them: type 2, this chain
// id, empty access list, a native payment or an ERC-20 transfer, of the sender or of a
// Safe by a call that its owners signed. The sender is
// recovered from the signature. Everything else is ErrTransaction.
func (a *Adapter) Decode(raw []byte) (chainadapters.Signed, error) {
	tx, from, err := a.decode(raw)
	if err != nil {
		return chainadapters.Signed{}, err
	}
	payment, err := paymentOf(tx)
	if err != nil {
		return chainadapters.Signed{}, err
	}
	id := hashText(tx.Hash())
	return chainadapters.Signed{
		TxID:     id,
		Payments: []chainadapters.Payment{payment},
		Spends:   []chainadapters.Spend{{TxID: id, From: from.Hex(), Nonce: tx.Nonce()}},
	}, nil
}

func (a *Adapter) decode(raw []byte) (*types.Transaction, common.Address, error) {
	if len(raw) == 0 || len(raw) > maxRawBytes || raw[0] != types.DynamicFeeTxType {
		return nil, common.Address{}, fmt.Errorf("%w: type or length", ErrTransaction)
	}
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(raw); err != nil {
		return nil, common.Address{}, fmt.Errorf("%w: %w", ErrTransaction, err)
	}
	// One transaction has one encoding: its id is the hash of these very bytes.
	if again, err := tx.MarshalBinary(); err != nil || !bytes.Equal(again, raw) {
		return nil, common.Address{}, fmt.Errorf("%w: encoding is not canonical", ErrTransaction)
	}
	if tx.ChainId().Cmp(a.chainID) != 0 {
		return nil, common.Address{}, fmt.Errorf("%w: chain id %s", ErrTransaction, tx.ChainId())
	}
	from, err := types.Sender(types.NewLondonSigner(a.chainID), tx)
	if err != nil {
		return nil, common.Address{}, fmt.Errorf("%w: signature: %w", ErrTransaction, err)
	}
	return tx, from, nil
}

func paymentOf(tx *types.Transaction) (chainadapters.Payment, error) {
	if tx.To() == nil || len(tx.AccessList()) != 0 {
		return chainadapters.Payment{}, fmt.Errorf("%w: creates a contract or has an access list", ErrTransaction)
	}
	value, err := money.FromBig(tx.Value())
	if err != nil {
		return chainadapters.Payment{}, fmt.Errorf("%w: value: %w", ErrTransaction, err)
	}
	if len(tx.Data()) == 0 {
		return chainadapters.Payment{To: tx.To().Hex(), Amount: value}, nil
	}
	if isExec(tx.Data()) && value.IsZero() {
		payment, _, err := vaultPayment(*tx.To(), tx.Data())
		if err != nil {
			return payment, fmt.Errorf("%w: %w", ErrTransaction, err)
		}
		return payment, nil
	}
	to, amount, ok := parseTransfer(tx.Data())
	if !ok || !value.IsZero() {
		return chainadapters.Payment{}, fmt.Errorf("%w: a call that is no transfer", ErrTransaction)
	}
	return chainadapters.Payment{To: to.Hex(), Contract: tx.To().Hex(), Amount: amount}, nil
}

// transferData is the call data of an ERC-20 transfer.
func transferData(to common.Address, amount money.Units) []byte {
	data := make([]byte, 0, transferLength)
	data = append(data, transferSelector...)
	data = append(data, common.LeftPadBytes(to.Bytes(), wordLength)...)
	word := amount.Bytes32()
	return append(data, word[:]...)
}

// parseTransfer is the inverse of transferData; it takes nothing else.
func parseTransfer(data []byte) (common.Address, money.Units, bool) {
	if len(data) != transferLength || string(data[:len(transferSelector)]) != transferSelector {
		return common.Address{}, money.Units{}, false
	}
	words := data[len(transferSelector):]
	to := common.BytesToAddress(words[:wordLength])
	amount := money.FromBytes32([wordLength]byte(words[wordLength:]))
	if !bytes.Equal(transferData(to, amount), data) {
		return common.Address{}, money.Units{}, false
	}
	return to, amount, true
}
