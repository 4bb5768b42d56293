package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"strongroom/identity/reqsign"
)

// Request is a request as it arrived.
type Request struct {
	Header     http.Header
	Method     string
	Path       string // escaped, as in the request line
	RawQuery   string
	BodySHA256 [sha256.Size]byte
	Remote     netip.Addr
}

// Authenticate returns who signed the request. It checks form, freshness,
// signature, revocation and network before it spends the nonce, so that nobody
// without the secret can use up nonces. Errors: reqsign.ErrHeaders,
// reqsign.ErrQuery, ErrStale, ErrSignature, ErrRevoked, ErrAddress, ErrReplay.
func (s *Store) Authenticate(ctx context.Context, r Request) (Principal, error) {
	h, err := reqsign.ParseHeaders(r.Header)
	if err != nil {
		return Principal{}, err
	}
	canonical, err := reqsign.Canonical(reqsign.Request{
		Method: r.Method, Path: r.Path, RawQuery: r.RawQuery, BodySHA256: r.BodySHA256,
		TimestampMS: h.TimestampMS, Nonce: h.Nonce,
	})
	if err != nil {
		return Principal{}, err
	}
	signed := time.UnixMilli(h.TimestampMS)
	if age := s.cfg.Clock().Sub(signed); age > s.cfg.Window || age < -s.cfg.Window {
		return Principal{}, fmt.Errorf("%w of %s: the server's clock says %s", ErrStale, s.cfg.Window, s.now().Format(time.RFC3339))
	}
	k, err := s.key(ctx, h.Key)
	if errors.Is(err, ErrNotFound) {
		return Principal{}, ErrSignature
	}
	if err != nil {
		return Principal{}, err
	}
	if err := s.judge(k, canonical, h.Signature, r.Remote); err != nil {
		return Principal{}, err
	}
	if err := s.spendNonce(ctx, k.ID, h.Nonce, signed); err != nil {
		return Principal{}, err
	}
	return k.principal(), nil
}

// Principal returns who has a key now, for those that it let in before and that are still
// there. ErrRevoked, ErrNotFound.
func (s *Store) Principal(ctx context.Context, key string) (Principal, error) {
	k, err := s.key(ctx, key)
	if err != nil {
		return Principal{}, err
	}
	if !k.RevokedAt.IsZero() {
		return Principal{}, ErrRevoked
	}
	return k.principal(), nil
}

func (k *storedKey) principal() Principal {
	return Principal{Key: k.ID, Customer: k.Customer, State: k.state, Scopes: k.Scopes}
}

// judge checks signature, revocation and network of a key. Whoever cannot sign
// learns nothing about the key.
func (s *Store) judge(k storedKey, canonical string, sig []byte, remote netip.Addr) error {
	verifier, err := s.cfg.Sealer.open(k.verifier, k.ID)
	if err != nil {
		return err
	}
	if !reqsign.Verify(k.Scheme, verifier, canonical, sig) {
		return ErrSignature
	}
	if !k.RevokedAt.IsZero() {
		return ErrRevoked
	}
	if len(k.AllowedIPs) == 0 {
		return nil
	}
	for _, network := range k.AllowedIPs {
		if network.Contains(remote.Unmap()) {
			return nil
		}
	}
	return ErrAddress
}

// spendNonce records the nonce. It is kept for twice the window after the
// signing time, so that hosts whose clocks differ by less than a window agree.
func (s *Store) spendNonce(ctx context.Context, key, nonce string, signed time.Time) error {
	tag, err := s.cfg.Pool.Exec(ctx, `INSERT INTO identity.nonce (key, nonce, expires_at) VALUES ($1, $2, $3)
		ON CONFLICT DO NOTHING`, key, nonce, signed.Add(2*s.cfg.Window))
	if err != nil {
		return fmt.Errorf("store nonce: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return ErrReplay
	}
	return nil
}

// purgeBatch bounds the nonces that one PurgeNonces removes.
const purgeBatch = 10_000

// PurgeNonces forgets nonces whose requests are stale anyway, at most 10,000 at a
// time, and returns how many.
func (s *Store) PurgeNonces(ctx context.Context) (int64, error) {
	tag, err := s.cfg.Pool.Exec(ctx, `DELETE FROM identity.nonce WHERE ctid IN
		(SELECT ctid FROM identity.nonce WHERE expires_at < $1 LIMIT $2)`, s.cfg.Clock(), purgeBatch)
	if err != nil {
		return 0, fmt.Errorf("purge nonces: %w", err)
	}
	return tag.RowsAffected(), nil
}
