package signer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"strongroom/chainadapters/bitcoin/network"
)

// maxChangeKeys bounds how many change keys of a chain a token gets.
const maxChangeKeys = 10_000

// Load says how to move a signer's hot keys into a token. All fields but Seed and
// WorkFactor are required.
type Load struct {
	// Dir and Passphrase are the signer's own.
	Dir        string
	Passphrase string
	// Policy names the chains.
	Policy Policy
	// Token gets the hot keys.
	Token Token
	// Seed is the seed file; empty: the folder's own, which is then moved to Backup.
	Seed string
	// Backup is a file outside of Dir that must not exist; it is to leave the machine.
	Backup string
	// ChangeKeys is how many change keys each chain with coins gets, 1..10,000.
	ChangeKeys int
	// WorkFactor is log2 of scrypt's N for the accounts file; zero is DefaultWorkFactor.
	WorkFactor int
}

// LoadToken puts the hot keys of each chain into a token and leaves in the signer's
// folder what is not in it: account keys of deposit addresses, and public keys. The seed
// file goes to Backup: all keys can be made of it again, so that it belongs offline. It is
// run once with the signer stopped, and again with Seed where there are new chains or more
// change keys are wanted; a crash is mended by running it again. Errors wrap ErrPolicy,
// ErrSeed or ErrToken.
func LoadToken(l Load) error {
	if err := l.check(); err != nil {
		return err
	}
	state := filepath.Join(l.Dir, StateFolder)
	own := filepath.Join(state, seedFile)
	source := l.Seed
	if source == "" {
		source = own
	}
	secret, err := openSeed(source, l.Passphrase)
	if err != nil {
		return err
	}
	kept := keptAccounts{Fingerprint: secret.fingerprint(), Chains: map[string]keptAccount{}}
	accounts := filepath.Join(state, accountsFile)
	if present, err := exists(accounts); err != nil {
		return err
	} else if present {
		if kept, err = readAccounts(accounts, l.Passphrase); err != nil {
			return err
		}
	}
	if kept.Fingerprint != secret.fingerprint() {
		return fmt.Errorf("%w: %s is of another signer", ErrSeed, source)
	}
	if err := l.fill(secret, kept); err != nil {
		return err
	}
	if err := l.store(accounts, kept); err != nil {
		return err
	}
	return l.retire(own)
}

func (l *Load) check() error {
	if l.Dir == "" || l.Passphrase == "" || l.Token == nil || l.Backup == "" && l.Seed == "" {
		return fmt.Errorf("%w: folder, passphrase, token, and a backup or seed are required", ErrPolicy)
	}
	if l.ChangeKeys < 1 || l.ChangeKeys > maxChangeKeys {
		return fmt.Errorf("%w: %d change keys, 1 to %d are possible", ErrPolicy, l.ChangeKeys, maxChangeKeys)
	}
	if l.WorkFactor == 0 {
		l.WorkFactor = DefaultWorkFactor
	}
	if l.Backup != "" {
		if err := checkApart(filepath.Join(l.Dir, StateFolder), l.Backup); err != nil {
			return err
		}
	}
	return l.Policy.check()
}

// fill puts the keys of each chain into the token, and what is left of it into kept.
func (l *Load) fill(secret seed, kept keptAccounts) error {
	for _, c := range l.Policy.Chains {
		ring, err := newKeyring(secret, c)
		if err != nil {
			return err
		}
		versions, change := "main", uint32(0)
		if c.Family == familyBitcoin {
			versions = c.Network
			change = max(uint32(l.ChangeKeys), kept.Chains[c.Name].Change) //nolint:gosec // check has bounded it
		}
		params, _ := network.ByName(versions)
		hot, err := ring.xpub(accountHot, params)
		if err != nil {
			return err
		}
		if old, known := kept.Chains[c.Name]; known && old.Hot != hot {
			return fmt.Errorf("%w: %s was another chain when its keys were loaded", ErrPolicy, c.Name)
		}
		if err := l.move(ring, c.Name, change); err != nil {
			return err
		}
		kept.Chains[c.Name] = keptAccount{Deposit: ring.account[accountDeposit].String(), Hot: hot, Change: change}
	}
	return nil
}

// move imports the hot keys of a chain.
func (l *Load) move(ring keyring, chain string, change uint32) error {
	paths := []keyPath{{accountHot, branchReceive, 0}}
	for i := range change {
		paths = append(paths, keyPath{accountHot, branchChange, i})
	}
	for _, p := range paths {
		key, err := ring.private(p)
		if err != nil {
			return err
		}
		plain, ok := key.(plainKey)
		if !ok {
			return fmt.Errorf("%w: key %s cannot be moved", ErrSeed, p)
		}
		err = l.Token.Import(label(chain, p), plain.PrivateKey)
		plain.Zero()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrToken, err)
		}
	}
	return nil
}

// store replaces the accounts file.
func (l *Load) store(file string, kept keptAccounts) error {
	raw, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("encode accounts: %w", err)
	}
	fresh := file + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove old draft: %w", err)
	}
	if err := sealFile(fresh, l.Passphrase, l.WorkFactor, string(raw)); err != nil {
		return fmt.Errorf("store accounts: %w", err)
	}
	if err := os.Rename(fresh, file); err != nil {
		return fmt.Errorf("replace accounts: %w", err)
	}
	return syncFolder(filepath.Dir(file))
}

// retire moves the folder's own seed file to the backup: it is there, whole, before it
// goes here.
func (l *Load) retire(own string) error {
	present, err := exists(own)
	if err != nil || !present {
		return err
	}
	if l.Backup == "" {
		return fmt.Errorf("%w: the seed is still in the signer's folder: name a backup", ErrPolicy)
	}
	sealed, err := os.ReadFile(filepath.Clean(own))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSeed, err)
	}
	if err := writeDurably(l.Backup, sealed); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("back up seed: %w", err)
	}
	if copied, err := os.ReadFile(filepath.Clean(l.Backup)); err != nil {
		return fmt.Errorf("%w: %w", ErrSeed, err)
	} else if !bytes.Equal(copied, sealed) {
		return fmt.Errorf("%w: %s holds something else: name another file", ErrSeed, l.Backup)
	}
	if err := os.Remove(own); err != nil {
		return fmt.Errorf("remove seed: %w", err)
	}
	return syncFolder(filepath.Dir(own))
}
