package faucet

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe/safechain"
	"strongroom/contracts"
	"strongroom/internal/devstack"
	"strongroom/money"
)

// tipWei is what the faucet gives a block's maker per gas.
const tipWei = 1_000_000_000

// PayerAddress is the account that pays ether.
func (f *Faucet) PayerAddress() string { return crypto.PubkeyToAddress(f.payer.PublicKey).Hex() }

// TokenAddress is where the first token of the faucet's deployer lives, on every
// fresh development chain.
func TokenAddress() (string, error) {
	key, err := ethereumKey(deployerIndex)
	if err != nil {
		return "", err
	}
	return crypto.CreateAddress(crypto.PubkeyToAddress(key.PublicKey), 0).Hex(), nil
}

// SendETH pays wei to an address.
func (f *Faucet) SendETH(ctx context.Context, to string, wei money.Units) (Sent, error) {
	address := common.HexToAddress(to)
	return f.transact(ctx, f.payer, &address, wei.Big(), nil)
}

// DeployToken makes sure that the test dollar is at TokenAddress and returns the
// address. It waits for the block.
func (f *Faucet) DeployToken(ctx context.Context) (string, error) {
	address, err := TokenAddress()
	if err != nil {
		return "", err
	}
	there, err := f.hasCode(ctx, address)
	if err != nil || there {
		return address, err
	}
	artifact, err := contracts.TestDollar()
	if err != nil {
		return "", fmt.Errorf("read contract: %w", err)
	}
	sent, err := f.transact(ctx, f.deployer, nil, nil, artifact.Code)
	if err != nil {
		return "", fmt.Errorf("deploy: %w", err)
	}
	if err := f.Await(ctx, sent); err != nil {
		return "", err
	}
	if there, err = f.hasCode(ctx, address); err != nil {
		return "", err
	}
	if !there {
		return "", fmt.Errorf("%w: no token at %s; the deployer had sent before", ErrFailed, address)
	}
	return address, nil
}

// DeployVault makes sure that the vault of some owners, a Safe, is on the chain, with the
// contracts that it is made of, and returns where it is and who deployed those. It waits for
// the blocks. The same owners have the same vault on every fresh development chain, if it
// begins with the same token.
func (f *Faucet) DeployVault(ctx context.Context, owners []string, threshold int) (address, deployer string, err error) {
	f.evm.Lock()
	defer f.evm.Unlock()
	set, err := safechain.DeployCanonical(ctx, f.cfg.Ethereum, f.deployer)
	if err != nil {
		return "", "", fmt.Errorf("deploy contracts of vaults: %w", err)
	}
	list := make([]common.Address, 0, len(owners))
	for _, owner := range owners {
		list = append(list, common.HexToAddress(owner))
	}
	v, err := safechain.CreateVault(ctx, f.cfg.Ethereum, f.deployer, set, list, threshold, 0)
	if err != nil {
		return "", "", fmt.Errorf("create vault: %w", err)
	}
	return v.Address.Hex(), set.Deployer.Hex(), nil
}

// SendToken makes base units of the faucet's token for an address, out of
// nothing: to the chain it is a transfer from the zero address.
func (f *Faucet) SendToken(ctx context.Context, contract, to string, amount money.Units) (Sent, error) {
	at := common.HexToAddress(contract)
	call := make([]byte, 0, 4+2*common.HashLength)
	call = append(call, crypto.Keccak256([]byte("mint(address,uint256)"))[:4]...)
	call = append(call, common.LeftPadBytes(common.HexToAddress(to).Bytes(), common.HashLength)...)
	units := amount.Bytes32()
	call = append(call, units[:]...)
	return f.transact(ctx, f.deployer, &at, nil, call)
}

func (f *Faucet) hasCode(ctx context.Context, address string) (bool, error) {
	var code string
	if err := f.cfg.Ethereum.Call(ctx, &code, "eth_getCode", address, "latest"); err != nil {
		return false, fmt.Errorf("look for the token: %w", err)
	}
	return len(code) > len("0x"), nil
}

// transact signs and sends one transaction; a nil to creates a contract.
func (f *Faucet) transact(ctx context.Context, key *ecdsa.PrivateKey, to *common.Address, value *big.Int, data []byte) (Sent, error) {
	f.evm.Lock()
	defer f.evm.Unlock()
	from := crypto.PubkeyToAddress(key.PublicKey)
	var nonce, gas hexutil.Uint64
	var price hexutil.Big
	call := map[string]any{"from": from, "value": (*hexutil.Big)(value), "data": hexutil.Bytes(data)}
	if value == nil {
		delete(call, "value")
	}
	if to != nil {
		call["to"] = to
	}
	node := f.cfg.Ethereum
	if err := node.Call(ctx, &nonce, "eth_getTransactionCount", from, "pending"); err != nil {
		return Sent{}, fmt.Errorf("ask for nonce: %w", err)
	}
	if err := node.Call(ctx, &gas, "eth_estimateGas", call); err != nil {
		return Sent{}, fmt.Errorf("estimate gas: %w", err)
	}
	if err := node.Call(ctx, &price, "eth_gasPrice"); err != nil {
		return Sent{}, fmt.Errorf("ask for price: %w", err)
	}
	chain := big.NewInt(devstack.AnvilChainID)
	cap := new(big.Int).Lsh(price.ToInt(), 1) //nolint:predeclared // the protocol's word
	cap.Add(cap, big.NewInt(tipWei))
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(chain), &types.DynamicFeeTx{
		ChainID: chain, Nonce: uint64(nonce), To: to, Value: value, Data: data,
		Gas: uint64(gas) * 5 / 4, GasTipCap: big.NewInt(tipWei), GasFeeCap: cap,
	})
	if err != nil {
		return Sent{}, fmt.Errorf("sign: %w", err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return Sent{}, fmt.Errorf("encode: %w", err)
	}
	sent := Sent{Chain: ethereumChain, TxID: tx.Hash().Hex(), raw: "0x" + hex.EncodeToString(raw)}
	if err := node.Call(ctx, nil, "eth_sendRawTransaction", sent.raw); err != nil {
		return Sent{}, fmt.Errorf("send: %w", err)
	}
	return sent, nil
}

func (f *Faucet) ethereumMined(ctx context.Context, s Sent) (bool, error) {
	var receipt *struct{ Status hexutil.Uint64 }
	if err := f.cfg.Ethereum.Call(ctx, &receipt, "eth_getTransactionReceipt", s.TxID); err != nil {
		return false, fmt.Errorf("look for %s: %w", s.TxID, err)
	}
	if receipt == nil {
		return false, nil
	}
	if receipt.Status == 0 {
		return true, fmt.Errorf("%w: %s", ErrFailed, s.TxID)
	}
	return true, nil
}
