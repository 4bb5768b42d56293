package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"strongroom/treasury/cold"
	"strongroom/treasury/consent"
)

// rosterChange says which roster is changed, and where the next one goes.
type rosterChange struct {
	Roster string `help:"The roster that is changed: signed, or as JSON." required:"" type:"existingfile" placeholder:"FILE"`
	Days   int    `help:"For how many days the next one counts." default:"365"`
	Out    string `help:"New file for the next roster, for officers to sign." required:"" placeholder:"FILE"`
}

// next makes a roster the next version, in order.
func (c *rosterChange) next(e *env, r *consent.Roster) error {
	now := e.clock()
	r.Version++
	r.Created, r.Expires = now.Unix(), now.Add(time.Duration(c.Days)*24*time.Hour).Unix()
	slices.SortFunc(r.Persons, func(a, b consent.Person) int { return strings.Compare(a.ID, b.ID) })
	for i := range r.Persons {
		slices.SortFunc(r.Persons[i].Keys, func(a, b consent.Key) int { return strings.Compare(a.ID, b.ID) })
	}
	return r.Check()
}

// write checks the next version of a roster and keeps it.
func (c *rosterChange) write(e *env, r *consent.Roster) error {
	if err := c.next(e, r); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode roster: %w", err)
	}
	if err := cold.WriteNew(c.Out, append(text, '\n')); err != nil {
		return err
	}
	e.printf("roster %d in %s: officers sign it (roster sign), somebody joins their signatures (roster join), and publishes it (roster publish)\n", r.Version, c.Out)
	return nil
}

// read reads a roster, signed or not.
func (c *rosterChange) read() (*consent.Roster, error) {
	text, err := cold.ReadFile(c.Roster, maxRosterFile)
	if err != nil {
		return nil, err
	}
	var outer consent.SignedRoster
	if json.Unmarshal(text, &outer) != nil || len(outer.Roster) == 0 {
		return readRoster(c.Roster)
	}
	var r consent.Roster
	if err := json.Unmarshal(outer.Roster, &r); err != nil {
		return nil, fmt.Errorf("%w: --roster %s: not a roster: %w", errUsage, c.Roster, err)
	}
	return &r, nil
}

type rosterAddCommand struct {
	rosterChange

	Key     string   `arg:"" help:"A key as /treasury/enroll, treasury key or a wallet's owner gives it: JSON with id, scheme, public and credential." type:"existingfile"`
	Person  string   `help:"Whose it is: an id." required:"" placeholder:"ID"`
	Name    string   `help:"Of somebody new." placeholder:"TEXT"`
	Groups  []string `name:"group" help:"Of somebody new; may be given more than once." placeholder:"NAME"`
	Officer bool     `help:"Somebody new may freeze alone."`
}

// Run writes the next roster with one key more.
func (c *rosterAddCommand) Run(e *env) error {
	r, err := c.read()
	if err != nil {
		return err
	}
	if err := c.add(e, r); err != nil {
		return err
	}
	return c.write(e, r)
}

// add puts the key on a roster.
func (c *rosterAddCommand) add(e *env, r *consent.Roster) error {
	text, err := cold.ReadFile(c.Key, consent.MaxApprovalBytes)
	if err != nil {
		return err
	}
	var key consent.Key
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&key); err != nil {
		return fmt.Errorf("%w: %s: not a key: %w", errUsage, c.Key, err)
	}
	switch p := r.Person(c.Person); {
	case p != nil && (c.Name != "" || len(c.Groups) > 0 || c.Officer):
		return fmt.Errorf("%w: --name, --group and --officer are of somebody new: %s is on the roster", errUsage, c.Person)
	case p != nil:
		p.Keys = append(slices.Clone(p.Keys), key)
	case c.Name == "":
		return fmt.Errorf("%w: --name: %s is new: say who that is", errUsage, c.Person)
	default:
		slices.Sort(c.Groups)
		r.Persons = append(r.Persons, consent.Person{ID: c.Person, Name: c.Name, Groups: c.Groups, Officer: c.Officer, Keys: []consent.Key{key}})
	}
	sum := sha256.Sum256(key.Public)
	e.printf("%s gets %s (%s); SHA-256 of the public key, to compare with its owner: %s\n", c.Person, key.ID, key.Scheme, hex.EncodeToString(sum[:]))
	return nil
}

type rosterRemoveCommand struct {
	rosterChange

	Person string `arg:"" help:"Whose keys, or who: an id."`
	Key    string `help:"Only this key of theirs." placeholder:"ID"`
}

// Run writes the next roster without a key or a person.
func (c *rosterRemoveCommand) Run(e *env) error {
	r, err := c.read()
	if err != nil {
		return err
	}
	p := r.Person(c.Person)
	if p == nil || c.Key != "" && p.Key(c.Key) == nil {
		return fmt.Errorf("%w: %s %s is not on the roster", errUsage, c.Person, c.Key)
	}
	if c.Key == "" {
		r.Persons = slices.DeleteFunc(r.Persons, func(is consent.Person) bool { return is.ID == c.Person })
	} else {
		p.Keys = slices.DeleteFunc(p.Keys, func(is consent.Key) bool { return is.ID == c.Key })
	}
	return c.write(e, r)
}

type rosterEnrollCommand struct {
	deskFlags

	Key      string   `arg:"" help:"A key as /treasury/enroll gives it." type:"existingfile"`
	Person   string   `help:"Whose it is: ada, bob, cem, or somebody new." required:"" placeholder:"ID"`
	Name     string   `help:"Of somebody new." placeholder:"TEXT"`
	Groups   []string `name:"group" help:"Of somebody new; may be given more than once." placeholder:"NAME"`
	Officer  bool     `help:"Somebody new may freeze alone."`
	Officers string   `help:"Folder of the officers' keys; that of the development stack where left out." placeholder:"DIR"`
}

// Run does in one step what takes several people elsewhere.
func (c *rosterEnrollCommand) Run(e *env) error {
	dir := cmp.Or(c.Officers, filepath.Join(filepath.Dir(c.Treasury), "officers"))
	keys, err := filepath.Glob(filepath.Join(dir, "*.key"))
	if err != nil || len(keys) == 0 {
		return fmt.Errorf("%w: --officers: there are no keys in %s; elsewhere officers sign rosters offline (roster add, sign, join, publish)", errUsage, dir)
	}
	return c.with(e, func(d *treasuryHouse) error {
		is, _, err := d.desk.Roster(e.ctx)
		if err != nil {
			return err
		}
		next := *is
		next.Persons = slices.Clone(is.Persons)
		add := rosterAddCommand{rosterChange: rosterChange{Days: enrolledDays}, Key: c.Key, Person: c.Person, Name: c.Name, Groups: c.Groups, Officer: c.Officer}
		if err := errors.Join(add.add(e, &next), add.next(e, &next)); err != nil {
			return err
		}
		signed, err := signWith(&next, keys)
		if err != nil {
			return err
		}
		row, err := d.desk.PublishRoster(e.ctx, signed)
		if err != nil {
			return err
		}
		e.printf("roster %d is in force\n", row.Version)
		return nil
	})
}

// enrolledDays is for how long a development roster counts.
const enrolledDays = 365

// signWith has as many officers sign as it takes.
func signWith(r *consent.Roster, keys []string) ([]byte, error) {
	var signatures []consent.RosterSignature
	for _, file := range keys[:min(r.Officers.K, len(keys))] {
		private, err := officerKey(file)
		if err != nil {
			return nil, err
		}
		signature, err := consent.SignRoster(r, private)
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, signature)
	}
	return consent.JoinRoster(r, signatures...)
}
