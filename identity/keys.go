package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/identity/reqsign"
	"strongroom/internal/id"
)

// secretBytes is the entropy of a generated HMAC secret.
const secretBytes = 32

// CreateKey makes a key and returns its credential. The secret of an HMAC key is
// in the credential and nowhere else in clear; an Ed25519 credential has none.
// Errors: *FieldError, ErrNotFound for the customer, ErrInvalid past 50 valid keys.
func (s *Store) CreateKey(ctx context.Context, n NewKey) (Key, reqsign.Credential, error) {
	if err := n.check(); err != nil {
		return Key{}, reqsign.Credential{}, err
	}
	key := Key{
		ID: id.New("key"), Customer: n.Customer, Label: n.Label, Scheme: n.Scheme,
		Scopes: n.Scopes, AllowedIPs: n.AllowedIPs, CreatedAt: s.now(),
	}
	cred := reqsign.Credential{Key: key.ID, Scheme: n.Scheme, Customer: n.Customer}
	verifier := n.PublicKey
	if n.Scheme == reqsign.HMAC {
		cred.Secret = newSecret()
		verifier = []byte(cred.Secret)
	}
	if err := s.insertKey(ctx, key, verifier); err != nil {
		return Key{}, reqsign.Credential{}, err
	}
	return key, cred, nil
}

func newSecret() string {
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (s *Store) insertKey(ctx context.Context, k Key, verifier []byte) error {
	err := pgx.BeginFunc(ctx, s.cfg.Pool, func(tx pgx.Tx) error {
		if k.Customer != "" {
			if err := lockCustomer(ctx, tx, k.Customer); err != nil {
				return err
			}
		}
		scopes, networks := make([]string, len(k.Scopes)), make([]string, len(k.AllowedIPs))
		for i, scope := range k.Scopes {
			scopes[i] = string(scope)
		}
		for i, network := range k.AllowedIPs {
			networks[i] = network.String()
		}
		_, err := tx.Exec(ctx, `INSERT INTO identity.api_key (id, customer, label, scheme, verifier, scopes, networks, created_at)
			VALUES ($1, NULLIF($2, ''), $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING`,
			k.ID, k.Customer, k.Label, string(k.Scheme), s.cfg.Sealer.seal(verifier, k.ID), scopes, networks, k.CreatedAt)
		if err != nil {
			return fmt.Errorf("insert key: %w", err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store key: %w", err)
	}
	return nil
}

// lockCustomer serialises key creation per customer so that the bound holds.
func lockCustomer(ctx context.Context, tx pgx.Tx, customer string) error {
	var n int
	err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM identity.api_key k WHERE k.customer = c.id AND k.revoked_at IS NULL)
		FROM identity.customer c WHERE id = $1 FOR UPDATE`, customer).Scan(&n)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("customer: %w", ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("lock customer: %w", err)
	}
	if n >= maxKeys {
		return fmt.Errorf("revoke a key first, a customer has at most %d: %w", maxKeys, ErrInvalid)
	}
	return nil
}

const keyColumns = `SELECT k.id, COALESCE(k.customer, ''), k.label, k.scheme, k.scopes, k.networks, k.created_at, k.revoked_at,
	k.verifier, COALESCE(c.state, 'active') FROM identity.api_key k LEFT JOIN identity.customer c ON c.id = k.customer`

// storedKey is a row with what never leaves the package.
type storedKey struct {
	Key
	verifier []byte // sealed
	state    State  // the customer's
}

// Keys returns a customer's keys after the id given, revoked ones included.
func (s *Store) Keys(ctx context.Context, customer, after string, limit int) ([]Key, error) {
	rows, err := s.cfg.Pool.Query(ctx, keyColumns+` WHERE k.customer = $1 AND k.id > $2 ORDER BY k.id LIMIT $3`, customer, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanKey)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	out := make([]Key, len(list))
	for i := range list {
		out[i] = list[i].Key
	}
	return out, nil
}

// RevokeKey ends a customer's key at once. Revoking again changes nothing.
// ErrNotFound.
func (s *Store) RevokeKey(ctx context.Context, customer, key string) error {
	tag, err := s.cfg.Pool.Exec(ctx, `UPDATE identity.api_key SET revoked_at = COALESCE(revoked_at, $3)
		WHERE id = $1 AND customer = $2`, key, customer, s.now())
	if err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("key: %w", ErrNotFound)
	}
	return nil
}

// key returns a row by id, or ErrNotFound.
func (s *Store) key(ctx context.Context, keyID string) (storedKey, error) {
	rows, err := s.cfg.Pool.Query(ctx, keyColumns+` WHERE k.id = $1`, keyID)
	if err != nil {
		return storedKey{}, fmt.Errorf("read key: %w", err)
	}
	k, err := pgx.CollectExactlyOneRow(rows, scanKey)
	if errors.Is(err, pgx.ErrNoRows) {
		return storedKey{}, fmt.Errorf("key: %w", ErrNotFound)
	}
	if err != nil {
		return storedKey{}, fmt.Errorf("read key: %w", err)
	}
	return k, nil
}

func scanKey(row pgx.CollectableRow) (storedKey, error) {
	var k storedKey
	var scopes, networks []string
	var revoked *time.Time
	err := row.Scan(&k.ID, &k.Customer, &k.Label, &k.Scheme, &scopes, &networks, &k.CreatedAt, &revoked, &k.verifier, &k.state)
	if err != nil {
		return storedKey{}, fmt.Errorf("scan key: %w", err)
	}
	for _, scope := range scopes {
		k.Scopes = append(k.Scopes, Scope(scope))
	}
	for _, text := range networks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return storedKey{}, fmt.Errorf("stored network: %w", err)
		}
		k.AllowedIPs = append(k.AllowedIPs, network)
	}
	k.CreatedAt = k.CreatedAt.UTC()
	if revoked != nil {
		k.RevokedAt = revoked.UTC()
	}
	return k, nil
}
