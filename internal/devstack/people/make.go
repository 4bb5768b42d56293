package people

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"strongroom/treasury/consent"
	"strongroom/treasury/consent/softkey"
)

const (
	officers   = 3
	k          = 2
	rosterLife = 365 * 24 * time.Hour
	// Site is where passkeys of the stack are bound to. Browsers take no bare address.
	Site = "localhost"
)

// Config says what is founded.
type Config struct {
	Dir         string // of the treasury's files
	Environment string
	Origin      string // of the treasury's page: "http://localhost:18082"
	// Safe is the address of the vault on the chain with accounts, a contract that the people
	// own as Owners says, and SafeDeployer who deployed what it is made of. Empty: there is
	// none.
	Safe, SafeDeployer string
	// Token is the contract of the dollars that it holds too.
	Token string
	Clock func() time.Time
}

// person is who comes with a development stack.
type person struct {
	id, name string
	officer  bool
}

func persons() []person {
	return []person{{"ada", "Ada", true}, {"bob", "Bob", true}, {"cem", "Cem", false}}
}

// Names lists the people's ids.
func Names() []string {
	list := make([]string, 0, len(persons()))
	for _, p := range persons() {
		list = append(list, p.id)
	}
	return list
}

// Officers lists the ids of those who are officers too.
func Officers() []string {
	var list []string
	for _, p := range persons() {
		if p.officer {
			list = append(list, p.id)
		}
	}
	return list
}

// KeyFile is where a person's key is: "api" or "passkey".
func KeyFile(dir, person, key string) string { return filepath.Join(dir, person, key+".json") }

// Make makes what is missing in the folder, and signs a newer roster where the page has
// moved. Files that are there stay.
func Make(cfg Config) error {
	keys, err := officerKeys(cfg.Dir)
	if err != nil {
		return err
	}
	roster, err := cfg.roster(keys)
	if err != nil {
		return err
	}
	if err := cfg.vaults(); err != nil {
		return err
	}
	if err := cfg.policy(); err != nil {
		return err
	}
	return cfg.files(roster.Officers)
}

// officerKeys draws the officers' keys once.
func officerKeys(dir string) ([]ed25519.PrivateKey, error) {
	keys := make([]ed25519.PrivateKey, officers)
	for n := range keys {
		seed, err := once(filepath.Join(dir, "officers", fmt.Sprintf("%d.key", n+1)), func() ([]byte, error) {
			seed := make([]byte, ed25519.SeedSize)
			if _, err := rand.Read(seed); err != nil {
				return nil, fmt.Errorf("draw key: %w", err)
			}
			return []byte(hex.EncodeToString(seed)), nil
		})
		if err != nil {
			return nil, err
		}
		raw, err := hex.DecodeString(string(seed))
		if err != nil || len(raw) != ed25519.SeedSize {
			return nil, fmt.Errorf("officer %d: not a key: %w", n+1, err)
		}
		keys[n] = ed25519.NewKeyFromSeed(raw)
	}
	return keys, nil
}

// roster reads the newest roster, or signs one that names this page.
func (c *Config) roster(keys []ed25519.PrivateKey) (*consent.Roster, error) {
	file := filepath.Join(c.Dir, rosterFile)
	var have consent.SignedRoster
	var is consent.Roster
	text, err := os.ReadFile(file) //nolint:gosec // our own folder
	if err == nil {
		if err := errors.Join(json.Unmarshal(text, &have), json.Unmarshal(have.Roster, &is)); err != nil {
			return nil, fmt.Errorf("read roster: %w", err)
		}
		if slices.Equal(is.Origins, []string{c.Origin}) {
			return &is, nil
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read roster: %w", err)
	}
	next, err := c.newRoster(keys, is.Version+1)
	if err != nil {
		return nil, err
	}
	var signatures []consent.RosterSignature
	for _, key := range keys[:k] {
		s, err := consent.SignRoster(next, key)
		if err != nil {
			return nil, fmt.Errorf("sign roster: %w", err)
		}
		signatures = append(signatures, s)
	}
	signed, err := consent.JoinRoster(next, signatures...)
	if err != nil {
		return nil, fmt.Errorf("sign roster: %w", err)
	}
	return next, write(file, signed)
}

func (c *Config) newRoster(keys []ed25519.PrivateKey, version uint64) (*consent.Roster, error) {
	now := c.Clock()
	r := &consent.Roster{
		Environment: c.Environment, Version: version, Created: now.Unix(), Expires: now.Add(rosterLife).Unix(), RPID: Site, Origins: []string{c.Origin},
		Officers: consent.Officers{K: k},
	}
	for _, key := range keys {
		r.Officers.Keys = append(r.Officers.Keys, hex.EncodeToString(key[ed25519.SeedSize:]))
	}
	slices.Sort(r.Officers.Keys)
	for _, p := range persons() {
		is := consent.Person{ID: p.id, Name: p.name, Groups: []string{"treasury"}, Officer: p.officer}
		for name, draw := range map[string]func(id string) (*softkey.Key, error){
			"api": softkey.New, "passkey": func(id string) (*softkey.Key, error) { return softkey.NewPasskey(id, Site, c.Origin) },
		} {
			key, err := c.key(p.id, name, draw)
			if err != nil {
				return nil, err
			}
			is.Keys = append(is.Keys, key.Public())
		}
		slices.SortFunc(is.Keys, func(a, b consent.Key) int { return cmpText(a.ID, b.ID) })
		r.Persons = append(r.Persons, is)
	}
	return r, nil
}

// key draws a person's key once. A passkey that was made for another origin is drawn anew.
func (c *Config) key(person, name string, draw func(id string) (*softkey.Key, error)) (*softkey.Key, error) {
	file := KeyFile(c.Dir, person, name)
	text, err := once(file, func() ([]byte, error) {
		key, err := draw(person + "-" + name)
		if err != nil {
			return nil, fmt.Errorf("draw key of %s: %w", person, err)
		}
		return key.File()
	})
	if err != nil {
		return nil, err
	}
	key, err := softkey.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", person, err)
	}
	if key.Origin() == "" || key.Origin() == c.Origin {
		return key, nil
	}
	moved := key.At(c.Origin)
	if text, err = moved.File(); err != nil {
		return nil, fmt.Errorf("key of %s: %w", person, err)
	}
	return moved, write(file, text)
}

// once returns what is in a file, writing content where it is missing.
func once(file string, content func() ([]byte, error)) ([]byte, error) {
	have, err := os.ReadFile(file) //nolint:gosec // our own folder
	if err == nil {
		return have, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	made, err := content()
	if err != nil {
		return nil, err
	}
	return made, write(file, made)
}

// write writes a file that only we can read, whole or not at all.
func write(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("replace %s: %w", file, err)
	}
	return nil
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
