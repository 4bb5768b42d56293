package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/chainadapters/bitcoin/network"
	"strongroom/money"
	"strongroom/treasury/cold"
)

// seat is what each cosigner has: a folder with a key, and the vault's description.
type seat struct{ dir, name string }

func (d seat) file(name string) string { return filepath.Join(d.dir, name) }

// coldHouse is a vault whose keys were drawn by the commands.
type coldHouse struct {
	desks  []seat
	wallet *multisig.Wallet
	params network.Params
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func take(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// well runs a command that must succeed.
func well(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errOut := command(t, args...)
	if code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, errOut)
	}
	return out
}

// refused runs a command that must fail and say why, and leave the folder alone.
func (d seat) refused(t *testing.T, want string, args ...string) {
	t.Helper()
	before := d.content(t)
	code, _, errOut := command(t, args...)
	if code != 1 || !strings.Contains(errOut, want) {
		t.Errorf("%v: exit code %d, said %q, not %q", args, code, errOut, want)
	}
	if after := d.content(t); after != before {
		t.Errorf("%v changed the folder:\n%s\n%s", args, before, after)
	}
}

func (d seat) content(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, entry := range entries {
		if !entry.IsDir() {
			fmt.Fprintf(&all, "%s %x\n", entry.Name(), take(t, d.file(entry.Name())))
		}
	}
	return all.String()
}

// public is what the command shows of a key.
type public struct {
	Cosigner multisig.Cosigner `json:"cosigner"`
	Owner    string            `json:"owner"`
}

// newSeat draws a key by the command, and says what is public of it.
func newSeat(t *testing.T, name, networkName string) (seat, public) {
	t.Helper()
	d := seat{t.TempDir(), name}
	put(t, d.file("pass"), "a long passphrase of "+d.name+"\n")
	well(t, "cold", "key", "new", "--key", d.file("key.age"), "--passphrase-file", d.file("pass"), "--work", "1")
	var shown public
	text := well(t, "cold", "key", "show", "--key", d.file("key.age"), "--passphrase-file", d.file("pass"), "--network", networkName, "--name", d.name)
	if err := json.Unmarshal([]byte(text), &shown); err != nil {
		t.Fatal(err)
	}
	return d, shown
}

// newColdHouse is a vault of two of three.
func newColdHouse(t *testing.T, networkName string) *coldHouse {
	t.Helper()
	params, _ := network.ByName(networkName)
	h := &coldHouse{params: params}
	v := multisig.Vault{Network: networkName, K: 2}
	for _, name := range []string{"ada", "bob", "cem"} {
		d, shown := newSeat(t, name, networkName)
		v.Keys, h.desks = append(v.Keys, shown.Cosigner), append(h.desks, d)
	}
	h.describe(t, v)
	return h
}

func (h *coldHouse) describe(t *testing.T, v multisig.Vault) {
	t.Helper()
	text, err := json.Marshal(cold.Description{Kind: cold.KindMultisig, Name: "cold-1", Multisig: &v, MaxFee: money.FromUint64(100_000)})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range h.desks {
		put(t, d.file("vault.json"), string(text))
	}
	if h.wallet, err = multisig.Open(v); err != nil {
		t.Fatal(err)
	}
}

// coins are a coin at the vault's first address, out of the nth of transactions that
// are made up.
func (h *coldHouse) coins(t *testing.T, n byte) []multisig.Coin {
	t.Helper()
	address, err := h.wallet.Address(multisig.Receive, 0)
	if err != nil {
		t.Fatal(err)
	}
	script, err := h.params.Script(address)
	if err != nil {
		t.Fatal(err)
	}
	tx := wire.NewMsgTx(2)
	tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: [32]byte{n}}, nil, nil))
	tx.AddTxOut(wire.NewTxOut(100_000_000, script))
	var raw strings.Builder
	if err := tx.Serialize(&raw); err != nil {
		t.Fatal(err)
	}
	return []multisig.Coin{{Previous: []byte(raw.String())}}
}

// spend gives everybody the file spend.psbt, which pays 0.7 to an address.
func (h *coldHouse) spend(t *testing.T, coins []multisig.Coin, to string) (raw []byte, txid string) {
	t.Helper()
	raw, err := h.wallet.Spend(multisig.Spending{
		Coins: coins, ChangeIndex: 1, SatPerKVB: 2_000,
		Payments: []multisig.Payment{{To: to, Amount: money.FromUint64(70_000_000)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range h.desks {
		put(t, d.file("spend.psbt"), multisig.Encode(raw))
	}
	effect, err := h.wallet.Inspect(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	return raw, effect.TxID
}

func (d seat) inspect(file string) []string {
	return []string{"cold", "inspect", "--vault", d.file("vault.json"), d.file(file)}
}

func (d seat) sign(file, hash string) []string {
	return []string{
		"cold", "sign", "--vault", d.file("vault.json"), "--key", d.file("key.age"),
		"--passphrase-file", d.file("pass"), "--yes-i-have-compared", hash, d.file(file),
	}
}

// finished signs by two people in folders of their own, combines in the third's, and
// returns the raw transaction and its id.
func (h *coldHouse) finished(t *testing.T, txid string) (raw string) {
	t.Helper()
	third := h.desks[2]
	combine := []string{"cold", "combine", "--vault", third.file("vault.json"), "--out", third.file("both.psbt")}
	for _, d := range h.desks[:2] {
		out := well(t, d.sign("spend.psbt", txid)...)
		if !strings.Contains(out, "Signed by "+d.name) {
			t.Errorf("said:\n%s", out)
		}
		put(t, third.file("from-"+d.name), take(t, d.file("spend."+d.name+".psbt")))
		combine = append(combine, third.file("from-"+d.name))
	}
	well(t, combine...)
	if out := well(t, third.inspect("both.psbt")...); !strings.Contains(out, "It can be sent") {
		t.Errorf("said:\n%s", out)
	}
	well(t, "cold", "finish", "--vault", third.file("vault.json"), "--out", third.file("tx"), third.file("both.psbt"))
	return strings.TrimSpace(take(t, third.file("tx")))
}

func TestColdSigning(t *testing.T) {
	h := newColdHouse(t, "regtest")
	to, err := h.params.KeyAddress(make([]byte, 33))
	if err != nil {
		t.Fatal(err)
	}
	_, txid := h.spend(t, h.coins(t, 1), to)
	d := h.desks[0]
	out := well(t, d.inspect("spend.psbt")...)
	for _, want := range []string{txid, "PAYS 0.70000000 BTC to " + to, "signature hash 0", "0 of the 2", "missing  bob", "Fee "} {
		if !strings.Contains(out, want) {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
	if out = well(t, "cold", "vault", d.file("vault.json")); !strings.Contains(out, h.wallet.ID()) || !strings.Contains(out, "2 of 3") {
		t.Errorf("said:\n%s", out)
	}
	d.refused(t, "nothing was signed", d.sign("spend.psbt", strings.Repeat("0", 64))...)
	h.finished(t, txid)
	d.refused(t, "exists", d.sign("spend.psbt", txid)...)
	d.refused(t, "not signed by enough", "cold", "finish", "--vault", d.file("vault.json"), d.file("spend.ada.psbt"))
	d.refused(t, "exists", "cold", "key", "new", "--key", d.file("key.age"), "--passphrase-file", d.file("pass"), "--work", "1")
	d.refused(t, "2 to 32", "cold", "combine", "--vault", d.file("vault.json"), d.file("spend.psbt"))
	put(t, d.file("pass"), "another passphrase")
	d.refused(t, "incorrect passphrase", append(d.sign("spend.psbt", txid), "--out", d.file("new"))...)
}

func TestTypedComparison(t *testing.T) {
	const hash = "00112233445566778899aabbccddeeff"
	for typed, ok := range map[string]bool{
		"ccddeeff\n": true, "CCDDEEFF \r\n": true, "ccddeeff": true,
		"": false, "\n": false, "y\n": false, "yes\n": false, "00112233\n": false, "cddeeff\n": false,
	} {
		var said strings.Builder
		if err := askCompared(strings.NewReader(typed), &said, hash); (err == nil) != ok {
			t.Errorf("%q: %v", typed, err)
		}
		if strings.Contains(said.String(), "ccddeeff") {
			t.Error("the question holds the answer")
		}
	}
}

func TestFilesCrossTheGapAsCodes(t *testing.T) {
	h := newColdHouse(t, "litecoin-regtest")
	to, err := h.params.KeyAddress(make([]byte, 33))
	if err != nil {
		t.Fatal(err)
	}
	h.spend(t, h.coins(t, 1), to)
	d := h.desks[0]
	texts := strings.Split(strings.TrimSpace(well(t, "cold", "qr", "--text", "--size", "100", d.file("spend.psbt"))), "\n")
	if len(texts) < 3 {
		t.Fatalf("%d codes", len(texts))
	}
	put(t, d.file("late"), strings.Join(texts[2:], "\n"))
	put(t, d.file("early"), strings.Join([]string{texts[1], texts[0], texts[1]}, "\r\n"))
	d.refused(t, "missing: 1, 2", "cold", "unqr", "--out", d.file("back"), d.file("late"))
	well(t, "cold", "unqr", "--out", d.file("back"), d.file("late"), d.file("early"))
	if take(t, d.file("back")) != take(t, d.file("spend.psbt")) {
		t.Error("another file came back")
	}
	d.refused(t, "exists", "cold", "unqr", "--out", d.file("back"), d.file("late"), d.file("early"))
	well(t, "cold", "qr", "--size", "100", "--dir", d.file("codes"), d.file("spend.psbt"))
	pictures, err := os.ReadDir(d.file("codes"))
	if err != nil || len(pictures) != len(texts) {
		t.Errorf("%d pictures of %d, %v", len(pictures), len(texts), err)
	}
	if out := well(t, "cold", "qr", "--size", "1000", "--every", "1ms", d.file("spend.psbt")); !strings.Contains(out, "█") {
		t.Errorf("no code in the terminal:\n%s", out)
	}
}
