package consent

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Bounds of a roster.
const (
	MaxRosterBytes = 1 << 20
	MaxPersons     = 256
	MaxKeys        = 16 // of one person
	MaxGroups      = 16 // of one person
	MaxOfficers    = 16
	MaxOrigins     = 8
	// MaxRosterLife is the longest that a roster counts: then officers sign again.
	MaxRosterLife = 400 * 24 * time.Hour
	maxPublic     = 1 << 10
	maxCredential = 1023 // of WebAuthn
)

// OfficersGroup is the group of everyone whose Officer is set. Nobody lists it in Groups.
const OfficersGroup = "officers"

// ErrRoster reports a roster that is malformed, contradicts itself, is of another
// environment, is older than the newest one seen, or is not signed by enough officers.
var ErrRoster = errors.New("roster is not valid")

// Roster is who may approve in one installation, and with which keys.
type Roster struct {
	Environment string   `json:"environment"`
	Version     uint64   `json:"version"` // grows by every change
	Created     int64    `json:"created"` // Unix seconds
	Expires     int64    `json:"expires"` // Unix seconds: from then on nobody's consent counts
	RPID        string   `json:"rpId"`    // of the site, to which passkeys are bound
	Origins     []string `json:"origins"` // of its pages, as browsers write them
	Officers    Officers `json:"officers"`
	Persons     []Person `json:"persons"` // sorted by id
}

// Officers are the offline keys that sign rosters: K different ones of them each time.
type Officers struct {
	Keys []string `json:"keys"` // Ed25519, 64 small hex digits each, sorted
	K    int      `json:"k"`    // also how many persons with Officer set unfreeze
}

// Person is somebody who may approve.
type Person struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Groups  []string `json:"groups"`  // sorted
	Keys    []Key    `json:"keys"`    // sorted by id
	Officer bool     `json:"officer"` // may freeze alone
}

// Key is one key of a person. No other key of the roster has the same ID or Public.
type Key struct {
	ID     string `json:"id"`
	Scheme Scheme `json:"scheme"`
	Public []byte `json:"public"` // as the Scheme says
	// Credential is the id that a passkey's authenticator gave; only passkeys have it.
	Credential []byte `json:"credential,omitempty"`
	// Synced is the flag "backup eligible" with which a passkey was added.
	Synced bool `json:"synced,omitempty"`
}

// Person returns the person with that id, or nil.
func (r *Roster) Person(id string) *Person {
	at, found := slices.BinarySearchFunc(r.Persons, id, func(p Person, id string) int { return strings.Compare(p.ID, id) })
	if !found {
		return nil
	}
	return &r.Persons[at]
}

// Key returns the person's key with that id, or nil.
func (p *Person) Key(id string) *Key {
	for at := range p.Keys {
		if p.Keys[at].ID == id {
			return &p.Keys[at]
		}
	}
	return nil
}

// Member returns the groups that a person counts for, OfficersGroup among them.
func (p *Person) Member() []string {
	groups := slices.Clone(p.Groups)
	if p.Officer {
		groups = append(groups, OfficersGroup)
	}
	return groups
}

// Expired reports whether nobody's consent counts any more by this roster.
func (r *Roster) Expired(now time.Time) bool { return now.Unix() >= r.Expires }

// Canonical returns the one form that officers sign: JSON as json.Marshal writes it.
// Errors: ErrRoster.
func (r *Roster) Canonical() ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRoster, err)
	}
	if len(text) > MaxRosterBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrRoster, len(text), MaxRosterBytes)
	}
	return text, nil
}

// Document is the SHA-256 of the canonical form in hex: the Document of the intent with
// which people approve a roster. Errors: ErrRoster.
func (r *Roster) Document() (string, error) {
	text, err := r.Canonical()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Check reports what contradicts itself. Errors: ErrRoster, with the field and what to do.
func (r *Roster) Check() error {
	life := r.Expires - r.Created
	switch {
	case r.Environment == "" || !legible(r.Environment, maxID):
		return fmt.Errorf("%w: environment: give the name of the installation, at most %d bytes", ErrRoster, maxID)
	case r.Version == 0:
		return fmt.Errorf("%w: version is zero: the first one is 1", ErrRoster)
	case r.Created <= 0 || life <= 0 || life > int64(MaxRosterLife/time.Second):
		return fmt.Errorf("%w: expires: it is created at %d and lasts %d s, at most %d", ErrRoster, r.Created, life, int64(MaxRosterLife/time.Second))
	case len(r.Persons) == 0 || len(r.Persons) > MaxPersons:
		return fmt.Errorf("%w: persons: there are %d, name 1 to %d", ErrRoster, len(r.Persons), MaxPersons)
	}
	if err := r.checkSite(); err != nil {
		return err
	}
	if err := r.Officers.Check(); err != nil {
		return err
	}
	return r.checkPersons()
}

func (r *Roster) checkSite() error {
	if r.RPID == "" || len(r.RPID) > 253 || r.RPID != strings.ToLower(r.RPID) || strings.ContainsAny(r.RPID, "/:@ ") {
		return fmt.Errorf("%w: rpId %.40q: give the domain of the site in small letters", ErrRoster, r.RPID)
	}
	if len(r.Origins) == 0 || len(r.Origins) > MaxOrigins {
		return fmt.Errorf("%w: origins: there are %d, name 1 to %d", ErrRoster, len(r.Origins), MaxOrigins)
	}
	for _, origin := range r.Origins {
		if err := checkOrigin(origin, r.RPID); err != nil {
			return fmt.Errorf("%w: origins: %.80q %w", ErrRoster, origin, err)
		}
	}
	return nil
}

func checkOrigin(origin, site string) error {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme+"://"+u.Host != origin || origin != strings.ToLower(origin) {
		return errors.New("is not written as browsers do, as in https://pay.example")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost") {
		return errors.New("is not safe: take https, or http on localhost")
	}
	if u.Hostname() != site && !strings.HasSuffix(u.Hostname(), "."+site) {
		return fmt.Errorf("is not of the site %s", site)
	}
	return nil
}

// Check reports officers whose keys are malformed or double, or too few. Errors:
// ErrRoster.
func (o *Officers) Check() error {
	if len(o.Keys) > MaxOfficers || o.K < 1 || o.K > len(o.Keys) {
		return fmt.Errorf("%w: officers: %d of %d sign: k is 1 to the number of keys, at most %d", ErrRoster, o.K, len(o.Keys), MaxOfficers)
	}
	last := ""
	for _, key := range o.Keys {
		raw, err := hex.DecodeString(key)
		if err != nil || len(raw) != ed25519.PublicKeySize || hex.EncodeToString(raw) != key {
			return fmt.Errorf("%w: officers: %.70q is not 64 small hex digits", ErrRoster, key)
		}
		if key <= last {
			return fmt.Errorf("%w: officers: %s is double or not sorted", ErrRoster, key)
		}
		last = key
	}
	return nil
}

func (r *Roster) checkPersons() error {
	last, officers, seen := "", 0, map[string]string{}
	for at := range r.Persons {
		p := &r.Persons[at]
		if !identifier(p.ID) || p.ID <= last {
			return fmt.Errorf("%w: persons: id %.40q is double, not sorted, or not a short name in small letters", ErrRoster, p.ID)
		}
		last = p.ID
		if p.Name == "" || !legible(p.Name, 2*maxID) {
			return fmt.Errorf("%w: persons: %s: name: give one of at most %d bytes", ErrRoster, p.ID, 2*maxID)
		}
		if err := p.checkGroups(); err != nil {
			return err
		}
		if err := p.checkKeys(seen); err != nil {
			return err
		}
		if p.Officer {
			officers++
		}
	}
	if officers < r.Officers.K {
		return fmt.Errorf("%w: persons: %d are officers, but %d unfreeze: set officer on more of them", ErrRoster, officers, r.Officers.K)
	}
	return nil
}

func (p *Person) checkGroups() error {
	last := ""
	if len(p.Groups) > MaxGroups {
		return fmt.Errorf("%w: persons: %s: groups: there are %d, at most %d", ErrRoster, p.ID, len(p.Groups), MaxGroups)
	}
	for _, group := range p.Groups {
		if !identifier(group) || group <= last {
			return fmt.Errorf("%w: persons: %s: group %.40q is double, not sorted, or not a short name in small letters", ErrRoster, p.ID, group)
		}
		if group == OfficersGroup {
			return fmt.Errorf("%w: persons: %s: group %s is made of those whose officer is set: set that", ErrRoster, p.ID, group)
		}
		last = group
	}
	return nil
}

// checkKeys finds keys that contradict themselves or that somebody has already; seen is
// whose each id, public key and credential is.
func (p *Person) checkKeys(seen map[string]string) error {
	if len(p.Keys) > MaxKeys {
		return fmt.Errorf("%w: persons: %s: keys: there are %d, at most %d", ErrRoster, p.ID, len(p.Keys), MaxKeys)
	}
	last := ""
	for at := range p.Keys {
		k := &p.Keys[at]
		if !identifier(k.ID) || k.ID <= last {
			return fmt.Errorf("%w: persons: %s: key %.40q is double, not sorted, or not a short name in small letters", ErrRoster, p.ID, k.ID)
		}
		last = k.ID
		if err := k.Check(); err != nil {
			return fmt.Errorf("%w: persons: %s: key %s: %w", ErrRoster, p.ID, k.ID, err)
		}
		names := []string{"id " + k.ID, "public " + string(k.material())}
		if k.Scheme == WebAuthn {
			names = append(names, "credential "+string(k.Credential))
		}
		for _, name := range names {
			if owner, double := seen[name]; double {
				return fmt.Errorf("%w: persons: %s: key %s is also a key of %s: each key is one person's", ErrRoster, p.ID, k.ID, owner)
			}
			seen[name] = p.ID
		}
	}
	return nil
}

// Check reports a key whose parts do not fit its scheme.
func (k *Key) Check() error {
	if k.Scheme != WebAuthn && (len(k.Credential) != 0 || k.Synced) {
		return errors.New("credential and synced are of passkeys")
	}
	switch k.Scheme {
	case WebAuthn:
		return k.checkPasskey()
	case Ed25519:
		if len(k.Public) != ed25519.PublicKeySize {
			return fmt.Errorf("public has %d bytes, an Ed25519 key %d", len(k.Public), ed25519.PublicKeySize)
		}
	case EIP712:
		if len(k.Public) != addressBytes || bytes.Equal(k.Public, make([]byte, addressBytes)) {
			return fmt.Errorf("public has %d bytes or is zero, an address has %d", len(k.Public), addressBytes)
		}
	default:
		return fmt.Errorf("scheme %.40q: it is webauthn, ed25519 or eip712", k.Scheme)
	}
	return nil
}

func (k *Key) checkPasskey() error {
	if len(k.Credential) == 0 || len(k.Credential) > maxCredential || len(k.Public) > maxPublic {
		return errors.New("credential is missing, or it or public is too long: give those of the passkey")
	}
	if _, err := parseCOSE(k.Public); err != nil {
		return fmt.Errorf("public: %w", err)
	}
	return nil
}

// material is what two keys that are one have in common, whatever form it is in.
func (k *Key) material() []byte {
	if k.Scheme != WebAuthn {
		return k.Public
	}
	key, err := parseCOSE(k.Public)
	if err != nil {
		return k.Public
	}
	return key.material()
}
