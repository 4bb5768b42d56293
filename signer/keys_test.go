package signer

import (
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
)

// Accounts are hardened children 0' and 1' at depth three, where any wallet that
// is given the seed looks for them.
func TestAccountsAreWhereWalletsLook(t *testing.T) {
	s := newSigner(t)
	deposit, hot, err := s.chains[evmName].publicKeys()
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{deposit, hot} {
		key, err := hdkeychain.NewKeyFromString(text)
		if err != nil || key.Depth() != 3 || key.ChildIndex() != hdkeychain.HardenedKeyStart+uint32(i) || key.IsPrivate() {
			t.Errorf("account %d is %v, %v", i, key, err)
		}
	}
}

// There are two accounts with two branches each.
func TestNoKeyOutsideTheHouse(t *testing.T) {
	s := newSigner(t)
	for name, path := range map[string]keyPath{
		"a third account": {accounts, branchReceive, 0},
		"a third branch":  {accountHot, branchChange + 1, 0},
		"a hardened key":  {accountHot, branchReceive, hardened},
	} {
		req := ethWithdrawal(t, "wdr_1", 0, 5)
		req.FromPath = wirePath(path)
		wantInvalid(t, s, req, name)
	}
}

func TestRecordsThatAreCutShort(t *testing.T) {
	for n := range crcDigits + 4 {
		if _, err := decodeRecord([]byte(strings.Repeat("0", crcDigits) + " {}")[:n]); !errors.Is(err, ErrJournal) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
