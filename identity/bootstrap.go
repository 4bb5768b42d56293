package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"strongroom/identity/reqsign"
	"strongroom/internal/id"
)

// BootstrapOperator makes sure that the operator's key in the file exists, and
// makes both where they do not. The file comes first: a crash in between is mended
// by calling again. It returns the credential.
func (s *Store) BootstrapOperator(ctx context.Context, path string) (reqsign.Credential, error) {
	fresh, err := json.MarshalIndent(reqsign.Credential{Key: id.New("key"), Scheme: reqsign.HMAC, Secret: newSecret()}, "", "  ")
	if err != nil {
		return reqsign.Credential{}, fmt.Errorf("encode credential: %w", err)
	}
	if err := createOnce(path, append(fresh, '\n')); err != nil {
		return reqsign.Credential{}, fmt.Errorf("make operator credential: %w", err)
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return reqsign.Credential{}, fmt.Errorf("read operator credential: %w", err)
	}
	var cred reqsign.Credential
	if err := json.Unmarshal(raw, &cred); err != nil {
		return reqsign.Credential{}, fmt.Errorf("read operator credential %s: %w", path, err)
	}
	if !id.Valid("key", cred.Key) || cred.Scheme != reqsign.HMAC || reqsign.CheckVerifier(cred.Scheme, []byte(cred.Secret)) != nil {
		return reqsign.Credential{}, fmt.Errorf("operator credential %s: %w", path, ErrInvalid)
	}
	key := Key{ID: cred.Key, Label: "operator", Scheme: cred.Scheme, Scopes: []Scope{Admin}, CreatedAt: s.now()}
	return cred, s.insertKey(ctx, key, []byte(cred.Secret))
}
