//go:build cgo

package signer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"google.golang.org/protobuf/proto"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/signer/hsm"
	"strongroom/signer/hsm/hsmtest"
)

func openToken(tb testing.TB) *hsm.Token {
	tb.Helper()
	made := hsmtest.New(tb)
	token, err := hsm.Open(hsm.Config{Module: made.Module, Label: made.Label, PIN: made.PIN})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = token.Close() })
	return token
}

// loaded is a signer's folder whose hot keys are in a token, and what moved them.
func loaded(tb testing.TB) (Config, Load) {
	tb.Helper()
	cfg := testConfig(filepath.Join(tb.TempDir(), "signer"), newClock())
	if err := os.Mkdir(cfg.Dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	if _, err := Init(cfg); err != nil {
		tb.Fatal(err)
	}
	cfg.Token = openToken(tb)
	load := Load{
		Dir: cfg.Dir, Passphrase: cfg.Passphrase, Policy: cfg.Policy, Token: cfg.Token, ChangeKeys: 5,
		Backup: filepath.Join(tb.TempDir(), "seed.age"), WorkFactor: testWork,
	}
	if err := LoadToken(load); err != nil {
		tb.Fatal(err)
	}
	return cfg, load
}

// Signatures of a token differ each time; the signer's do not, over restarts, many callers
// at a time, and a return to the seed.
func TestTokenSignsEachKindOnce(t *testing.T) {
	cfg, load := loaded(t)
	s := openSigner(t, cfg)
	requests := everyKind(t, s)
	first := map[string]*signerv1.SignResponse{}
	for name, req := range requests {
		out, err := s.Sign(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		first[name] = out
	}
	entries := s.journal.head.seq
	wantSame(t, s, requests, first, "at once")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSigner(t, cfg)
	wantSame(t, s, requests, first, "after a restart")
	if s.journal.head.seq != entries {
		t.Error("a repeated request grew the journal")
	}
	keys, err := s.PublicKeys(btcName)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(load.Backup, filepath.Join(cfg.Dir, StateFolder, seedFile)); err != nil {
		t.Fatal(err)
	}
	cfg.Token = nil
	s = openSigner(t, cfg)
	t.Cleanup(func() { _ = s.Close() })
	wantSame(t, s, requests, first, "with the seed again")
	if again, err := s.PublicKeys(btcName); err != nil || !proto.Equal(keys, again) {
		t.Errorf("the token's keys were others: %v", err)
	}
}

func wantSame(t *testing.T, s *Signer, requests map[string]*signerv1.SignRequest, first map[string]*signerv1.SignResponse, when string) {
	t.Helper()
	for name, req := range requests {
		if out, err := s.Sign(clone(req)); err != nil || !proto.Equal(out, first[name]) {
			t.Errorf("%s: %s is another: %v", when, name, err)
		}
	}
}

func TestTokenAnswersManyCallersTheSame(t *testing.T) {
	cfg, _ := loaded(t)
	s := openSigner(t, cfg)
	t.Cleanup(func() { _ = s.Close() })
	req := ethWithdrawal(t, "wdr_1", 0, 5)
	var mu sync.Mutex
	seen := map[string]bool{}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			out, err := s.Sign(clone(req))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			seen[out.GetTxid()] = true
		})
	}
	all.Wait()
	if len(seen) != 1 {
		t.Errorf("%d transactions for one payment", len(seen))
	}
}

// After loading, the folder holds neither the seed nor a hot private key, and says what to
// do where it is opened in the wrong way.
func TestLoadedFolderNeedsItsToken(t *testing.T) {
	cfg, load := loaded(t)
	if _, err := os.Stat(filepath.Join(cfg.Dir, StateFolder, seedFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the seed is still there: %v", err)
	}
	kept, err := readAccounts(filepath.Join(cfg.Dir, StateFolder, accountsFile), cfg.Passphrase)
	if err != nil || len(kept.Chains) != len(cfg.Policy.Chains) {
		t.Fatalf("%d chains, %v", len(kept.Chains), err)
	}
	without := cfg
	without.Token = nil
	if _, err := New(without); !errors.Is(err, ErrSeed) {
		t.Errorf("opened without its token: %v", err)
	}
	s := openSigner(t, cfg)
	far := btcWithdrawal(t, s, "wdr_1", 1, 2)
	far.ChangePath = wirePath(keyPath{accountHot, branchChange, 5})
	wantInvalid(t, s, far, "change to a key that the token has not")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	load.Seed, load.ChangeKeys = load.Backup, 7
	if err := LoadToken(load); err != nil {
		t.Fatalf("load more: %v", err)
	}
	s = openSigner(t, cfg)
	t.Cleanup(func() { _ = s.Close() })
	if s.btcAddressOf(t, keyPath{accountHot, branchChange, 6}) == "" {
		t.Error("no more keys")
	}
}

func TestUnloadedFolderRefusesToken(t *testing.T) {
	cfg := testConfig(t.TempDir(), newClock())
	if _, err := Init(cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Token = liar{}
	if _, err := New(cfg); !errors.Is(err, ErrToken) {
		t.Errorf("opened: %v", err)
	}
}

func TestLoadRefusesForeignSeed(t *testing.T) {
	_, load := loaded(t)
	other := testConfig(t.TempDir(), newClock())
	if _, err := Init(other); err != nil {
		t.Fatal(err)
	}
	load.Seed = filepath.Join(other.Dir, StateFolder, seedFile)
	if err := LoadToken(load); !errors.Is(err, ErrSeed) {
		t.Errorf("another signer's seed: %v", err)
	}
	load.ChangeKeys = 0
	if err := LoadToken(load); !errors.Is(err, ErrPolicy) {
		t.Errorf("no change keys: %v", err)
	}
}

// liar is a token whose signatures are another key's, not of this hash, or nothing.
type liar struct {
	Token

	spoil func(raw []byte) []byte
}

// Sign implements Token.
func (l liar) Sign(label string, hash []byte) ([]byte, error) {
	raw, err := l.Token.Sign(label, hash)
	if err != nil {
		return nil, fmt.Errorf("ask the token: %w", err)
	}
	return l.spoil(raw), nil
}

func TestWrongSignaturesDoNotLeave(t *testing.T) {
	cfg, _ := loaded(t)
	honest := cfg.Token
	spoil := func([]byte) []byte { return nil }
	cfg.Token = liar{honest, func(raw []byte) []byte { return spoil(raw) }}
	s := openSigner(t, cfg)
	t.Cleanup(func() { _ = s.Close() })
	for name, f := range map[string]func([]byte) []byte{
		"nothing": func([]byte) []byte { return nil },
		"zeros":   func([]byte) []byte { return make([]byte, 64) },
		"short":   func(raw []byte) []byte { return raw[:63] },
		"a bit":   func(raw []byte) []byte { raw[40] ^= 1; return raw },
		"another key's": func([]byte) []byte {
			hash := sha256.Sum256([]byte("something else"))
			other, err := honest.Sign(label(evmName, hotPath), hash[:])
			if err != nil {
				t.Error(err)
			}
			return other
		},
	} {
		spoil = f
		if out, err := s.Sign(ethWithdrawal(t, "wdr_1", 0, 5)); !errors.Is(err, errSelfCheck) {
			t.Errorf("%s: %v, %v", name, out, err)
		}
		if out, err := s.Sign(btcWithdrawal(t, s, "wdr_2", 1, 2)); !errors.Is(err, errSelfCheck) {
			t.Errorf("%s: %v, %v", name, out, err)
		}
	}
}

// Low s and the recovery id are ours to make.
func TestCompactSignatures(t *testing.T) {
	token := openToken(t)
	key, _ := btcec.PrivKeyFromBytes([]byte{31: 9})
	if err := token.Import("k", key); err != nil {
		t.Fatal(err)
	}
	ids := map[byte]int{}
	for i := range byte(40) {
		hash := sha256.Sum256([]byte{i})
		compact, err := heldKey{token, "k", key.PubKey()}.compact(hash[:])
		if err != nil {
			t.Fatal(err)
		}
		var s btcec.ModNScalar
		if s.SetByteSlice(compact[33:]) || s.IsOverHalfOrder() {
			t.Error("high s")
		}
		ids[compact[0]-compactHeader]++
	}
	if len(ids) != 2 {
		t.Errorf("recovery ids %v, want both 0 and 1", ids)
	}
}
