//go:build cgo

package hsm

import (
	"errors"
	"fmt"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/miekg/pkcs11"
)

// maxSessions is how many signatures one token makes at a time: PKCS#11 allows one
// operation per session.
const maxSessions = 8

// Token is an open token with its user logged in. It is safe for concurrent use.
type Token struct {
	ctx  *pkcs11.Ctx
	slot uint
	// idle holds sessions that nobody uses; a login counts for all of them.
	idle chan pkcs11.SessionHandle

	mu   sync.Mutex
	keys map[string]keyPair // those that were found and held to be safe
}

// keyPair is a key of the token.
type keyPair struct {
	private pkcs11.ObjectHandle
	public  *btcec.PublicKey
}

// Open loads a module, finds the token and logs in. Errors wrap ErrToken.
func Open(cfg Config) (*Token, error) {
	if cfg.Module == "" || cfg.Label == "" || cfg.PIN == "" {
		return nil, fmt.Errorf("%w: module, label and PIN are required", ErrToken)
	}
	ctx := pkcs11.New(cfg.Module)
	if ctx == nil {
		return nil, fmt.Errorf("%w: %s is no PKCS#11 module that loads here", ErrToken, cfg.Module)
	}
	if err := ctx.Initialize(); err != nil {
		ctx.Destroy()
		return nil, fmt.Errorf("%w: initialize %s: %w", ErrToken, cfg.Module, err)
	}
	t := &Token{ctx: ctx, idle: make(chan pkcs11.SessionHandle, maxSessions), keys: map[string]keyPair{}}
	if err := t.login(cfg); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

func (t *Token) login(cfg Config) error {
	var err error
	if t.slot, err = t.find(cfg.Label); err != nil {
		return err
	}
	for range maxSessions {
		session, err := t.ctx.OpenSession(t.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			return fmt.Errorf("%w: open session: %w", ErrToken, err)
		}
		t.idle <- session
	}
	session := <-t.idle
	defer func() { t.idle <- session }()
	if err := t.ctx.Login(session, pkcs11.CKU_USER, cfg.PIN); err != nil {
		return fmt.Errorf("%w: log in to %q: %w", ErrToken, cfg.Label, err)
	}
	return nil
}

// find returns the slot of the only token with a label.
func (t *Token) find(label string) (slot uint, err error) {
	slots, err := t.ctx.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("%w: list slots: %w", ErrToken, err)
	}
	found := 0
	for _, s := range slots {
		info, err := t.ctx.GetTokenInfo(s)
		if err != nil {
			return 0, fmt.Errorf("%w: read slot: %w", ErrToken, err)
		}
		if info.Label == label && info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0 {
			slot = s
			found++
		}
	}
	if found != 1 {
		return 0, fmt.Errorf("%w: %d tokens are called %q, one is needed", ErrToken, found, label)
	}
	return slot, nil
}

// Close logs out and unloads the module. Nothing else may be under way.
func (t *Token) Close() error {
	err := t.ctx.CloseAllSessions(t.slot)
	if err := errors.Join(err, t.ctx.Finalize()); err != nil {
		return fmt.Errorf("%w: close: %w", ErrToken, err)
	}
	t.ctx.Destroy()
	return nil
}

// Public returns the public key of a label. Errors wrap ErrNoKey, ErrExposed or ErrToken.
func (t *Token) Public(label string) (*btcec.PublicKey, error) {
	session := <-t.idle
	defer func() { t.idle <- session }()
	pair, err := t.pair(session, label)
	return pair.public, err
}

// Sign returns r‖s over a 32-byte hash with the key of a label, s not normalised, and
// another one each time. Errors wrap ErrNoKey, ErrExposed or ErrToken.
func (t *Token) Sign(label string, hash []byte) ([]byte, error) {
	session := <-t.idle
	defer func() { t.idle <- session }()
	pair, err := t.pair(session, label)
	if err != nil {
		return nil, err
	}
	if err := t.ctx.SignInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, pair.private); err != nil {
		return nil, fmt.Errorf("%w: begin to sign: %w", ErrToken, err)
	}
	sum, err := t.ctx.Sign(session, hash)
	if err != nil {
		return nil, fmt.Errorf("%w: sign: %w", ErrToken, err)
	}
	return sum, nil
}
