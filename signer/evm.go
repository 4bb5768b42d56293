package signer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
)

// Constants of EIP-1559 transactions and ERC-20 transfers.
const (
	dynamicFeeType   = 0x02
	transferSelector = "a9059cbb" // transfer(address,uint256)
	wordSize         = 32
	compactHeader    = 27 // of a compact signature; the rest of the byte is the parity
)

// evmPayload is the body of an EIP-1559 signing payload, in order.
type evmPayload struct {
	ChainID    *big.Int
	Nonce      uint64
	TipCap     *big.Int
	FeeCap     *big.Int
	Gas        uint64
	To         common.Address
	Value      *big.Int
	Data       []byte
	AccessList []rlp.RawValue
}

// evmSigned is the same with its signature.
type evmSigned struct {
	ChainID    *big.Int
	Nonce      uint64
	TipCap     *big.Int
	FeeCap     *big.Int
	Gas        uint64
	To         common.Address
	Value      *big.Int
	Data       []byte
	AccessList []rlp.RawValue
	Parity     uint8
	R, S       *big.Int
}

// evmChain signs for one EVM chain.
type evmChain struct {
	policy Chain
	keys   keyring
	hot    common.Address
	tokens []common.Address // contracts of the policy: never a destination
}

func newEVMChain(policy Chain, assets []Asset, keys keyring) (*evmChain, error) {
	c := &evmChain{policy: policy, keys: keys}
	key, err := keys.private(keyPath{accountHot, branchReceive, 0})
	if err != nil {
		return nil, err
	}
	c.hot = evmAddress(key.PubKey())
	for _, a := range assets {
		if a.Chain == policy.Name && a.Contract != "" {
			contract, err := parseEVMAddress(a.Contract)
			if err != nil {
				return nil, err
			}
			c.tokens = append(c.tokens, contract)
		}
	}
	return c, nil
}

// publicKeys implements chain.
func (c *evmChain) publicKeys() (deposit, hot string, err error) { return bothXpubs(c.keys, "main") }

func bothXpubs(keys keyring, versions string) (deposit, hot string, err error) {
	params, _ := network.ByName(versions)
	if deposit, err = keys.xpub(accountDeposit, params); err != nil {
		return "", "", err
	}
	hot, err = keys.xpub(accountHot, params)
	return deposit, hot, err
}

// draft implements chain.
func (c *evmChain) draft(o order) (draft, error) {
	if o.fromPath == nil || len(o.inputPaths) > 0 || o.changePath != nil {
		return draft{}, fmt.Errorf("%w: an EVM request has from_path and no other", ErrInvalid)
	}
	p, err := decodeEVM(o.unsigned)
	if err != nil {
		return draft{}, err
	}
	key, err := c.keys.private(*o.fromPath)
	if err != nil {
		return draft{}, err
	}
	from := evmAddress(key.PubKey())
	to, err := c.checkDestination(o, from)
	if err != nil {
		return draft{}, err
	}
	if p.ChainID.Cmp(new(big.Int).SetUint64(c.policy.ChainID)) != 0 {
		return draft{}, fmt.Errorf("%w: chain id %s", ErrInvalid, p.ChainID)
	}
	d := draft{
		slot: fmt.Sprintf("%s/%d", strings.ToLower(from.Hex()), p.Nonce),
		sign: func() (signature, error) { return signEVM(o.unsigned, p, key) },
	}
	if err := d.reads(o, p, to); err != nil {
		return draft{}, err
	}
	if d.fee, err = p.maxFee(); err != nil {
		return draft{}, err
	}
	if err := checkFee(d.fee, o.maxFee, c.policy.FeeCeiling); err != nil {
		return draft{}, err
	}
	return d, nil
}

// reads compares what the transaction does with the intent, and notes what policy asks
// about: the contract that is called, by the sender or by the vault that it calls.
func (d *draft) reads(o order, p evmPayload, to common.Address) error {
	check := checkTransfer
	if o.Kind == kindRefill {
		d.vault, d.exec, check = hex.EncodeToString(p.To[:]), hexHash(sha256.Sum256(p.Data)), checkRefill
	}
	if err := check(o, p, to); err != nil || o.Contract == "" {
		return err
	}
	contract, err := parseEVMAddress(o.Contract)
	d.contract, d.selector = contract.Hex(), transferSelector
	return err
}

// decodeEVM reads a signing payload and insists on its one canonical form:
// nothing missing, nothing more, no access list.
func decodeEVM(raw []byte) (evmPayload, error) {
	var p evmPayload
	if len(raw) == 0 || raw[0] != dynamicFeeType {
		return p, fmt.Errorf("%w: not an EIP-1559 payload", ErrInvalid)
	}
	if err := rlp.DecodeBytes(raw[1:], &p); err != nil {
		return p, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(p.AccessList) > 0 {
		return p, fmt.Errorf("%w: access list", ErrInvalid)
	}
	again, err := rlp.EncodeToBytes(&p)
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if !bytes.Equal(again, raw[1:]) {
		return p, fmt.Errorf("%w: not in canonical form", ErrInvalid)
	}
	return p, nil
}

// maxFee is gas limit times fee cap.
func (p evmPayload) maxFee() (money.Units, error) {
	feeCap, err := money.FromBig(p.FeeCap)
	if err != nil || p.TipCap.Cmp(p.FeeCap) > 0 {
		return money.Units{}, fmt.Errorf("%w: tip cap above fee cap, or beyond 256 bits", ErrInvalid)
	}
	fee, err := feeCap.Mul(p.Gas)
	if err != nil {
		return money.Units{}, fmt.Errorf("%w: fee: %w", ErrInvalid, err)
	}
	return fee, nil
}

// checkDestination says where this kind of intent may pay to.
func (c *evmChain) checkDestination(o order, from common.Address) (common.Address, error) {
	if o.Kind == kindCancel {
		return checkCancel(o, from)
	}
	if err := checkAccounts(o, *o.fromPath); err != nil {
		return common.Address{}, err
	}
	to, err := parseEVMAddress(o.To)
	if err != nil {
		return to, err
	}
	switch {
	case o.Kind.paysOut():
		return to, c.checkOutsider(to, from)
	case o.Kind == kindRefill:
		if to != c.hot || from != c.hot {
			return to, fmt.Errorf("%w: a refill goes to the hot wallet, which sends it", ErrInvalid)
		}
		return to, nil
	}
	return to, c.checkOwn(o, to)
}

// checkCancel makes sure that nothing moves: a cancellation is nothing, from a key
// of ours to itself.
func checkCancel(o order, from common.Address) (common.Address, error) {
	to, err := parseEVMAddress(o.To)
	if err != nil {
		return to, err
	}
	if to != from || *o.toPath != *o.fromPath || !o.Amount.IsZero() || o.Contract != "" {
		return to, fmt.Errorf("%w: a cancellation is nothing to its own sender", ErrInvalid)
	}
	return to, nil
}

// checkOutsider refuses withdrawals whose money would come back or be lost.
func (c *evmChain) checkOutsider(to, from common.Address) error {
	if (to == common.Address{}) || to == from || to == c.hot {
		return fmt.Errorf("%w: withdrawal to nobody or to ourselves", ErrInvalid)
	}
	if slices.Contains(c.tokens, to) {
		return fmt.Errorf("%w: withdrawal to a token contract", ErrInvalid)
	}
	return nil
}

// checkOwn makes sure that a collection ends in the hot wallet, and gas at the
// key that it names.
func (c *evmChain) checkOwn(o order, to common.Address) error {
	key, err := c.keys.private(*o.toPath)
	if err != nil {
		return err
	}
	if to != evmAddress(key.PubKey()) || (o.Kind == kindCollect && to != c.hot) {
		return fmt.Errorf("%w: %s is not our key %s", ErrInvalid, o.To, o.toPath)
	}
	if o.Kind == kindGasTopUp && o.Contract != "" {
		return fmt.Errorf("%w: gas is paid in the native asset", ErrInvalid)
	}
	return nil
}

// checkTransfer compares receiver, value and calldata with the intent.
func checkTransfer(o order, p evmPayload, to common.Address) error {
	if o.Contract == "" {
		if p.To != to || p.Value.Cmp(o.Amount.Big()) != 0 || len(p.Data) != 0 {
			return fmt.Errorf("%w: not a plain transfer of %s to %s", ErrInvalid, o.Amount, o.To)
		}
		return nil
	}
	contract, err := parseEVMAddress(o.Contract)
	if err != nil {
		return err
	}
	if p.To != contract || p.Value.Sign() != 0 || !bytes.Equal(p.Data, transferCall(to, o.Amount)) {
		return fmt.Errorf("%w: not transfer(%s, %s) of %s", ErrInvalid, o.To, o.Amount, o.Contract)
	}
	return nil
}

// transferCall is the calldata of ERC-20 transfer(to, amount).
func transferCall(to common.Address, amount money.Units) []byte {
	selector, _ := hex.DecodeString(transferSelector)
	word := amount.Bytes32()
	return append(append(selector, common.LeftPadBytes(to[:], wordSize)...), word[:]...)
}

// signEVM signs a payload; the key has checked that the signature recovers the sender.
func signEVM(payload []byte, p evmPayload, key signingKey) (signature, error) {
	compact, err := key.compact(crypto.Keccak256(payload))
	if err != nil {
		return signature{}, err
	}
	r, s := new(big.Int).SetBytes(compact[1:33]), new(big.Int).SetBytes(compact[33:])
	body, err := rlp.EncodeToBytes(&evmSigned{
		p.ChainID, p.Nonce, p.TipCap, p.FeeCap, p.Gas, p.To, p.Value, p.Data, p.AccessList,
		compact[0] - compactHeader, r, s,
	})
	if err != nil {
		return signature{}, fmt.Errorf("encode signed transaction: %w", err)
	}
	raw := append([]byte{dynamicFeeType}, body...)
	return signature{raw: raw, txid: "0x" + hex.EncodeToString(crypto.Keccak256(raw))}, nil
}

func evmAddress(key *btcec.PublicKey) common.Address {
	return common.BytesToAddress(crypto.Keccak256(key.SerializeUncompressed()[1:])[12:])
}

// parseEVMAddress reads an address in lower case or with its EIP-55 checksum.
func parseEVMAddress(s string) (common.Address, error) {
	if len(s) != 2+2*common.AddressLength || !strings.HasPrefix(s, "0x") || !common.IsHexAddress(s) {
		return common.Address{}, fmt.Errorf("%w: address %.50q", ErrInvalid, s)
	}
	parsed := common.HexToAddress(s)
	if s != strings.ToLower(s) && s != parsed.Hex() {
		return common.Address{}, fmt.Errorf("%w: address %.50q fails its checksum", ErrInvalid, s)
	}
	return parsed, nil
}
