package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"strongroom/identity"
	"strongroom/identity/reqsign"
)

// Key is an API key as answers show it.
type Key struct {
	ID         string     `json:"id" example:"key_019a0000000070008000000000000001"`
	Label      string     `json:"label,omitempty"`
	Scheme     string     `json:"scheme" enum:"hmac-sha256,ed25519"`
	Scopes     []string   `json:"scopes" nullable:"false"`
	AllowedIPs []string   `json:"allowedIps" nullable:"false" doc:"Empty: from anywhere"`
	CreatedAt  time.Time  `json:"createdAt"`
	RevokedAt  *time.Time `json:"revokedAt,omitempty"`
}

// CreatedKey is a key with its secret, which is shown once.
type CreatedKey struct {
	Key    Key    `json:"key"`
	Secret string `json:"secret,omitempty" doc:"HMAC secret; it cannot be read again"`
}

func keyOf(k identity.Key) Key {
	out := Key{
		ID: k.ID, Label: k.Label, Scheme: string(k.Scheme), CreatedAt: k.CreatedAt,
		Scopes: make([]string, len(k.Scopes)), AllowedIPs: make([]string, len(k.AllowedIPs)),
	}
	for i, scope := range k.Scopes {
		out.Scopes[i] = string(scope)
	}
	for i, network := range k.AllowedIPs {
		out.AllowedIPs[i] = network.String()
	}
	if !k.RevokedAt.IsZero() {
		out.RevokedAt = &k.RevokedAt
	}
	return out
}

type newKeyInput struct {
	CustomerPath
	Body struct {
		Label      string   `json:"label,omitempty" maxLength:"64"`
		Scheme     string   `json:"scheme" enum:"hmac-sha256,ed25519"`
		PublicKey  string   `json:"publicKey,omitempty" maxLength:"64" doc:"Ed25519 only: 32 bytes in base64"`
		Scopes     []string `json:"scopes" nullable:"false" minItems:"1" maxItems:"3" enum:"read,withdraw,trade" uniqueItems:"true"`
		AllowedIPs []string `json:"allowedIps,omitempty" nullable:"false" maxItems:"32" doc:"Addresses or networks such as 203.0.113.0/24; empty: from anywhere"`
	}
}

type keyOutput struct{ Body CreatedKey }

type keysInput struct {
	CustomerPath
	Page
}

type keysOutput struct {
	Body struct {
		Items      []Key  `json:"items" nullable:"false"`
		NextCursor string `json:"nextCursor,omitempty"`
	}
}

type keyInput struct {
	CustomerPath
	Key string `path:"key" pattern:"^key_[0-9a-f]{32}$" patternDescription:"a key id: key_ and 32 hex digits"`
}

func (s *Server) routeKeys() {
	const tag = "API keys"
	register(s, operation("create-key", http.MethodPost, "/v1/customers/{customer}/keys", tag, "Create a customer's key", ""), identity.Admin, s.createKey)
	register(s, operation("list-keys", http.MethodGet, "/v1/customers/{customer}/keys", tag, "List a customer's keys", "Revoked ones included."), identity.Admin, s.listKeys)
	register(s, operation("revoke-key", http.MethodDelete, "/v1/customers/{customer}/keys/{key}", tag, "Revoke a key", "At once and for ever."), identity.Admin,
		func(ctx context.Context, in *keyInput) (*struct{}, error) {
			return nil, s.cfg.Keys.RevokeKey(ctx, in.Customer, in.Key)
		})
}

func (s *Server) createKey(ctx context.Context, in *newKeyInput) (*keyOutput, error) {
	n := identity.NewKey{Customer: in.Customer, Label: in.Body.Label, Scheme: reqsign.Scheme(in.Body.Scheme)}
	for _, scope := range in.Body.Scopes {
		n.Scopes = append(n.Scopes, identity.Scope(scope))
	}
	public, err := base64.StdEncoding.Strict().DecodeString(in.Body.PublicKey)
	if err != nil {
		return nil, &identity.FieldError{Field: "publicKey", Fix: "want the 32 bytes of an Ed25519 public key in base64"}
	}
	n.PublicKey = public
	for i, text := range in.Body.AllowedIPs {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, &identity.FieldError{Field: "allowedIps[" + strconv.Itoa(i) + "]", Fix: "want an address or a network such as 203.0.113.0/24"}
		}
		n.AllowedIPs = append(n.AllowedIPs, network)
	}
	k, cred, err := s.cfg.Keys.CreateKey(ctx, n)
	if err != nil {
		return nil, err
	}
	return &keyOutput{CreatedKey{Key: keyOf(k), Secret: cred.Secret}}, nil
}

// parseNetwork reads an address as the network of itself.
func parseNetwork(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	return network.Masked(), err
}

func (s *Server) listKeys(ctx context.Context, in *keysInput) (*keysOutput, error) {
	scope := scopeOf("keys", in.Customer)
	after, err := s.cursors.open(scope, in.Cursor)
	if err != nil {
		return nil, err
	}
	if _, err := s.cfg.Customers.Customer(ctx, in.Customer); err != nil {
		return nil, err
	}
	list, err := s.cfg.Keys.Keys(ctx, in.Customer, after, in.limit())
	if err != nil {
		return nil, err
	}
	out := &keysOutput{}
	out.Body.Items = make([]Key, len(list))
	for i, k := range list {
		out.Body.Items[i] = keyOf(k)
	}
	if len(list) == in.limit() {
		out.Body.NextCursor = s.cursors.seal(scope, list[len(list)-1].ID)
	}
	return out, nil
}
