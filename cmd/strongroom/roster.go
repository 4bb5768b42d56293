package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"strongroom/treasury/cold"
	"strongroom/treasury/consent"
)

// rosterCommand is what officers do without network, and how a roster gets in force.
type rosterCommand struct {
	Officer rosterOfficerCommand `cmd:"" help:"Draw an officer's key into a new file, and print its public part. Works without network."`
	Add     rosterAddCommand     `cmd:"" help:"Write the next roster with one key more, for officers to sign. Works without network."`
	Enroll  rosterEnrollCommand  `cmd:"" help:"On a development stack, whose officers' keys lie in a folder: put a key on the roster, sign and publish it in one step."`
	Remove  rosterRemoveCommand  `cmd:"" help:"Write the next roster without a key or a person. Works without network."`
	Sign    rosterSignCommand    `cmd:"" help:"As an officer: show a roster, and sign it into a new file. Works without network."`
	Join    rosterJoinCommand    `cmd:"" help:"Join officers' signatures into a signed roster. Works without network."`
	Show    rosterShowCommand    `cmd:"" help:"Show a signed roster, after verifying it."`
	Publish rosterPublishCommand `cmd:"" help:"Put a signed roster in force; what waits for consent is asked again."`
}

const maxRosterFile = 2 * consent.MaxRosterBytes

type rosterOfficerCommand struct {
	Out string `help:"File for the key; made anew, never overwritten." required:"" placeholder:"FILE"`
}

// Run draws a key.
func (c *rosterOfficerCommand) Run(e *env) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("draw key: %w", err)
	}
	if err := cold.WriteNew(c.Out, []byte(hex.EncodeToString(private.Seed())+"\n")); err != nil {
		return err
	}
	e.printf("%s\n", hex.EncodeToString(public))
	return nil
}

type rosterSignCommand struct {
	Roster string `arg:"" help:"The roster, as JSON." type:"existingfile"`
	Key    string `help:"File of the officer's key." required:"" type:"existingfile" placeholder:"FILE"`
	Out    string `help:"New file for the signature." required:"" placeholder:"FILE"`
	Hash   string `name:"yes-i-have-compared" help:"SHA-256 of the roster's canonical form that was compared: shown where left out." placeholder:"HASH"`
}

// Run shows a roster and signs it.
func (c *rosterSignCommand) Run(e *env) error {
	r, err := readRoster(c.Roster)
	if err != nil {
		return err
	}
	document, err := r.Document()
	if err != nil {
		return err
	}
	if c.Hash != document {
		if err := printRoster(e, r); err != nil {
			return err
		}
		return fmt.Errorf("%w: not signed: compare all of it, then give --yes-i-have-compared %s", errUsage, document)
	}
	private, err := officerKey(c.Key)
	if err != nil {
		return err
	}
	signature, err := consent.SignRoster(r, private)
	if err != nil {
		return err
	}
	out, err := json.Marshal(signature)
	if err != nil {
		return fmt.Errorf("encode signature: %w", err)
	}
	if err := cold.WriteNew(c.Out, append(out, '\n')); err != nil {
		return err
	}
	e.printf("roster %d signed by %s in %s\n", r.Version, signature.Officer, c.Out)
	return nil
}

// officerKey reads the key of an officer.
func officerKey(file string) (ed25519.PrivateKey, error) {
	text, err := cold.ReadFile(file, maxRosterFile)
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%w: %s: not the key of an officer, as roster officer draws it", errUsage, file)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// readRoster reads a roster, laid out for people or not.
func readRoster(file string) (*consent.Roster, error) {
	text, err := cold.ReadFile(file, maxRosterFile)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	var r consent.Roster
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("%w: %s: not a roster: %w", errUsage, file, err)
	}
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &r, nil
}

func printRoster(e *env, r *consent.Roster) error {
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	day := func(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
	_, _ = fmt.Fprintf(w, "roster %d of %s, from %s until %s\n", r.Version, r.Environment, day(r.Created), day(r.Expires))
	_, _ = fmt.Fprintf(w, "passkeys of %s on %s\n", r.RPID, strings.Join(r.Origins, ", "))
	for _, officer := range r.Officers.Keys {
		_, _ = fmt.Fprintf(w, "officer's key\t%s\t%d of them sign\n", officer, r.Officers.K)
	}
	for i := range r.Persons {
		p := &r.Persons[i]
		for _, key := range p.Keys {
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%x\n", p.ID, p.Name, strings.Join(p.Member(), ","), key.ID, key.Scheme, key.Public)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

type rosterJoinCommand struct {
	Roster     string   `arg:"" help:"The roster, as JSON." type:"existingfile"`
	Signatures []string `arg:"" help:"Files of signatures." type:"existingfile"`
	Out        string   `help:"New file for the signed roster." required:"" placeholder:"FILE"`
}

// Run joins signatures, and verifies what comes of it.
func (c *rosterJoinCommand) Run(e *env) error {
	r, err := readRoster(c.Roster)
	if err != nil {
		return err
	}
	var signatures []consent.RosterSignature
	for _, file := range c.Signatures {
		text, err := cold.ReadFile(file, maxRosterFile)
		if err != nil {
			return err
		}
		var s consent.RosterSignature
		if err := json.Unmarshal(text, &s); err != nil {
			return fmt.Errorf("%w: %s: not a signature: %w", errUsage, file, err)
		}
		signatures = append(signatures, s)
	}
	signed, err := consent.JoinRoster(r, signatures...)
	if err != nil {
		return err
	}
	if _, err := consent.ParseRoster(signed, consent.Trust{Environment: r.Environment, Officers: r.Officers}, 0); err != nil {
		return err
	}
	if err := cold.WriteNew(c.Out, signed); err != nil {
		return err
	}
	e.printf("roster %d, signed by %d officers, in %s\n", r.Version, len(signatures), c.Out)
	return nil
}

type rosterShowCommand struct {
	Signed   string   `arg:"" help:"A signed roster." type:"existingfile"`
	Officers []string `help:"Public keys of officers who are trusted; those that it names where left out." placeholder:"HEX"`
	K        int      `name:"k" help:"How many of them sign." default:"0"`
}

// itself says that a roster vouches for itself only.
const itself = "its officers are those that it names itself: give --officers and --k to verify whom you trust"

// Run verifies and shows a roster.
func (c *rosterShowCommand) Run(e *env) error {
	text, err := cold.ReadFile(c.Signed, maxRosterFile)
	if err != nil {
		return err
	}
	var outer consent.SignedRoster
	var named consent.Roster
	if err := errors.Join(json.Unmarshal(text, &outer), json.Unmarshal(outer.Roster, &named)); err != nil {
		return fmt.Errorf("%w: %s: not a signed roster: %w", errUsage, c.Signed, err)
	}
	trust := consent.Trust{Environment: named.Environment, Officers: named.Officers}
	if len(c.Officers) > 0 {
		trust.Officers = consent.Officers{Keys: c.Officers, K: c.K}
	}
	r, err := consent.ParseRoster(text, trust, 0)
	if err != nil {
		return err
	}
	if err := printRoster(e, r); err != nil {
		return err
	}
	if len(c.Officers) == 0 {
		e.printf("%s\n", itself)
	}
	return nil
}

type rosterPublishCommand struct {
	deskFlags

	Signed string `arg:"" help:"A signed roster." type:"existingfile"`
}

// Run puts a roster in force.
func (c *rosterPublishCommand) Run(e *env) error {
	signed, err := os.ReadFile(c.Signed)
	if err != nil {
		return fmt.Errorf("read roster: %w", err)
	}
	return c.with(e, func(d *treasuryHouse) error {
		row, err := d.desk.PublishRoster(e.ctx, signed)
		if err != nil {
			return err
		}
		e.printf("roster %d is in force; the worker tells the signer\n", row.Version)
		return nil
	})
}
