package signer

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"strongroom/treasury/consent"
	meant "strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// ownRequester is before the kind of what the signer's own rules move; nobody else may
// call themselves so.
const ownRequester = "signer:"

// customerPrefix is before a customer's id.
const customerPrefix = "customer:"

// council is what the journal says that people and officers decided, and what was moved
// since. It is rebuilt from the journal at each start and changes only by apply.
type council struct {
	cfg    Treasury
	state  string // folder of the documents
	chains map[string]chain
	vaults map[string]VaultAddress // by chain and place

	roster     *consent.Roster
	rosterName string
	policies   []heldPolicy // versions grow; one at least may be in force
	entries    map[string]string
	allowed    map[payee]time.Time // from when on
	freezes    []consent.Freeze    // that stand
	frozenOnce map[string]bool     // each that ever did, by its document
	counts     consent.Counts

	moves   []moveOf // as old as the longest window at most
	tally   *policy.Tally
	tallied uint64 // version whose windows the tally counts
}

type heldPolicy struct {
	*policy.Policy
	document string
}

type moveOf struct {
	id string
	policy.Moved
}

func newCouncil(cfg Treasury, state string, chains map[string]chain) (*council, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c := &council{
		cfg: cfg, state: state, chains: chains, entries: map[string]string{},
		allowed: map[payee]time.Time{}, frozenOnce: map[string]bool{},
	}
	var err error
	c.vaults, err = cfg.vaultPlaces(chains)
	return c, err
}

// apply takes a record in; first says whether it is the first of its intent. What it names
// has to be there: errors wrap ErrJournal.
func (c *council) apply(r record, first bool) error {
	if r.Sign != nil {
		c.signed(r, first)
		return nil
	}
	if r.Decree == nil {
		return nil
	}
	d := r.Decree
	c.counts.Note(d.Counts...)
	var err error
	switch r.Type {
	case recordRoster:
		err = c.applyRoster(d)
	case recordPolicy:
		err = c.applyPolicy(d)
	case recordAllow:
		err = c.applyAllow(d, r.Time)
	case recordDisallow:
		delete(c.allowed, *d.Disallow)
	case recordFreeze:
		c.freezes = append(c.freezes, *d.Freeze)
		c.frozenOnce[freezeDocument(d.Freeze)] = true
	case recordUnfreeze:
		c.freezes = nil
	}
	if err != nil {
		return fmt.Errorf("%w: record %d: %w", ErrJournal, r.Seq, err)
	}
	return nil
}

// signed counts what was allowed to move.
func (c *council) signed(r record, first bool) {
	p := r.Sign
	if p.Grant != nil {
		c.counts.Note(p.Grant.Counts...)
	}
	action := p.Intent.Kind.action()
	if !first || action == "" {
		return
	}
	m := moveOf{p.Intent.ID, policy.Moved{
		Action: action, Asset: p.Intent.Asset, Requester: p.Grant.requester(p.Intent.Kind), Amount: p.Intent.Amount, At: r.Time.Unix(),
	}}
	oldest := r.Time.Add(-time.Duration(policy.MaxWindow)).Unix()
	keep := slices.IndexFunc(c.moves, func(m moveOf) bool { return m.At > oldest })
	if keep < 0 {
		keep = len(c.moves)
	}
	c.moves = append(c.moves[keep:], m)
	if c.tally != nil {
		c.tally.Add(m.Moved)
	}
}

// action is what an intent of the kind is for; empty where nothing moves.
func (k kind) action() meant.Action {
	switch k {
	case kindWithdrawal:
		return meant.Withdrawal
	case kindSweep, kindCollect, kindGasTopUp:
		return meant.Sweep
	case kindRefill:
		return meant.Refill
	case kindCancel:
	}
	return ""
}

func (c *council) applyRoster(d *decree) error {
	text, err := getDocument(c.state, d.Document)
	if err != nil {
		return err
	}
	r, err := consent.ParseRoster(text, c.trust(), c.newest())
	if err != nil {
		return fmt.Errorf("roster: %w", err)
	}
	c.roster, c.rosterName = r, d.Document
	return nil
}

func (c *council) trust() consent.Trust {
	return consent.Trust{Environment: c.cfg.Environment, Officers: c.cfg.Officers}
}

func (c *council) newest() uint64 {
	if c.roster == nil {
		return 0
	}
	return c.roster.Version
}

func (c *council) applyPolicy(d *decree) error {
	text, err := getDocument(c.state, d.Document)
	if err != nil {
		return err
	}
	p, err := policy.Parse(text)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	document, err := p.Document()
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	c.policies = append(c.policies, heldPolicy{p, document})
	return nil
}

func (c *council) applyAllow(d *decree, at time.Time) error {
	text, err := getDocument(c.state, d.Document)
	if err != nil {
		return err
	}
	e, document, err := parseEntry(text)
	if err != nil {
		return err
	}
	who, err := c.payee(e.Owner, e.Chain, e.Address)
	if err != nil {
		return err
	}
	c.entries[e.ID] = document
	c.allowed[who] = at.Add(time.Duration(e.Wait) * time.Second)
	return nil
}

// payee names who may pay where, however the address is written.
func (c *council) payee(owner, chain, address string) (payee, error) {
	on, known := c.chains[chain]
	if !known {
		return payee{}, fmt.Errorf("%w: %w: %.70q", ErrInvalid, ErrUnknownChain, chain)
	}
	place, err := on.place(address)
	return payee{owner, chain, place}, err
}

// inForce is the newest policy whose time has come, or nil.
func (c *council) inForce(at time.Time) *policy.Policy {
	for _, v := range slices.Backward(c.policies) {
		if v.NotBefore <= at.Unix() {
			return v.Policy
		}
	}
	return nil
}

// version is that of the policy in force; zero: there is none.
func (c *council) version(at time.Time) uint64 {
	if p := c.inForce(at); p != nil {
		return p.Version
	}
	return 0
}

// fill sets what moved in the windows of a policy before a request. Where the journal has
// an intent of that id, it is not counted beside itself.
func (c *council) fill(p *policy.Policy, f *policy.Facts, id string, known bool) {
	if known {
		var others []policy.Moved
		for _, m := range c.moves {
			if m.id != id {
				others = append(others, m.Moved)
			}
		}
		p.Fill(f, others)
		return
	}
	if c.tally == nil || c.tallied != p.Version {
		c.tally, c.tallied = policy.NewTally(p.Windows()...), p.Version
		for _, m := range c.moves {
			c.tally.Add(m.Moved)
		}
	}
	c.tally.Fill(f)
}

// groups are those that a requester is in, by the roster.
func (c *council) groups(requester string) []string {
	if p := c.roster.Person(requester); p != nil {
		return p.Member()
	}
	return nil
}

// frozen is ErrFrozen where an officer stopped signing.
func (c *council) frozen() error {
	if len(c.freezes) == 0 {
		return nil
	}
	f := c.freezes[len(c.freezes)-1]
	return fmt.Errorf("%w: by %s at %d: %s", ErrFrozen, f.Person, f.At, f.Reason)
}

// freezeDocument is what the intent that lifts a freeze names.
func freezeDocument(f *consent.Freeze) string {
	sum := f.Challenge()
	return hex.EncodeToString(sum[:])
}

// owner is whose allow-list counts for a requester.
func owner(requester string) string {
	if strings.HasPrefix(requester, customerPrefix) {
		return requester
	}
	return "house"
}
