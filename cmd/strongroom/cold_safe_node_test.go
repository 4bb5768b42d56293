package main

import (
	"context"
	"crypto/ecdsa"
	"math/big"
	"testing"

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

func hashOf(text string) []byte { return crypto.Keccak256([]byte(text)) }

// accountNode is a real node that makes a block whenever it is sent something.
type accountNode struct {
	devstack.RPC

	mine func(ctx context.Context) error
	rich *ecdsa.PrivateKey
}

func (n *accountNode) Call(ctx context.Context, result any, method string, params ...any) error {
	err := n.RPC.Call(ctx, result, method, params...)
	if err == nil && method == "eth_sendRawTransaction" {
		err = n.mine(ctx)
	}
	return err
}

func (n *accountNode) ask(t *testing.T, result any, method string, params ...any) {
	t.Helper()
	if err := n.Call(t.Context(), result, method, params...); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

// send makes a call of the rich account and returns the contract that it made.
func (n *accountNode) send(t *testing.T, to *common.Address, value int64, data []byte) (contract common.Address, worked bool) {
	t.Helper()
	from := crypto.PubkeyToAddress(n.rich.PublicKey)
	var nonce hexutil.Uint64
	n.ask(t, &nonce, "eth_getTransactionCount", from, "latest")
	chain := big.NewInt(31337)
	tx := types.MustSignNewTx(n.rich, types.LatestSignerForChainID(chain), &types.DynamicFeeTx{
		ChainID: chain, Nonce: uint64(nonce), To: to, Value: big.NewInt(value), Data: data, Gas: 3_000_000,
		GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(1e11),
	})
	raw, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	n.ask(t, nil, "eth_sendRawTransaction", hexutil.Bytes(raw))
	var receipt struct {
		Status hexutil.Uint64 `json:"status"`
	}
	n.ask(t, &receipt, "eth_getTransactionReceipt", tx.Hash())
	return crypto.CreateAddress(from, uint64(nonce)), receipt.Status == 1
}

func (n *accountNode) ether(t *testing.T, of common.Address) *big.Int {
	t.Helper()
	var wei hexutil.Big
	n.ask(t, &wei, "eth_getBalance", of, "latest")
	return wei.ToInt()
}

func (n *accountNode) dollars(t *testing.T, token, of common.Address) int64 {
	t.Helper()
	var answer hexutil.Bytes
	n.ask(t, &answer, "eth_call", map[string]any{"to": token, "data": hexutil.Bytes(selected("balanceOf(address)", of))}, "latest")
	return new(big.Int).SetBytes(answer).Int64()
}

// Keys are drawn, a vault of their owners is created, two people sign in folders of their
// own, a third combines, and a node executes what comes out: ether, a token, and both in one.
func TestColdSigningOfSafesOnRealNodes(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *accountNode{
		"anvil": func(t *testing.T) *accountNode {
			t.Helper()
			n := &accountNode{RPC: devstack.RPC{URL: nodes.StartAnvil(t).URL}}
			n.mine = func(ctx context.Context) error { return n.RPC.Call(ctx, nil, "evm_mine") }
			return n
		},
		"geth": func(t *testing.T) *accountNode {
			t.Helper()
			node := testenv.Geth(t, devstack.GethConfig{})
			return &accountNode{RPC: node.RPC, mine: func(ctx context.Context) error { return node.Mine(ctx, 1) }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			node := start(t)
			var err error
			if node.rich, err = crypto.HexToECDSA("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"); err != nil {
				t.Fatal(err)
			}
			spendSafe(t, node)
		})
	}
}

func spendSafe(t *testing.T, node *accountNode) {
	t.Helper()
	set, err := safechain.DeployCanonical(t.Context(), node, node.rich)
	if err != nil {
		t.Fatal(err)
	}
	artifact, err := contracts.TestDollar()
	if err != nil {
		t.Fatal(err)
	}
	dollar, _ := node.send(t, nil, 0, artifact.Code)
	h := newSafeHouseOn(t, set, dollar, func(owners []common.Address) safe.Vault {
		v, err := safechain.CreateVault(t.Context(), node, node.rich, set, owners, 2, 1)
		if err != nil {
			t.Fatal(err)
		}
		return v
	})
	node.send(t, &h.vault.Address, 1e18, nil)
	amount := common.LeftPadBytes(big.NewInt(5_000_000).Bytes(), 32)
	node.send(t, &dollar, 0, append(selected("mint(address,uint256)", h.vault.Address), amount...))
	both, err := safe.Batch(set, safe.PayNative(h.hot, big.NewInt(1e16), 2), safe.PayToken(dollar, h.hot, big.NewInt(1), 2))
	if err != nil {
		t.Fatal(err)
	}
	for nonce, tx := range []safe.Tx{
		safe.PayNative(h.hot, big.NewInt(1e17), 0), safe.PayToken(dollar, h.hot, big.NewInt(1_250_000), 1), both,
	} {
		round := h.elsewhere(t)
		call := round.finished(t, round.offer(t, tx))
		if _, worked := node.send(t, &h.vault.Address, 0, call); !worked {
			t.Fatalf("transaction %d failed", nonce)
		}
		if _, worked := node.send(t, &h.vault.Address, 0, call); worked {
			t.Fatalf("transaction %d ran twice", nonce)
		}
	}
	if wei, units := node.ether(t, h.hot), node.dollars(t, dollar, h.hot); wei.Int64() != 11e16 || units != 1_250_001 {
		t.Errorf("%s wei and %d dollars arrived", wei, units)
	}
}
