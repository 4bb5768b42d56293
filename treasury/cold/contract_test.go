package cold_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe"
	"strongroom/treasury/cold"
)

// contract is a Safe with everybody's keys.
type contract struct {
	*cold.Vault

	text  []byte // description
	vault safe.Vault
	keys  []*cold.Key
}

func place(name string) common.Address { return common.BytesToAddress(crypto.Keccak256([]byte(name))) }

// openContract is a vault of k of n whose next nonce is 7.
func openContract(tb testing.TB, k, n int) *contract {
	tb.Helper()
	c := &contract{vault: safe.Vault{ChainID: 31337, Version: safe.Version, Address: place("vault"), Threshold: k}}
	next := uint64(7)
	d := cold.Description{Kind: cold.KindSafe, Name: "cold-eth", Known: []cold.Known{{Name: "hot-eth-1", Address: place("hot").Hex()}}, Safe: &cold.Safe{
		ChainID: 31337, Version: safe.Version, Address: c.vault.Address.Hex(), Threshold: k, NextNonce: &next,
		Tokens: []cold.Token{{Symbol: "USDC", Address: place("dollar").Hex(), Decimals: 6}},
	}}
	for i := range n {
		key := newKey(tb, byte(i+1))
		owner, err := key.Owner()
		if err != nil {
			tb.Fatal(err)
		}
		c.keys, c.vault.Owners = append(c.keys, key), append(c.vault.Owners, common.HexToAddress(owner))
		d.Safe.Owners = append(d.Safe.Owners, cold.Known{Name: names()[i], Address: owner})
	}
	slices.SortFunc(c.vault.Owners, common.Address.Cmp)
	var err error
	if c.text, err = json.Marshal(d); err != nil {
		tb.Fatal(err)
	}
	c.Vault = open(tb, c.text)
	return c
}

func open(tb testing.TB, text []byte) *cold.Vault {
	tb.Helper()
	d, err := cold.ParseDescription(text)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := cold.Open(d)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

func (c *contract) file(tx safe.Tx) []byte { return safe.File{Vault: c.vault, Tx: tx}.Encode() }

func (c *contract) review(tb testing.TB, file []byte) *cold.Review {
	tb.Helper()
	r, err := c.Inspect(file)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func (c *contract) sign(tb testing.TB, file []byte, who int) []byte {
	tb.Helper()
	signed, signer, err := c.Sign(file, c.review(tb, file).Confirm, c.keys[who])
	if err != nil {
		tb.Fatal(err)
	}
	if signer.Name != names()[who] {
		tb.Fatalf("signed as %s", signer)
	}
	return signed
}

func TestOwnersSignApart(t *testing.T) {
	for _, size := range [][2]int{{2, 3}, {3, 5}} {
		k, n := size[0], size[1]
		c := openContract(t, k, n)
		file := c.file(safe.PayToken(place("dollar"), place("hot"), big.NewInt(12_500_000), 7))
		r := c.review(t, file)
		hash := c.vault.Hash(safe.PayToken(place("dollar"), place("hot"), big.NewInt(12_500_000), 7)).Hex()
		if r.Ready() || len(r.Missing) != n || len(r.Hashes) != 3 || r.Vault != "cold-eth" || r.Confirm != hash {
			t.Fatalf("%+v", r)
		}
		for _, want := range []string{
			"Pays 12.5 USDC to " + place("hot").Hex() + " (hot-eth-1)", "on chain 31337, with its nonce 7", "missing  ada",
			fmt.Sprintf("0 of the %d", k), "safeTxHash             " + hash, "domain hash", "message hash",
		} {
			if !strings.Contains(r.String(), want) {
				t.Errorf("does not say %q:\n%s", want, r)
			}
		}
		copies := [][]byte{file}
		for who := range k {
			copies = append(copies, c.sign(t, file, n-1-who))
		}
		few, err := c.Combine(copies[:k]...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Finish(few); !errors.Is(err, cold.ErrTransaction) {
			t.Fatalf("%d signatures are enough: %v", k-1, err)
		}
		all, err := c.Combine(copies...)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(copies)
		if again, err := c.Combine(copies...); err != nil || !bytes.Equal(all, again) {
			t.Fatalf("order matters: %v", err)
		}
		if r = c.review(t, all); !r.Ready() || len(r.Signed) != k || !strings.Contains(r.String(), "It can be sent.") {
			t.Fatalf("%s", r)
		}
		finished, err := c.Finish(all)
		if err != nil || finished.ID != hash || finished.To != c.vault.Address.Hex() {
			t.Fatalf("%+v %v", finished, err)
		}
		if _, err := c.vault.CheckExec(common.FromHex(finished.Hex), 7); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOnlyTheComparedTransactionIsSigned(t *testing.T) {
	c := openContract(t, 2, 3)
	file, other := c.file(safe.PayNative(place("hot"), big.NewInt(1), 7)), c.file(safe.PayNative(place("hot"), big.NewInt(1), 8))
	confirm := c.review(t, file).Confirm
	for _, hash := range []string{"", c.review(t, other).Confirm, confirm[2:], strings.ToUpper(confirm), strings.Replace(confirm, "0x", "0X", 1)} {
		if _, _, err := c.Sign(file, hash, c.keys[0]); !errors.Is(err, cold.ErrTransaction) {
			t.Errorf("%q: %v", hash, err)
		}
	}
	if _, _, err := c.Sign(file, confirm, newKey(t, 9)); !errors.Is(err, cold.ErrKey) {
		t.Errorf("a stranger's key: %v", err)
	}
	if _, err := c.Combine(c.sign(t, file, 0), c.sign(t, other, 1)); !errors.Is(err, cold.ErrTransaction) || !strings.Contains(err.Error(), "nonce 8") {
		t.Errorf("two transactions combined: %v", err)
	}
}

// What others say of the vault must be what this machine knows of it, and the nonce one that
// can come.
func TestTransactionsOfAnotherVault(t *testing.T) {
	c := openContract(t, 2, 3)
	pay := safe.PayNative(place("hot"), big.NewInt(1), 7)
	with := func(change func(f *safe.File)) []byte {
		f := safe.File{Vault: c.vault, Tx: pay}
		f.Vault.Owners = slices.Clone(f.Vault.Owners)
		change(&f)
		return f.Encode()
	}
	for want, file := range map[string][]byte{
		"for chain 1":               with(func(f *safe.File) { f.Vault.ChainID = 1 }),
		"for vault":                 with(func(f *safe.File) { f.Vault.Address = place("another") }),
		"it takes 3 owners":         with(func(f *safe.File) { f.Vault.Threshold = 3 }),
		"other owners":              with(func(f *safe.File) { f.Vault.Owners[2] = common.MaxAddress }),
		"version":                   with(func(f *safe.File) { f.Vault.Version = "1.3.0" }),
		"nonce 6 was spent":         with(func(f *safe.File) { f.Tx.Nonce = 6 }),
		"nonce 23 is far ahead":     with(func(f *safe.File) { f.Tx.Nonce = 23 }),
		"can never come":            with(func(f *safe.File) { f.Tx.Nonce = 1<<64 - 1 }),
		"delegatecall":              with(func(f *safe.File) { f.Tx.Operation = 1 }),
		"gasPrice":                  with(func(f *safe.File) { f.Tx.GasPrice = big.NewInt(1) }),
		"a call to the vault itsel": with(func(f *safe.File) { f.Tx = safe.Tx{To: c.vault.Address, Nonce: 7} }),
	} {
		if r, err := c.Inspect(file); !errors.Is(err, cold.ErrTransaction) || !strings.Contains(err.Error(), want) || r != nil {
			t.Errorf("%s: %v", want, err)
		}
		if _, _, err := c.Sign(file, safe.Vault{}.Hash(pay).Hex(), c.keys[0]); !errors.Is(err, cold.ErrTransaction) {
			t.Errorf("%s is signed: %v", want, err)
		}
		if _, err := c.Combine(c.file(pay), file); !errors.Is(err, cold.ErrTransaction) || !strings.Contains(err.Error(), "copy 2") {
			t.Errorf("%s is joined: %v", want, err)
		}
		if _, err := c.Finish(file); !errors.Is(err, cold.ErrTransaction) {
			t.Errorf("%s is finished: %v", want, err)
		}
	}
}

// A batch is one where the description's deployer has put the contract that runs it.
func TestBatchesAreRunByTheKnownContractAlone(t *testing.T) {
	c := openContract(t, 2, 3)
	deployer := place("deployer")
	pay := []safe.Tx{safe.PayNative(place("hot"), big.NewInt(1), 7), safe.PayToken(place("dollar"), place("hot"), big.NewInt(2), 7)}
	local := open(t, []byte(strings.Replace(string(c.text), `"nextNonce"`, fmt.Sprintf(`"deployer":%q,"nextNonce"`, deployer.Hex()), 1)))
	for set, books := range map[safe.Set][2]*cold.Vault{
		safe.Canonical(): {c.Vault, local}, safe.SetOf(deployer): {local, c.Vault},
	} {
		tx, err := safe.Batch(set, pay...)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := books[0].Inspect(c.file(tx)); err != nil || !strings.Contains(r.Words, "A batch of 2, all or none") {
			t.Errorf("%+v %v", r, err)
		}
		if _, err := books[1].Inspect(c.file(tx)); !errors.Is(err, cold.ErrTransaction) || !strings.Contains(err.Error(), "delegatecall to") {
			t.Errorf("a batch by another contract: %v", err)
		}
	}
}

func TestWordsOfASafe(t *testing.T) {
	c := openContract(t, 2, 3)
	words, err := c.Words()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Vault cold-eth", "2 of 3 owners, Safe 1.4.1 at " + c.vault.Address.Hex() + " on chain 31337", c.vault.Owners[0].Hex(), "  ada\n",
		"token USDC at " + place("dollar").Hex() + ", 6 decimals", "MultiSendCallOnly at " + safe.Canonical().MultiSend.Hex(), "next nonce 7",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("does not say %q:\n%s", want, words)
		}
	}
}

func TestSafeDescriptionsThatAreRefused(t *testing.T) {
	c := openContract(t, 2, 3)
	good := string(c.text)
	swap := func(old, with string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%q is not in the description", old)
		}
		return strings.Replace(good, old, with, 1)
	}
	ada := c.vault.Owners[0].Hex()
	for want, bad := range map[string]string{
		"must be":            swap(`"kind":"safe"`, `"kind":"gnosis"`),
		"safe: is missing":   `{"kind":"safe","name":"x"}`,
		"pays no fee":        swap(`"name":"cold-eth"`, `"name":"cold-eth","maxFee":"1"`),
		"safe.address":       swap(c.vault.Address.Hex(), strings.ToLower(c.vault.Address.Hex())),
		"version":            swap(`"1.4.1"`, `"1.3.0"`),
		"takes at least 2":   swap(`"threshold":2`, `"threshold":1`),
		"4 of 3 owners":      swap(`"threshold":2`, `"threshold":4`),
		"safe.owners[":       swap(ada, ada[:41]),
		"already":            swap(c.vault.Owners[1].Hex(), ada),
		"owners[1].name":     swap(`"bob"`, `"b\u202eb"`),
		"tokens[0].address":  swap(place("dollar").Hex(), "0x"),
		"tokens[0].symbol":   swap(`"USDC"`, `""`),
		"tokens[0].decimals": swap(`"decimals":6`, `"decimals":77`),
		"is there already":   swap(`"tokens":[`, fmt.Sprintf(`"tokens":[{"symbol":"X","address":%q,"decimals":1},`, place("dollar").Hex())),
		"known[0].address":   swap(place("hot").Hex(), "hot"),
		"safe.deployer":      swap(`"nextNonce"`, `"deployer":"0x1","nextNonce"`),
		"safe.native":        swap(`"nextNonce"`, `"native":"E\u202eTH","nextNonce"`),
		"twice":              swap(`"threshold":2`, `"threshold":2,"threshold":2`),
		"chain id is 0":      swap(`31337`, `0`),
		"what it should":     swap(`31337`, `-1`),
		"no other kind":      swap(`"safe":{`, `"multisig":{"network":"main","k":2,"keys":[]},"safe":{`),
	} {
		d, err := cold.ParseDescription([]byte(bad))
		if err == nil {
			_, err = cold.Open(d)
		}
		if !errors.Is(err, cold.ErrDescription) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
