package main

import (
	"encoding/hex"
	"strings"
	"testing"

	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/internal/devstack"
	"strongroom/money"
)

// coinNode is a real node that a vault gets a coin on.
type coinNode struct {
	*nodes.Coin

	rpc devstack.RPC
}

func (n coinNode) call(t *testing.T, result any, method string, params ...any) {
	t.Helper()
	if err := n.rpc.Call(t.Context(), result, method, params...); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

// fund pays to the vault's first address.
func (n coinNode) fund(t *testing.T, h *coldHouse) []multisig.Coin {
	t.Helper()
	address, err := h.wallet.Address(multisig.Receive, 0)
	if err != nil {
		t.Fatal(err)
	}
	txid := n.Fund(t, address, money.FromUint64(100_000_000))
	n.Mine(t, 1)
	var text string
	n.call(t, &text, "getrawtransaction", txid, 0)
	previous, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	script, err := h.params.Script(address)
	if err != nil {
		t.Fatal(err)
	}
	var decoded struct {
		Vout []struct {
			N            uint32 `json:"n"`
			ScriptPubKey struct {
				Hex string `json:"hex"`
			} `json:"scriptPubKey"`
		} `json:"vout"`
	}
	n.call(t, &decoded, "decoderawtransaction", text)
	for _, out := range decoded.Vout {
		if out.ScriptPubKey.Hex == hex.EncodeToString(script) {
			return []multisig.Coin{{Previous: previous, Vout: out.N}}
		}
	}
	t.Fatalf("%s does not pay to %s", txid, address)
	return nil
}

// Keys are drawn, two people sign in folders of their own, a third combines, and a node
// mines what comes out.
func TestColdSigningOnRealNodes(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *nodes.Coin{
		"btcd":      func(t *testing.T) *nodes.Coin { t.Helper(); return nodes.NewBtcd(t) },
		"litecoind": func(t *testing.T) *nodes.Coin { t.Helper(); return nodes.NewLitecoind(t) },
	} {
		t.Run(name, func(t *testing.T) {
			coin := start(t)
			cfg := coin.Config()
			node := coinNode{coin, devstack.RPC{URL: cfg.URL, User: cfg.User, Password: cfg.Password}}
			h := newColdHouse(t, coin.Identity().Network)
			_, txid := h.spend(t, node.fund(t, h), coin.MinerAddress(t))
			raw := h.finished(t, txid)
			both := strings.TrimSpace(take(t, h.desks[2].file("both.psbt")))
			if name == "litecoind" { // btcd has no RPC for PSBTs
				node.parse(t, both, txid, raw)
			}
			var decoded struct {
				TxID string `json:"txid"`
			}
			node.call(t, &decoded, "decoderawtransaction", raw)
			var sent string
			node.call(t, &sent, "sendrawtransaction", raw)
			node.Mine(t, 1)
			var mined struct {
				Confirmations int `json:"confirmations"`
			}
			node.call(t, &mined, "getrawtransaction", txid, 1)
			if decoded.TxID != txid || sent != txid || mined.Confirmations != 1 {
				t.Fatalf("decoded as %s, sent as %s, %d confirmations of %s", decoded.TxID, sent, mined.Confirmations, txid)
			}
		})
	}
}

// parse has Core's implementation read and finish the same file.
func (n coinNode) parse(t *testing.T, text, txid, raw string) {
	t.Helper()
	var decoded struct {
		Tx struct {
			TxID string `json:"txid"`
		} `json:"tx"`
		Inputs []struct {
			Signatures map[string]string `json:"partial_signatures"`
		} `json:"inputs"`
	}
	n.call(t, &decoded, "decodepsbt", text)
	if decoded.Tx.TxID != txid || len(decoded.Inputs) != 1 || len(decoded.Inputs[0].Signatures) != 2 {
		t.Fatalf("decodepsbt says %+v", decoded)
	}
	var analysed struct {
		Next string `json:"next"`
	}
	n.call(t, &analysed, "analyzepsbt", text)
	var finished struct {
		Hex      string `json:"hex"`
		Complete bool   `json:"complete"`
	}
	n.call(t, &finished, "finalizepsbt", text)
	if analysed.Next != "finalizer" || !finished.Complete || finished.Hex != raw {
		t.Fatalf("next is %s, finished as %+v, ours is %s", analysed.Next, finished, raw)
	}
}
