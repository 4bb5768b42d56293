package safechain_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/chainadapters/evm/safe"
	"strongroom/chainadapters/evm/safe/safechain"
	"strongroom/contracts"
	"strongroom/internal/devstack"
	"strongroom/internal/testenv"
)

// richKey has ether on every fresh chain of both nodes.
const richKey = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

const chainID = 31337

// chain is a node that makes a block whenever it is sent something.
type chain struct {
	devstack.RPC

	mine func(ctx context.Context) error
	rich *ecdsa.PrivateKey
	set  safe.Set
}

func (c *chain) Call(ctx context.Context, result any, method string, params ...any) error {
	err := c.RPC.Call(ctx, result, method, params...)
	if err == nil && method == "eth_sendRawTransaction" {
		err = c.mine(ctx)
	}
	return err
}

// onEach runs a test on anvil and on geth, with the contracts deployed.
func onEach(t *testing.T, test func(t *testing.T, c *chain)) {
	t.Helper()
	t.Run("anvil", func(t *testing.T) { test(t, onAnvil(t)) })
	t.Run("geth", func(t *testing.T) {
		node := testenv.Geth(t, devstack.GethConfig{})
		test(t, deployed(t, &chain{RPC: node.RPC, mine: func(ctx context.Context) error { return node.Mine(ctx, 1) }}))
	})
}

func onAnvil(t *testing.T) *chain {
	t.Helper()
	c := &chain{RPC: devstack.RPC{URL: nodes.StartAnvil(t).URL}}
	c.mine = func(ctx context.Context) error { return c.RPC.Call(ctx, nil, "evm_mine") }
	return deployed(t, c)
}

func deployed(t *testing.T, c *chain) *chain {
	t.Helper()
	var err error
	c.rich, err = crypto.HexToECDSA(richKey)
	must(t, err)
	c.set, err = safechain.DeployCanonical(t.Context(), c, c.rich)
	must(t, err)
	return c
}

// people are owners: keys in the order of their addresses.
func people(n int) ([]*ecdsa.PrivateKey, []common.Address) {
	var keys []*ecdsa.PrivateKey
	for i := range n {
		key, _ := crypto.ToECDSA(crypto.Keccak256([]byte{byte(i)}))
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b *ecdsa.PrivateKey) int {
		return crypto.PubkeyToAddress(a.PublicKey).Cmp(crypto.PubkeyToAddress(b.PublicKey))
	})
	var owners []common.Address
	for _, key := range keys {
		owners = append(owners, crypto.PubkeyToAddress(key.PublicKey))
	}
	return keys, owners
}

// send sends a call by the rich key and says whether it succeeded. Gas is given, so that
// what fails gets into a block.
func (c *chain) send(t *testing.T, to *common.Address, value *big.Int, data []byte) (bool, common.Address) {
	t.Helper()
	var nonce hexutil.Uint64
	from := crypto.PubkeyToAddress(c.rich.PublicKey)
	must(t, c.Call(t.Context(), &nonce, "eth_getTransactionCount", from, "latest"))
	tx, err := types.SignNewTx(c.rich, types.LatestSignerForChainID(big.NewInt(chainID)), &types.DynamicFeeTx{
		ChainID: big.NewInt(chainID), Nonce: uint64(nonce), To: to, Value: value, Data: data, Gas: 3_000_000,
		GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(1e11),
	})
	must(t, err)
	raw, err := tx.MarshalBinary()
	must(t, err)
	must(t, c.Call(t.Context(), nil, "eth_sendRawTransaction", hexutil.Bytes(raw)))
	var receipt struct {
		Status   hexutil.Uint64  `json:"status"`
		Contract *common.Address `json:"contractAddress"`
	}
	must(t, c.Call(t.Context(), &receipt, "eth_getTransactionReceipt", tx.Hash()))
	if receipt.Contract == nil {
		receipt.Contract = new(common.Address)
	}
	return receipt.Status == 1, *receipt.Contract
}

// dollar deploys the test token and mints for somebody.
func (c *chain) dollar(t *testing.T, to common.Address, units int64) common.Address {
	t.Helper()
	artifact, err := contracts.TestDollar()
	must(t, err)
	done, token := c.send(t, nil, nil, artifact.Code)
	minted, _ := c.send(t, &token, nil, pack(t, artifact, "mint", to, big.NewInt(units)))
	if !done || !minted {
		t.Fatal("the token could not be deployed")
	}
	return token
}

func (c *chain) balance(t *testing.T, of common.Address) *big.Int {
	t.Helper()
	var wei hexutil.Big
	must(t, c.Call(t.Context(), &wei, "eth_getBalance", of, "latest"))
	return wei.ToInt()
}

func (c *chain) tokens(t *testing.T, token, of common.Address) int64 {
	t.Helper()
	artifact, err := contracts.TestDollar()
	must(t, err)
	return new(big.Int).SetBytes(c.view(t, token, pack(t, artifact, "balanceOf", of))).Int64()
}

func (c *chain) view(t *testing.T, to common.Address, data []byte) []byte {
	t.Helper()
	var answer hexutil.Bytes
	must(t, c.Call(t.Context(), &answer, "eth_call", map[string]any{"to": to, "data": hexutil.Bytes(data)}, "latest"))
	return answer
}

// vault creates one and gives it ether.
func (c *chain) vault(t *testing.T, owners []common.Address, threshold int, salt uint64) safe.Vault {
	t.Helper()
	v, err := safechain.CreateVault(t.Context(), c, c.rich, c.set, owners, threshold, salt)
	must(t, err)
	if funded, _ := c.send(t, &v.Address, big.NewInt(1e18), nil); !funded {
		t.Fatal("a vault takes no ether")
	}
	return v
}

func (c *chain) nonce(t *testing.T, v safe.Vault) uint64 {
	t.Helper()
	s, err := safechain.Read(t.Context(), c, v)
	must(t, err)
	return s.Nonce
}

// execute signs whatever it is by keys and sends it.
func (c *chain) execute(t *testing.T, v safe.Vault, tx safe.Tx, keys ...*ecdsa.PrivateKey) bool {
	t.Helper()
	f := safe.File{Vault: v, Tx: tx}
	for _, key := range keys {
		var err error
		f, err = f.Sign(key)
		must(t, err)
	}
	call, err := f.ExecCalldata()
	must(t, err)
	done, _ := c.send(t, &v.Address, nil, call)
	return done
}

// pack encodes by the contract's own ABI, which package safe does not use.
func pack(t *testing.T, artifact contracts.Artifact, method string, args ...any) []byte {
	t.Helper()
	parsed, err := abi.JSON(bytes.NewReader(artifact.ABI))
	must(t, err)
	data, err := parsed.Pack(method, args...)
	must(t, err)
	return data
}

func published(t *testing.T, name string) contracts.Artifact {
	t.Helper()
	artifact, err := contracts.Safe(name)
	must(t, err)
	return artifact
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func says(err error, words ...string) bool {
	return err != nil && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(err.Error(), w) })
}
