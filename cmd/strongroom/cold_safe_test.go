package main

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters/evm/safe"
	"strongroom/treasury/cold"
)

// safeHouse is a Safe of two of three whose owners' keys were drawn by the commands.
type safeHouse struct {
	desks  []seat
	vault  safe.Vault
	set    safe.Set
	dollar common.Address
	hot    common.Address
}

func someAddress(name string) common.Address { return common.BytesToAddress([]byte(name)) }

// newSafeHouse is a vault that no chain knows of.
func newSafeHouse(t *testing.T) *safeHouse {
	t.Helper()
	return newSafeHouseOn(t, safe.Canonical(), someAddress("a token of dollars"), func(owners []common.Address) safe.Vault {
		return safe.Vault{ChainID: 31337, Version: safe.Version, Address: someAddress("the cold vault"), Threshold: 2, Owners: owners}
	})
}

// newSafeHouseOn draws keys, and has the vault of their owners made.
func newSafeHouseOn(t *testing.T, set safe.Set, dollar common.Address, create func(owners []common.Address) safe.Vault) *safeHouse {
	t.Helper()
	h := &safeHouse{set: set, dollar: dollar, hot: someAddress("the hot wallet")}
	var people []cold.Known
	var owners []common.Address
	for _, name := range []string{"ada", "bob", "cem"} {
		d, shown := newSeat(t, name, "regtest")
		h.desks, people = append(h.desks, d), append(people, cold.Known{Name: name, Address: shown.Owner})
		owners = append(owners, common.HexToAddress(shown.Owner))
	}
	slices.SortFunc(owners, common.Address.Cmp)
	h.vault = create(owners)
	h.describe(t, people)
	return h
}

func (h *safeHouse) describe(t *testing.T, people []cold.Known) {
	t.Helper()
	description := cold.Description{Kind: cold.KindSafe, Name: "cold-eth", Known: []cold.Known{{Name: "hot-eth-1", Address: h.hot.Hex()}}, Safe: &cold.Safe{
		ChainID: h.vault.ChainID, Version: h.vault.Version, Address: h.vault.Address.Hex(), Threshold: h.vault.Threshold,
		Owners: people, Tokens: []cold.Token{{Symbol: "USDC", Address: h.dollar.Hex(), Decimals: 6}}, Deployer: h.set.Deployer.Hex(),
	}}
	text, err := json.Marshal(description)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range h.desks {
		put(t, d.file("vault.json"), string(text))
	}
}

// elsewhere is the same vault with the same keys in fresh folders.
func (h *safeHouse) elsewhere(t *testing.T) *safeHouse {
	t.Helper()
	other := *h
	other.desks = nil
	for _, d := range h.desks {
		fresh := seat{t.TempDir(), d.name}
		for _, file := range []string{"key.age", "pass", "vault.json"} {
			put(t, fresh.file(file), take(t, d.file(file)))
		}
		other.desks = append(other.desks, fresh)
	}
	return &other
}

// offer gives everybody the file spend.json.
func (h *safeHouse) offer(t *testing.T, tx safe.Tx) (hash string) {
	t.Helper()
	for _, d := range h.desks {
		put(t, d.file("spend.json"), string(safe.File{Vault: h.vault, Tx: tx}.Encode()))
	}
	return h.vault.Hash(tx).Hex()
}

// finished signs by two people in folders of their own, combines in the third's, and
// returns the call.
func (h *safeHouse) finished(t *testing.T, hash string) []byte {
	t.Helper()
	third := h.desks[2]
	combine := []string{"cold", "combine", "--vault", third.file("vault.json"), "--out", third.file("both.json")}
	for _, d := range h.desks[:2] {
		if out := well(t, d.sign("spend.json", hash)...); !strings.Contains(out, "Signed by "+d.name) {
			t.Errorf("said:\n%s", out)
		}
		put(t, third.file("from-"+d.name), take(t, d.file("spend."+d.name+".json")))
		combine = append(combine, third.file("from-"+d.name))
	}
	well(t, combine...)
	if out := well(t, third.inspect("both.json")...); !strings.Contains(out, "It can be sent") {
		t.Errorf("said:\n%s", out)
	}
	_, out, errOut := command(t, "cold", "finish", "--vault", third.file("vault.json"), third.file("both.json"))
	if !strings.Contains(errOut, "A call of "+h.vault.Address.Hex()) {
		t.Errorf("does not say where it goes: %q", errOut)
	}
	well(t, "cold", "finish", "--vault", third.file("vault.json"), "--out", third.file("call"), third.file("both.json"))
	if out != take(t, third.file("call")) {
		t.Error("what is printed is not what is written")
	}
	return common.FromHex(strings.TrimSpace(out))
}

func TestColdSigningOfSafes(t *testing.T) {
	h := newSafeHouse(t)
	hash := h.offer(t, safe.PayToken(h.dollar, h.hot, big.NewInt(12_500_000), 3))
	d := h.desks[0]
	out := well(t, d.inspect("spend.json")...)
	for _, want := range []string{
		hash, "Pays 12.5 USDC to " + h.hot.Hex() + " (hot-eth-1)", "domain hash", "message hash", "nonce 3", "chain 31337",
		"0 of the 2", "missing  bob (0x",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
	if out = well(t, "cold", "vault", d.file("vault.json")); !strings.Contains(out, "2 of 3 owners, Safe 1.4.1 at "+h.vault.Address.Hex()) {
		t.Errorf("said:\n%s", out)
	}
	d.refused(t, "nothing was signed", d.sign("spend.json", "0x"+strings.Repeat("0", 64))...)
	call := h.finished(t, hash)
	if tx, err := h.vault.CheckExec(call, 3); err != nil || h.vault.Hash(tx).Hex() != hash {
		t.Errorf("%+v %v", tx, err)
	}
	d.refused(t, "exists", d.sign("spend.json", hash)...)
	d.refused(t, "not signed by enough", "cold", "finish", "--vault", d.file("vault.json"), d.file("spend.ada.json"))
	texts := well(t, "cold", "qr", "--text", "--size", "300", d.file("spend.ada.json"))
	put(t, d.file("scanned"), texts)
	well(t, "cold", "unqr", "--out", d.file("back.json"), d.file("scanned"))
	if take(t, d.file("back.json")) != take(t, d.file("spend.ada.json")) {
		t.Error("another file came back")
	}
}

// altered is a file after somebody has changed it on its way, with its hash made to fit.
func (h *safeHouse) altered(change func(f *safe.File)) string {
	f := safe.File{Vault: h.vault, Tx: safe.PayNative(h.hot, big.NewInt(1e18), 3)}
	f.Vault.Owners = slices.Clone(f.Vault.Owners)
	change(&f)
	return string(f.Encode())
}

func selected(signature string, args ...common.Address) []byte {
	data := common.CopyBytes(hashOf(signature)[:4])
	for _, a := range args {
		data = append(data, common.LeftPadBytes(a[:], 32)...)
	}
	return data
}

// Whatever comes with a Safe's transaction that should not: no command takes it, and the
// folder stays as it was.
func TestSafeTransactionsThatAreRefused(t *testing.T) {
	h := newSafeHouse(t)
	hash := h.offer(t, safe.PayNative(h.hot, big.NewInt(1e18), 3))
	d, thief := h.desks[0], someAddress("a thief")
	well(t, h.desks[1].sign("spend.json", hash)...)
	bob := take(t, h.desks[1].file("spend.bob.json"))
	call := func(to common.Address, data []byte) string {
		return h.altered(func(f *safe.File) { f.Tx = safe.Tx{To: to, Data: data, Nonce: 3} })
	}
	batch, err := safe.Batch(h.set, safe.PayNative(h.hot, big.NewInt(1), 3), safe.Tx{To: h.vault.Address, Data: selected("enableModule(address)", thief)})
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]struct{ want, text string }{
		"delegatecall":               {"delegatecall", h.altered(func(f *safe.File) { f.Tx.Operation = 1 })},
		"batch by another contract":  {"delegatecall to", h.altered(func(f *safe.File) { f.Tx = batch; f.Tx.To = thief })},
		"batch with a module":        {"enableModule", h.altered(func(f *safe.File) { f.Tx = batch })},
		"owner added":                {"addOwnerWithThreshold", call(h.vault.Address, selected("addOwnerWithThreshold(address,uint256)", thief, thief))},
		"owner swapped":              {"swapOwner", call(h.vault.Address, selected("swapOwner(address,address,address)", thief, thief, thief))},
		"guard set":                  {"setGuard", call(h.vault.Address, selected("setGuard(address)", thief))},
		"module enabled":             {"enableModule", call(h.vault.Address, selected("enableModule(address)", thief))},
		"fallback handler set":       {"setFallbackHandler", call(h.vault.Address, selected("setFallbackHandler(address)", thief))},
		"approval":                   {"approve", call(h.dollar, selected("approve(address,uint256)", thief, thief))},
		"unknown selector":           {"is unknown", call(h.dollar, selected("drain(address)", thief))},
		"unknown token":              {"no token that is known", call(thief, selected("transfer(address,uint256)", thief, thief))},
		"absurd fee":                 {"gasPrice", h.altered(func(f *safe.File) { f.Tx.GasPrice = big.NewInt(1e18) })},
		"refund to somebody":         {"refund", h.altered(func(f *safe.File) { f.Tx.RefundReceiver = thief })},
		"another chain":              {"for chain 1", h.altered(func(f *safe.File) { f.Vault.ChainID = 1 })},
		"another vault":              {"for vault", h.altered(func(f *safe.File) { f.Vault.Address = thief })},
		"another threshold":          {"it takes 3 owners", h.altered(func(f *safe.File) { f.Vault.Threshold = 3 })},
		"other owners":               {"other owners", h.altered(func(f *safe.File) { f.Vault.Owners[2] = common.MaxAddress })},
		"nonce after it was signed":  {"not a signature", strings.Replace(bob, `"nonce": 3`, `"nonce": 4`, 1)},
		"amount after it was signed": {"not a signature", strings.Replace(bob, `"1000000000000000000"`, `"9000000000000000000"`, 1)},
		"another hash":               {"it says hash", strings.Replace(string(safe.File{Vault: h.vault, Tx: safe.PayNative(h.hot, big.NewInt(2), 3)}.Encode()), "safeTxHash\": \"0x", "safeTxHash\": \"0xff", 1)},
	} {
		put(t, d.file("bad.json"), bad.text)
		for _, args := range [][]string{
			d.inspect("bad.json"), d.sign("bad.json", hash),
			{"cold", "finish", "--vault", d.file("vault.json"), d.file("bad.json")},
			{"cold", "combine", "--vault", d.file("vault.json"), d.file("spend.json"), d.file("bad.json")},
		} {
			t.Run(name+" "+args[1], func(t *testing.T) { d.refused(t, bad.want, args...) })
		}
	}
	// Well-formed, of this vault, and another than the one that was compared.
	for name, change := range map[string]func(f *safe.File){
		"another nonce":    func(f *safe.File) { f.Tx.Nonce = 4 },
		"another amount":   func(f *safe.File) { f.Tx.Value = big.NewInt(2e18) },
		"another receiver": func(f *safe.File) { f.Tx.To = thief },
	} {
		put(t, d.file("bad.json"), h.altered(change))
		if out := well(t, d.inspect("bad.json")...); strings.Contains(out, hash) {
			t.Errorf("%s: has the same hash", name)
		}
		d.refused(t, "nothing was signed", d.sign("bad.json", hash)...)
		put(t, d.file("bob.json"), bob)
		d.refused(t, "copies differ", "cold", "combine", "--vault", d.file("vault.json"), d.file("bob.json"), d.file("bad.json"))
	}
}
