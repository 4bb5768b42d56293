package signer

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	signerv1 "strongroom/internal/gen/signer/v1"
)

// errSelfCheck reports a signature of our own that does not verify: a fault of
// the machine. Nothing leaves.
var errSelfCheck = errors.New("signature does not verify")

// Names inside the signer's folder.
const (
	// StateFolder holds seed and journal.
	StateFolder = "state"

	seedFile   = "seed.age"
	frozenFile = "frozen"
)

// Config holds what a signer needs. All fields but Treasury, Checkpoint,
// Token and WorkFactor are required.
type Config struct {
	// Dir is the signer's own folder. The first start creates seed and journal in it.
	Dir string
	// Passphrase opens the seed; see ReadPassphrase.
	Passphrase string
	// Policy says what may be signed.
	Policy Policy
	// Treasury says by whose consent. Without one nobody is asked, and the caps of Policy
	// count for everything; with one they count for what passes without people. A folder
	// that has had one never opens without.
	Treasury *Treasury
	// Checkpoint is a file outside of Dir, best on another machine's disk, that holds the
	// journal's end too: without one an older copy of all of Dir looks like the newest.
	Checkpoint string
	// Token holds the private keys of the hot accounts where they were moved there by
	// LoadToken; nil: they derive from the seed file. Whoever opened it closes it.
	Token Token
	// Clock tells the time for caps and records.
	Clock func() time.Time
	// Log gets one line per signature and refusal, never a secret.
	Log *slog.Logger
	// WorkFactor is log2 of scrypt's N for a new seed; zero is DefaultWorkFactor.
	WorkFactor int
}

// Signer judges and signs requests. It is safe for concurrent use.
type Signer struct {
	cfg    Config
	chains map[string]chain
	assets map[string]Asset
	state  string

	mu      sync.Mutex
	journal *journal
	book    *book
	council *council            // nil where consent is not verified
	signed  map[string]signedTx // by payload: signatures that would not come out the same again
}

// New opens the signer's folder, creating it on the first start, verifies the
// whole journal and derives the keys. Errors wrap ErrPolicy, ErrSeed or ErrJournal.
func New(cfg Config) (*Signer, error) {
	if cfg.Dir == "" || cfg.Passphrase == "" || cfg.Clock == nil || cfg.Log == nil {
		return nil, fmt.Errorf("%w: folder, passphrase, clock and log are required", ErrPolicy)
	}
	if err := cfg.Policy.check(); err != nil {
		return nil, err
	}
	s := &Signer{cfg: cfg, state: filepath.Join(cfg.Dir, StateFolder), book: newBook(cfg.Policy), signed: map[string]signedTx{}}
	keys, err := openKeystore(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.deriveChains(keys); err != nil {
		return nil, err
	}
	if cfg.Treasury != nil {
		if s.council, err = newCouncil(*cfg.Treasury, s.state, s.chains); err != nil {
			return nil, err
		}
	}
	if err := s.replay(keys.fingerprint()); err != nil {
		return nil, err
	}
	return s, nil
}

// replay opens the journal and takes all of it in.
func (s *Signer) replay(fingerprint string) error {
	var replayed error
	var err error
	s.journal, err = openJournal(s.state, s.cfg.Checkpoint, fingerprint, func(r record) {
		if replayed == nil {
			replayed = s.apply(r)
		}
	})
	if err != nil {
		return err
	}
	if replayed != nil {
		return errors.Join(replayed, s.journal.close())
	}
	return nil
}

// apply takes a record in. Errors wrap ErrJournal, or ErrPolicy where it needs a treasury
// that there is none of.
func (s *Signer) apply(r record) error {
	if r.Signed != nil {
		s.signed[r.Signed.Payload] = *r.Signed
		return nil
	}
	if r.Sign == nil {
		if s.council == nil && r.Decree != nil {
			return fmt.Errorf("%w: this folder has verified consent: configure its treasury", ErrPolicy)
		}
	} else if s.council == nil && r.Sign.Grant != nil {
		return fmt.Errorf("%w: this folder has verified consent: configure its treasury", ErrPolicy)
	}
	first := r.Sign != nil && s.book.intents[r.Sign.Intent.ID] == nil
	s.book.apply(r)
	if s.council == nil {
		return nil
	}
	return s.council.apply(r, first)
}

// Init creates seed and journal where the folder has none, and reports whether
// it did. The state appears whole or not at all: it is prepared beside its place
// and renamed. A present state is left alone, whatever its condition.
func Init(cfg Config) (created bool, err error) {
	state := filepath.Join(cfg.Dir, StateFolder)
	if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
		if err != nil {
			return false, fmt.Errorf("look for signer state: %w", err)
		}
		return false, nil
	}
	draftDir := state + ".new"
	if err := errors.Join(os.RemoveAll(draftDir), os.MkdirAll(draftDir, 0o700)); err != nil {
		return false, fmt.Errorf("create signer state: %w", err)
	}
	if cfg.WorkFactor == 0 {
		cfg.WorkFactor = DefaultWorkFactor
	}
	secret, err := createSeed(filepath.Join(draftDir, seedFile), cfg.Passphrase, cfg.WorkFactor)
	if err != nil {
		return false, err
	}
	if err := createJournal(draftDir, secret.fingerprint(), cfg.Clock()); err != nil {
		return false, err
	}
	if err := os.Rename(draftDir, state); err != nil {
		return false, fmt.Errorf("install signer state: %w", err)
	}
	return true, syncFolder(cfg.Dir)
}

func (s *Signer) deriveChains(store keystore) error {
	s.chains, s.assets = map[string]chain{}, map[string]Asset{}
	for _, a := range s.cfg.Policy.Assets {
		s.assets[a.Code] = a
	}
	for _, c := range s.cfg.Policy.Chains {
		keys, err := store.ring(c)
		if err != nil {
			return err
		}
		if c.Family == familyEVM {
			s.chains[c.Name], err = newEVMChain(c, s.cfg.Policy.Assets, keys)
		} else {
			s.chains[c.Name], err = newBitcoinChain(c, keys)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Close waits for a signature under way and releases the journal.
func (s *Signer) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.close()
}

// Sign judges a request and signs its transaction. The journal holds the
// permission before the signature exists. Errors wrap ErrInvalid, ErrRefused,
// ErrFrozen or ErrJournal.
func (s *Signer) Sign(req *signerv1.SignRequest) (*signerv1.SignResponse, error) {
	o, err := parseRequest(req)
	if err != nil {
		return nil, err
	}
	c, known := s.chains[o.Chain]
	if !known {
		return nil, fmt.Errorf("%w: %w: %.70q", ErrInvalid, ErrUnknownChain, o.Chain)
	}
	if asset, known := s.assets[o.Asset]; !known || asset.Chain != o.Chain || !strings.EqualFold(asset.Contract, o.Contract) {
		return nil, fmt.Errorf("%w: asset %.20q with this contract is not on %s", ErrInvalid, o.Asset, o.Chain)
	}
	if s.council == nil && o.wantsTreasury() {
		return nil, fmt.Errorf("%w: sweeps, refills and intent_text need a signer with a treasury", ErrInvalid)
	}
	d, err := c.draft(o)
	if err != nil {
		return nil, err
	}
	if err := s.permit(o, d); err != nil {
		return nil, err
	}
	signed, err := s.once(hexHash(o.payloadHash), d.sign)
	if err != nil {
		return nil, err
	}
	return &signerv1.SignResponse{RawTx: signed.raw, Txid: signed.txid, PayloadHash: o.payloadHash[:]}, nil
}

// permit applies freeze, slot rule and caps, and commits the permission.
func (s *Signer) permit(o order, d draft) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.halted(); err != nil {
		return err
	}
	at := s.journal.now(s.cfg.Clock())
	p := permission{
		Intent: o.intent, Attempt: o.attempt, Payload: hexHash(o.payloadHash),
		Slot: d.slot, Coins: d.coins, Exec: d.exec, Fee: d.fee, Policy: o.policy, Approvals: o.approvals,
	}
	if s.council != nil {
		granted, err := s.council.decide(o, d, s.book.intents[o.ID], at)
		if err != nil {
			return err
		}
		p.Grant = granted
	}
	seen, err := s.book.judge(p, at)
	if err != nil || seen {
		return err
	}
	r, err := s.journal.append(record{Type: recordSign, Sign: &p}, at)
	if err != nil {
		return err
	}
	return s.apply(r)
}

// halted says why nothing is signed now, or nil.
func (s *Signer) halted() error {
	if s.frozen() {
		return ErrFrozen
	}
	if s.council != nil {
		if err := s.council.frozen(); err != nil {
			return err
		}
	}
	return s.journal.broken
}

// Freeze stops all signing in a signer's folder, at once and over restarts.
// Lifting it is left to whoever has the machine: remove the file "frozen".
func Freeze(dir string) error {
	f, err := os.OpenFile(filepath.Join(filepath.Clean(dir), frozenFile), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("freeze signer: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("freeze signer: %w", err)
	}
	return syncFolder(dir)
}

// frozen is true unless the absence of the freeze file is certain.
func (s *Signer) frozen() bool {
	_, err := os.Lstat(filepath.Join(s.cfg.Dir, frozenFile))
	return !errors.Is(err, os.ErrNotExist)
}

// PublicKeys returns the extended public keys of a chain, or ErrUnknownChain.
func (s *Signer) PublicKeys(name string) (*signerv1.PublicKeysResponse, error) {
	c, known := s.chains[name]
	if !known {
		return nil, fmt.Errorf("%w: %.70q", ErrUnknownChain, name)
	}
	deposit, hot, err := c.publicKeys()
	if err != nil {
		return nil, err
	}
	return &signerv1.PublicKeysResponse{DepositXpub: deposit, HotXpub: hot}, nil
}

// Status tells journal height and head, use of the withdrawal caps, and whether
// signing is stopped.
func (s *Signer) Status() (*signerv1.StatusResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.journal.now(s.cfg.Clock())
	out := &signerv1.StatusResponse{
		JournalEntries: s.journal.head.seq, JournalHead: s.journal.head.hash[:],
		Frozen: s.halted() != nil,
	}
	if s.council != nil {
		out.Treasury = s.council.status(at)
	}
	for _, a := range s.cfg.Policy.Assets {
		key := capKey{a.Code, kindWithdrawal}
		hour, err := s.book.used(key, at, windowHour)
		if err != nil {
			return nil, err
		}
		day, err := s.book.used(key, at, windowDay)
		if err != nil {
			return nil, err
		}
		out.Caps = append(out.Caps, &signerv1.CapUse{
			Asset: a.Code, PerTransaction: a.Withdrawal.PerTransaction.String(), PerHour: a.Withdrawal.PerHour.String(),
			PerDay: a.Withdrawal.PerDay.String(), UsedHour: hour.String(), UsedDay: day.String(),
		})
	}
	return out, nil
}
