package safe

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
)

// Token is how amounts of a token are shown.
type Token struct {
	Symbol   string
	Decimals uint8 // digits after the point
}

// nativeDecimals is how many wei make one of the chain's own coin, as digits.
const nativeDecimals = 18

// Known is what is believed besides the vault: out of trusted configuration, never out of
// a file.
type Known struct {
	Native string                    // name of the chain's own coin; "ETH" where empty
	Tokens map[common.Address]Token  // whatever else is called is refused
	Names  map[common.Address]string // how to call receivers
	Set    Set                       // contracts of Safe; Canonical where zero
}

// Payment is one amount that leaves the vault.
type Payment struct {
	Asset    string // symbol
	Decimals uint8
	Token    common.Address // zero: the chain's own coin
	To       common.Address
	Name     string   // of the receiver; empty where it has none
	Amount   *big.Int // base units
}

// Effect is what a transaction does: it pays, and does nothing else.
type Effect struct {
	Hash     common.Hash // what owners sign
	Vault    Vault
	Nonce    uint64
	Batch    bool // payments are made all or none
	Payments []Payment
}

// Decode says what a vault's transaction does, and refuses whatever is not a payment: code
// that is delegated to (but for MultiSendCallOnly with plain payments in it), calls to the
// vault itself, which change its owners and modules, calls of unknown contracts or functions
// such as approvals, refunds of gas, and payments to where they would be lost. Errors:
// ErrVault, ErrRefused with the reason.
func Decode(v Vault, t Tx, known Known) (Effect, error) {
	if err := v.Check(); err != nil {
		return Effect{}, err
	}
	if err := checkPlain(t); err != nil {
		return Effect{}, err
	}
	if known.Set == (Set{}) {
		known.Set = Canonical()
	}
	if known.Native == "" {
		known.Native = "ETH"
	}
	e := Effect{Hash: v.Hash(t), Vault: v, Nonce: t.Nonce}
	calls := []Tx{t}
	if t.Operation == DelegateCall {
		var err error
		if calls, err = decodeBatch(t, known.Set); err != nil {
			return Effect{}, err
		}
		e.Batch = true
	}
	for i, call := range calls {
		p, err := decodeCall(v, call, known)
		if err != nil && e.Batch {
			return Effect{}, fmt.Errorf("call %d of the batch: %w", i+1, err)
		}
		if err != nil {
			return Effect{}, err
		}
		e.Payments = append(e.Payments, p)
	}
	return e, nil
}

// checkPlain makes sure that nobody is paid for gas, and that what fails is undone as a
// whole: with no gas of its own a failure inside is a failure of all.
func checkPlain(t Tx) error {
	if err := t.check(); err != nil {
		return err
	}
	for name, n := range map[string]*big.Int{"safeTxGas": t.SafeTxGas, "baseGas": t.BaseGas, "gasPrice": t.GasPrice} {
		if n != nil && n.Sign() != 0 {
			return fmt.Errorf("%w: %s is %s and must be 0: the vault pays nobody for gas", ErrRefused, name, n)
		}
	}
	if t.GasToken != (common.Address{}) || t.RefundReceiver != (common.Address{}) {
		return fmt.Errorf("%w: it names a token or receiver of a refund for gas", ErrRefused)
	}
	return nil
}

func decodeBatch(t Tx, set Set) ([]Tx, error) {
	if t.To != set.MultiSend {
		return nil, fmt.Errorf("%w: delegatecall to %s, which could do anything as the vault", ErrRefused, t.To)
	}
	if t.Value != nil && t.Value.Sign() != 0 {
		return nil, fmt.Errorf("%w: a batch carries %s wei of its own", ErrRefused, t.Value)
	}
	calls, err := parseBatch(t.Data)
	if err != nil {
		return nil, err
	}
	for i, call := range calls {
		if call.Operation != Call {
			return nil, fmt.Errorf("%w: call %d of the batch is a delegatecall", ErrRefused, i+1)
		}
	}
	return calls, nil
}

// decodeCall reads one plain call.
func decodeCall(v Vault, t Tx, known Known) (Payment, error) {
	if t.To == v.Address {
		return Payment{}, fmt.Errorf("%w: a call to the vault itself: %s", ErrRefused, describe(t.Data))
	}
	token, isToken := known.Tokens[t.To]
	var p Payment
	switch {
	case isToken:
		var err error
		if p, err = decodeTransfer(t, token); err != nil {
			return Payment{}, err
		}
	case len(t.Data) != 0:
		return Payment{}, fmt.Errorf("%w: a call of %s, which is no token that is known: %s", ErrRefused, t.To, describe(t.Data))
	default:
		p = Payment{Asset: known.Native, Decimals: nativeDecimals, To: t.To, Amount: new(big.Int)}
		if t.Value != nil {
			p.Amount.Set(t.Value)
		}
	}
	p.Name = known.Names[p.To]
	return p, checkReceiver(v, p, known)
}

// decodeTransfer reads a token's transfer in the one form that PayToken has.
func decodeTransfer(t Tx, token Token) (Payment, error) {
	if t.Value != nil && t.Value.Sign() != 0 {
		return Payment{}, fmt.Errorf("%w: a call of token %s carries %s wei", ErrRefused, token.Symbol, t.Value)
	}
	if len(t.Data) < selectorBytes || !bytes.Equal(t.Data[:selectorBytes], selector(transferCall)) {
		return Payment{}, fmt.Errorf("%w: a call of token %s that is no transfer: %s", ErrRefused, token.Symbol, describe(t.Data))
	}
	words := t.Data[selectorBytes:]
	if len(words) != 2*wordBytes {
		return Payment{}, fmt.Errorf("%w: a transfer of %s with %d bytes", ErrRefused, token.Symbol, len(t.Data))
	}
	p := Payment{Asset: token.Symbol, Decimals: token.Decimals, Token: t.To, To: addressAt(words, 0), Amount: numberAt(words, 1)}
	if !bytes.Equal(addressWord(p.To), wordAt(words, 0)) {
		return Payment{}, fmt.Errorf("%w: a transfer of %s whose receiver is no address", ErrRefused, token.Symbol)
	}
	return p, nil
}

func checkReceiver(v Vault, p Payment, known Known) error {
	_, isToken := known.Tokens[p.To]
	switch {
	case p.Amount.Sign() == 0:
		return fmt.Errorf("%w: a payment of nothing", ErrRefused)
	case p.To == (common.Address{}):
		return fmt.Errorf("%w: a payment to the zero address, where it is lost", ErrRefused)
	case p.To == v.Address:
		return fmt.Errorf("%w: a payment to the vault itself", ErrRefused)
	case isToken || known.Set.has(p.To):
		return fmt.Errorf("%w: a payment to contract %s, where it is lost", ErrRefused, p.To)
	}
	return nil
}

// perilous are functions that take vaults or tokens over, by their signature.
func perilous() []string {
	return []string{
		"addOwnerWithThreshold(address,uint256)", "removeOwner(address,address,uint256)", "swapOwner(address,address,address)",
		"changeThreshold(uint256)", "enableModule(address)", "disableModule(address,address)", "setGuard(address)",
		"setFallbackHandler(address)", "approveHash(bytes32)", "simulateAndRevert(address,bytes)", execSignature,
		"execTransactionFromModule(address,uint256,bytes,uint8)",
		"setup(address[],uint256,address,bytes,address,address,uint256,address)",
		"approve(address,uint256)", "increaseAllowance(address,uint256)", "transferFrom(address,address,uint256)",
		"permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", "setApprovalForAll(address,bool)",
		"transferOwnership(address)", "upgradeTo(address)", "upgradeToAndCall(address,bytes)", multiSendCall, transferCall,
	}
}

// describe names the function that data calls.
func describe(data []byte) string {
	if len(data) == 0 {
		return "without data"
	}
	if len(data) < selectorBytes {
		return fmt.Sprintf("%d bytes, less than names a function", len(data))
	}
	for _, signature := range perilous() {
		if bytes.Equal(selector(signature), data[:selectorBytes]) {
			return signature
		}
	}
	return "function 0x" + hex.EncodeToString(data[:selectorBytes]) + " is unknown"
}
