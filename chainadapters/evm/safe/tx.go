package safe

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Operations of a Safe's transaction.
const (
	Call         = 0
	DelegateCall = 1 // runs foreign code as the vault: only batches do
)

// MaxData bounds the calldata of a transaction, in bytes.
const MaxData = 64 << 10

const maxBits = 256

// What owners sign (EIP-712).
const (
	domainType = "EIP712Domain(uint256 chainId,address verifyingContract)"
	txType     = "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas," +
		"uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)"
)

// transferCall pays a token (ERC-20).
const transferCall = "transfer(address,uint256)"

// Tx is a transaction of a Safe. Nil numbers are zero.
type Tx struct {
	To             common.Address
	Value          *big.Int // wei
	Data           []byte
	Operation      uint8 // Call or DelegateCall
	SafeTxGas      *big.Int
	BaseGas        *big.Int
	GasPrice       *big.Int
	GasToken       common.Address
	RefundReceiver common.Address
	Nonce          uint64 // of the vault: transactions run in this order, each once
}

// PayNative pays wei.
func PayNative(to common.Address, amount *big.Int, nonce uint64) Tx {
	return Tx{To: to, Value: new(big.Int).Set(amount), Nonce: nonce}
}

// PayToken pays base units of a token (ERC-20).
func PayToken(token, to common.Address, amount *big.Int, nonce uint64) Tx {
	return Tx{To: token, Data: join(selector(transferCall), addressWord(to), numberWord(amount)), Nonce: nonce}
}

// check makes sure that the transaction has an encoding.
func (t Tx) check() error {
	for name, n := range map[string]*big.Int{"value": t.Value, "safeTxGas": t.SafeTxGas, "baseGas": t.BaseGas, "gasPrice": t.GasPrice} {
		if n != nil && (n.Sign() < 0 || n.BitLen() > maxBits) {
			return fmt.Errorf("%w: %s is not a number of %d bits", ErrRefused, name, maxBits)
		}
	}
	if len(t.Data) > MaxData {
		return fmt.Errorf("%w: %d bytes of data, at most %d", ErrRefused, len(t.Data), MaxData)
	}
	if t.Operation > DelegateCall {
		return fmt.Errorf("%w: operation %d is unknown", ErrRefused, t.Operation)
	}
	return nil
}

// Hash is what owners sign: the contract's getTransactionHash. Numbers must fit 256 bits,
// which Decode, Check and all of File make sure of.
func (v Vault) Hash(t Tx) common.Hash {
	domain, message := v.DomainHash(), v.MessageHash(t)
	return crypto.Keccak256Hash([]byte{0x19, 0x01}, domain[:], message[:])
}

// DomainHash says which vault on which chain it is, in EIP-712. Hardware wallets show it.
func (v Vault) DomainHash() common.Hash {
	return crypto.Keccak256Hash(crypto.Keccak256([]byte(domainType)), countWord(v.ChainID), addressWord(v.Address))
}

// MessageHash says what is done, in EIP-712. Hardware wallets show it.
func (Vault) MessageHash(t Tx) common.Hash {
	return crypto.Keccak256Hash(
		crypto.Keccak256([]byte(txType)), addressWord(t.To), numberWord(t.Value), crypto.Keccak256(t.Data),
		countWord(t.Operation), numberWord(t.SafeTxGas), numberWord(t.BaseGas), numberWord(t.GasPrice),
		addressWord(t.GasToken), addressWord(t.RefundReceiver), countWord(t.Nonce),
	)
}
