package multisig

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest/nodes"
	"strongroom/internal/devstack"
	"strongroom/money"
)

// chain is a real node that a vault gets coins on.
type chain struct {
	*nodes.Coin

	rpc devstack.RPC
}

func newChain(coin *nodes.Coin) chain {
	cfg := coin.Config()
	return chain{coin, devstack.RPC{URL: cfg.URL, User: cfg.User, Password: cfg.Password}}
}

func (c chain) call(t *testing.T, result any, method string, params ...any) {
	t.Helper()
	if err := c.rpc.Call(t.Context(), result, method, params...); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}

// fund pays to addresses of the vault and returns the coins.
func (c chain) fund(t *testing.T, h *house, at ...[2]uint32) []Coin {
	t.Helper()
	var payments []chainadapters.Payment
	for i, place := range at {
		address, err := h.Address(place[0], place[1])
		if err != nil {
			t.Fatal(err)
		}
		payments = append(payments, chainadapters.Payment{To: address, Amount: money.FromUint64(100_000_000 + uint64(i))})
	}
	txid := c.FundMany(t, payments)
	c.Mine(t, 1)
	previous := c.raw(t, txid)
	coins := make([]Coin, len(at))
	for i, place := range at {
		coins[i] = Coin{Previous: previous, Vout: uint32(i), Branch: place[0], Index: place[1]}
	}
	return coins
}

func (c chain) raw(t *testing.T, txid string) []byte {
	t.Helper()
	var text string
	c.call(t, &text, "getrawtransaction", txid, 0)
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Each signer has a folder of its own and sees one file; the copies come back, are
// combined, sent and mined. What was change is spent again.
func TestVaultsOnRealNodes(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *nodes.Coin{
		"btcd":      func(t *testing.T) *nodes.Coin { t.Helper(); return nodes.NewBtcd(t) },
		"litecoind": func(t *testing.T) *nodes.Coin { t.Helper(); return nodes.NewLitecoind(t) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain(start(t))
			for _, size := range [][2]int{{2, 3}, {3, 5}} {
				h := openHouse(t, c.Identity().Network, size[0], size[1], name)
				coins := c.fund(t, h, [2]uint32{Receive, 0}, [2]uint32{Receive, 41}, [2]uint32{Change, 5})
				change := c.spendAndMine(t, h, Spending{
					Coins: coins, ChangeIndex: 6, SatPerKVB: 5_000,
					Payments: []Payment{{To: c.MinerAddress(t), Amount: money.FromUint64(120_000_000)}},
				})
				c.spendAndMine(t, h, Spending{Coins: []Coin{change}, ChangeIndex: 7, SatPerKVB: 1_000})
			}
		})
	}
}

// spendAndMine returns the coin that is the change.
func (c chain) spendAndMine(t *testing.T, h *house, s Spending) Coin {
	t.Helper()
	raw := h.spend(t, s)
	var copies [][]byte
	for n := range h.vault.K {
		cosigner := len(h.masters) - 1 - n
		file := filepath.Join(t.TempDir(), "spend.psbt")
		write(t, file, Encode(raw))
		write(t, file, Encode(h.sign(t, read(t, file), cosigner)))
		copies = append(copies, read(t, file))
	}
	both := h.combine(t, copies...)
	tx, txid, err := h.Finalize(both)
	if err != nil {
		t.Fatal(err)
	}
	var sent string
	c.call(t, &sent, "sendrawtransaction", hex.EncodeToString(tx))
	c.Mine(t, 1)
	var mined struct {
		Confirmations int `json:"confirmations"`
		VSize         int `json:"vsize"`
	}
	c.call(t, &mined, "getrawtransaction", txid, 1)
	e := h.effect(t, both)
	saved := int(e.VSize) - mined.VSize
	t.Logf("%d of %d, %d inputs: %d virtual bytes of at most %d, fee %s", e.K, e.Keys, len(e.Inputs), mined.VSize, e.VSize, e.Fee)
	if sent != txid || txid != e.TxID || mined.Confirmations != 1 || saved < 0 || saved > 1+len(e.Inputs)*e.K/2 {
		t.Fatalf("sent %s as %s with %d confirmations, %d virtual bytes of at most %d", txid, sent, mined.Confirmations, mined.VSize, e.VSize)
	}
	at := slices.IndexFunc(unsigned(t, both).TxOut, func(out *wire.TxOut) bool { return units(out.Value) == e.Change.Amount })
	return Coin{Previous: c.raw(t, txid), Vout: uint32(at), Branch: Change, Index: s.ChangeIndex}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// litecoind has Core's implementation of descriptors and PSBTs: it must read ours as
// we meant it, and its results must be ours.
func TestCoresImplementationAgrees(t *testing.T) {
	c := newChain(nodes.NewLitecoind(t))
	for _, size := range [][2]int{{2, 3}, {3, 5}, {2, 9}} {
		h := openHouse(t, c.Identity().Network, size[0], size[1], "core")
		c.compareDescriptors(t, h)
		raw := h.spend(t, Spending{
			Coins:    c.fund(t, h, [2]uint32{Receive, 1}, [2]uint32{Change, 2}),
			Payments: []Payment{{To: c.MinerAddress(t), Amount: money.FromUint64(70_000_000)}}, ChangeIndex: 3, SatPerKVB: 2_000,
		})
		c.compareReading(t, h, raw)
		var texts []string
		for cosigner := range h.vault.K {
			texts = append(texts, Encode(h.sign(t, raw, cosigner)))
		}
		c.compareCombining(t, h, texts)
	}
}

func (c chain) compareDescriptors(t *testing.T, h *house) {
	t.Helper()
	for _, branch := range []uint32{Receive, Change} {
		text, err := h.Descriptor(branch)
		if err != nil {
			t.Fatal(err)
		}
		var info struct{ Descriptor, Checksum string }
		c.call(t, &info, "getdescriptorinfo", text)
		var addresses []string
		c.call(t, &addresses, "deriveaddresses", text, []int{0, 30})
		for index, want := range addresses {
			if got, err := h.Address(branch, uint32(index)); err != nil || got != want {
				t.Fatalf("%d/%d is %s here, %s there, %v", branch, index, got, want, err)
			}
		}
		if info.Descriptor != text || len(addresses) != 31 {
			t.Errorf("%s is %s there, with %d addresses", text, info.Descriptor, len(addresses))
		}
	}
}

func (c chain) compareReading(t *testing.T, h *house, raw []byte) {
	t.Helper()
	e := h.effect(t, raw)
	var decoded struct {
		Tx     struct{ TxID string } `json:"tx"`
		Inputs []struct {
			WitnessUTXO struct {
				Amount json.Number `json:"amount"`
			} `json:"witness_utxo"`
			NonWitness    struct{ TxID string } `json:"non_witness_utxo"`
			WitnessScript struct{ Type string } `json:"witness_script"`
			Derivations   []struct {
				MasterFingerprint string `json:"master_fingerprint"`
				Path              string `json:"path"`
			} `json:"bip32_derivs"`
		} `json:"inputs"`
		Fee json.Number `json:"fee"`
	}
	c.call(t, &decoded, "decodepsbt", Encode(raw))
	if decoded.Tx.TxID != e.TxID || decoded.Fee.String() != coins(e.Fee) {
		t.Errorf("transaction %s with fee %s, here %s with %s", decoded.Tx.TxID, decoded.Fee, e.TxID, coins(e.Fee))
	}
	for i, in := range decoded.Inputs {
		var want, got []string
		for _, key := range h.vault.Keys {
			want = append(want, fmt.Sprintf("%s %s/%d/%d", key.Fingerprint, key.Path, e.Inputs[i].Branch, e.Inputs[i].Index))
		}
		for _, d := range in.Derivations {
			got = append(got, d.MasterFingerprint+" "+d.Path)
		}
		slices.Sort(want)
		slices.Sort(got)
		if in.WitnessUTXO.Amount.String() != coins(e.Inputs[i].Amount) || in.NonWitness.TxID != e.Inputs[i].TxID || in.WitnessScript.Type != "multisig" || !slices.Equal(got, want) {
			t.Errorf("input %d is %+v there, %+v here", i, in, e.Inputs[i])
		}
	}
	var analyzed struct{ Next string }
	c.call(t, &analyzed, "analyzepsbt", Encode(raw))
	if analyzed.Next != "signer" {
		t.Errorf("next is %s", analyzed.Next)
	}
}

func (c chain) compareCombining(t *testing.T, h *house, texts []string) {
	t.Helper()
	copies := make([][]byte, len(texts))
	for i, text := range texts {
		copies[i], _ = Decode([]byte(text))
	}
	ours := h.combine(t, copies...)
	var theirs string
	c.call(t, &theirs, "combinepsbt", texts)
	raw, err := Decode([]byte(theirs))
	if err != nil {
		t.Fatal(err)
	}
	if again := h.combine(t, raw); string(again) != string(ours) {
		t.Errorf("combined there it is\n%s, here\n%s", Encode(again), Encode(ours))
	}
	var analyzed struct{ Next string }
	c.call(t, &analyzed, "analyzepsbt", Encode(ours))
	tx, _, err := h.Finalize(ours)
	if err != nil || analyzed.Next != "finalizer" {
		t.Fatalf("next is %s, %v", analyzed.Next, err)
	}
	var final struct {
		Hex      string `json:"hex"`
		Complete bool   `json:"complete"`
	}
	c.call(t, &final, "finalizepsbt", Encode(ours), true)
	if !final.Complete || final.Hex != hex.EncodeToString(tx) {
		t.Errorf("finished there it is %s, here %x", final.Hex, tx)
	}
	var accepted []struct {
		Allowed bool `json:"allowed"`
	}
	c.call(t, &accepted, "testmempoolaccept", []string{final.Hex})
	if len(accepted) != 1 || !accepted[0].Allowed || !strings.HasPrefix(theirs, "cHNidP8") {
		t.Errorf("refused by the node: %+v", accepted)
	}
}
