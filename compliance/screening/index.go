package screening

import "strings"

// Entry is one listed address.
type Entry struct {
	Currency string // as the list writes it: XBT
	Address  string // as the list writes it
	Party    string // the list's own number and name of whom it belongs to
}

// index finds listed addresses. One address may belong to several parties.
type index map[string][]Entry

// hexMark begins an address of the EVM family; the same key has the same address
// on all its chains, so that the list's currency does not matter there.
const hexMark = "0x"

// evm is the class of keys that begin with hexMark.
const evm = "evm"

// segwit are the prefixes of addresses that may be written in capitals or in
// small letters, but not mixed (BIP 173).
func segwit() []string { return []string{"bc1", "tb1", "bcrt1", "ltc1", "tltc1", "rltc1"} }

// fold writes an address as it is compared. Hexadecimal and bech32 addresses do
// not tell capitals apart; base58 ones do.
func fold(address string) string {
	address = strings.TrimSpace(address)
	small := strings.ToLower(address)
	if strings.HasPrefix(small, hexMark) {
		return small
	}
	if address != small && address != strings.ToUpper(address) {
		return address
	}
	for _, prefix := range segwit() {
		if strings.HasPrefix(small, prefix) {
			return small
		}
	}
	return address
}

// key is where an address stands in the index.
func key(currency, address string) string {
	folded := fold(address)
	if strings.HasPrefix(folded, hexMark) {
		return evm + " " + folded
	}
	return strings.ToUpper(strings.TrimSpace(currency)) + " " + folded
}

func (x index) add(e Entry) {
	k := key(e.Currency, e.Address)
	x[k] = append(x[k], e)
}

// find returns the entries of a subject, under any code of its chain.
func (x index) find(s Subject) []Entry {
	if folded := fold(s.Address); strings.HasPrefix(folded, hexMark) {
		return x[key("", s.Address)]
	}
	var found []Entry
	for _, code := range s.Chain.Currencies {
		found = append(found, x[key(code, s.Address)]...)
	}
	return found
}
