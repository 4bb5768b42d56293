package signer

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tyler-smith/go-bip39"

	"strongroom/chainadapters/bitcoin/network"
)

// knownMnemonic is all zeros in BIP 39's words.
func knownMnemonic() string { return strings.Repeat("abandon ", 11) + "about" }

// The addresses of the best-known mnemonic: BIP 84's own vectors, and what every
// EVM wallet shows for it.
func TestKnownKeys(t *testing.T) {
	s := seed{bip39.NewSeed(knownMnemonic(), "")}
	ring, err := newKeyring(s, Chain{Family: familyBitcoin, Network: "main"})
	if err != nil {
		t.Fatal(err)
	}
	main, _ := network.ByName("main")
	xpub, err := ring.xpub(0, main)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[[2]uint32]string{
		{0, 0}: "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
		{0, 1}: "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g",
		{1, 0}: "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el",
	} {
		if got, err := main.Derive(xpub, path[0], path[1]); err != nil || got != want {
			t.Errorf("%v: %s, %v, want %s", path, got, err, want)
		}
	}
	evm, err := newKeyring(s, Chain{Family: familyEVM, ChainID: 1})
	if err != nil {
		t.Fatal(err)
	}
	key, err := evm.private(keyPath{})
	if err != nil || evmAddress(key.PubKey()).Hex() != "0x9858EfFD232B4033E47d90003D41EC34EcaEda94" {
		t.Errorf("EVM address %s: %v", evmAddress(key.PubKey()), err)
	}
}

func TestPublicKeysLeadToTheSigningKeys(t *testing.T) {
	s := newSigner(t)
	keys, err := s.PublicKeys(btcName)
	if err != nil {
		t.Fatal(err)
	}
	params, _ := network.ByName("regtest")
	for xpub, account := range map[string]uint32{keys.GetDepositXpub(): 0, keys.GetHotXpub(): 1} {
		got, err := params.Derive(xpub, 1, 3)
		if want := s.btcAddressOf(t, keyPath{account, 1, 3}); err != nil || got != want {
			t.Errorf("account %d: %s, %v, want %s", account, got, err, want)
		}
		if !strings.HasPrefix(xpub, "tpub") {
			t.Errorf("account %d: %.4s…", account, xpub)
		}
	}
	if _, err := s.PublicKeys("nowhere"); !errors.Is(err, ErrUnknownChain) {
		t.Errorf("unknown chain: %v", err)
	}
}

func TestSeedIsSealed(t *testing.T) {
	cfg := testConfig(t.TempDir(), newClock())
	if created, err := Init(cfg); err != nil || !created {
		t.Fatalf("init: %v, %v", created, err)
	}
	if created, err := Init(cfg); err != nil || created {
		t.Fatalf("second init: %v, %v", created, err)
	}
	file := filepath.Join(cfg.Dir, StateFolder, seedFile)
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: %v", info.Mode(), err)
	}
	if _, err := openSeed(file, "wrong"); !errors.Is(err, ErrSeed) {
		t.Errorf("wrong passphrase: %v", err)
	}
	secret, err := openSeed(file, testSecret)
	if err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("seed", "seed", secret)
	if text := logged.String() + fmt.Sprint(secret); strings.Count(text, "[secret]") != 2 {
		t.Errorf("a seed shows itself: %s", text)
	}
}

// A start that was cut short while it created the state begins anew.
func TestHalfMadeStateIsReplaced(t *testing.T) {
	cfg := testConfig(t.TempDir(), newClock())
	half := filepath.Join(cfg.Dir, StateFolder+".new")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	overwrite(t, filepath.Join(half, seedFile), []byte("half"))
	s := openSigner(t, cfg)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A journal that vanished is no first start: its slots would be forgotten.
func TestLostJournalIsNoFirstStart(t *testing.T) {
	cfg, _ := signedState(t)
	if err := os.Remove(journalPath(cfg)); err != nil {
		t.Fatal(err)
	}
	wantRefusesToStart(t, cfg, "journal lost")
}

func TestPassphraseFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passphrase")
	overwrite(t, file, []byte("secret words\n"))
	if got, err := ReadPassphrase(file); err != nil || got != "secret words" {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPassphrase(file); !errors.Is(err, ErrSeed) {
		t.Errorf("readable by the group: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	overwrite(t, empty, []byte("\n"))
	for _, file := range []string{empty, filepath.Join(t.TempDir(), "missing")} {
		if _, err := ReadPassphrase(file); !errors.Is(err, ErrSeed) {
			t.Errorf("%s: %v", filepath.Base(file), err)
		}
	}
}
