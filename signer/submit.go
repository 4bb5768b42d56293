package signer

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/treasury/consent"
	meant "strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// maxHeld bounds the versions of policies, the entries of allow-lists and the freezes that
// a journal may hold: more of them are somebody's flood.
const maxHeld = 100_000

// decision is a decree with its document, before it is kept.
type decision struct {
	of       string // type of the record
	decree   decree
	document []byte // nil: none
	known    bool   // it was taken before
}

// Submit takes what people or officers decided: a roster, a policy, an entry of an
// allow-list, or that signing goes on. The same again changes nothing. While signing is
// stopped all of these are taken: they sign nothing. Errors wrap ErrInvalid, ErrRefused or
// ErrJournal.
func (s *Signer) Submit(req *signerv1.SubmitRequest) (*signerv1.SubmitResponse, error) {
	if s.council == nil {
		return nil, errNoTreasury()
	}
	if hasUnknown(req.ProtoReflect()) || len(req.GetIntentText()) > meant.MaxBytes || len(req.GetDocument()) > maxDocumentBytes {
		return nil, fmt.Errorf("%w: a field is unknown or too long", ErrInvalid)
	}
	approvals, err := parseApprovals(req.GetApprovals())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.journal.now(s.cfg.Clock())
	d, err := s.council.submitted(req.GetIntentText(), req.GetDocument(), approvals, at)
	if err != nil {
		return nil, err
	}
	return &signerv1.SubmitResponse{Known: d.known}, s.decree(d, at)
}

func errNoTreasury() error {
	return fmt.Errorf("%w: this signer does not verify consent: configure its treasury", ErrRefused)
}

// decree keeps a decision: its document first, so that the journal names nothing that is
// not there.
func (s *Signer) decree(d decision, at time.Time) error {
	if d.known {
		return nil
	}
	if s.journal.broken != nil {
		return s.journal.broken
	}
	if d.document != nil {
		var err error
		if d.decree.Document, err = putDocument(s.state, d.document); err != nil {
			return err
		}
	}
	r, err := s.journal.append(record{Type: d.of, Decree: &d.decree}, at)
	if err != nil {
		return err
	}
	if err := s.apply(r); err != nil {
		s.journal.broken = err // memory and journal differ: only a restart mends that
		return err
	}
	return nil
}

// Freeze stops all signing by one officer's signed word, at once and over restarts. Where
// the journal cannot be written the signer is stopped anyway.
func (s *Signer) Freeze(text []byte) error {
	if s.council == nil {
		return errNoTreasury()
	}
	f, err := consent.ParseFreeze(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c, at := s.council, s.journal.now(s.cfg.Clock())
	if c.roster == nil {
		return fmt.Errorf("%w: there is no roster yet, and nothing is signed", ErrRefused)
	}
	if err := c.roster.VerifyFreeze(&f, at); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	document := freezeDocument(&f)
	standing := slices.ContainsFunc(c.freezes, func(g consent.Freeze) bool { return freezeDocument(&g) == document })
	switch {
	case standing:
		return nil
	case c.frozenOnce[document]:
		return fmt.Errorf("%w: this freeze was lifted: sign another one", ErrRefused)
	}
	if err := s.decree(decision{of: recordFreeze, decree: decree{Freeze: &f}}, at); err != nil {
		return errors.Join(err, Freeze(s.cfg.Dir))
	}
	return nil
}

// Disallow takes an address out of an allow-list at once, and reports whether it was not
// in it. It only tightens: nobody is asked.
func (s *Signer) Disallow(owner, chain, address string) (known bool, err error) {
	if s.council == nil {
		return false, errNoTreasury()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	who, err := s.council.payee(owner, chain, address)
	if err != nil {
		return false, err
	}
	if _, is := s.council.allowed[who]; !is {
		return true, nil
	}
	return false, s.decree(decision{of: recordDisallow, decree: decree{Disallow: &who}}, s.journal.now(s.cfg.Clock()))
}

// submitted judges what was handed over.
func (c *council) submitted(text, document []byte, approvals []approval, at time.Time) (decision, error) {
	if len(text) == 0 {
		if len(approvals) > 0 {
			return decision{}, fmt.Errorf("%w: a roster is signed by officers, and comes without approvals", ErrInvalid)
		}
		return c.submitRoster(document)
	}
	i, err := meant.Parse(text)
	if err != nil {
		return decision{}, fmt.Errorf("%w: intent_text: %w", ErrInvalid, err)
	}
	if c.roster == nil {
		return decision{}, fmt.Errorf("%w: there is no roster yet: submit the one that officers signed", ErrRefused)
	}
	d := decision{document: document, decree: decree{Intent: string(text), Approvals: approvals}}
	var decided policy.Decision
	switch i.Action { //nolint:exhaustive // nothing else is handed over
	case meant.Policy:
		decided, err = c.submitPolicy(&d, &i, at)
	case meant.Allow:
		decided, err = c.submitAllow(&d, &i, at)
	case meant.Unfreeze:
		decided, err = c.submitUnfreeze(&d, &i)
	default:
		return decision{}, fmt.Errorf("%w: action: nobody hands over a %s", ErrInvalid, i.Action)
	}
	if err != nil || d.known {
		return d, err
	}
	j, err := c.judge(&i, &decided, approvals, at)
	d.decree.Counts = j.Counts
	return d, err
}

func (c *council) submitRoster(document []byte) (decision, error) {
	r, err := consent.ParseRoster(document, c.trust(), c.newest())
	if err != nil {
		return decision{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	sum := sha256.Sum256(document)
	d := decision{of: recordRoster, document: document, known: hex.EncodeToString(sum[:]) == c.rosterName}
	if r.Version == c.newest() && !d.known {
		return decision{}, fmt.Errorf("%w: version: another text of roster %d is in force: give it a higher one", ErrRefused, r.Version)
	}
	return d, nil
}

// submitPolicy: the first policy is for officers to agree to, every other one for those
// whom the one in force names. None is ever let through without people.
func (c *council) submitPolicy(d *decision, i *meant.Intent, at time.Time) (policy.Decision, error) {
	p, err := c.policyOf(d, i)
	if err != nil {
		return policy.Decision{}, err
	}
	newest := uint64(0)
	if n := len(c.policies); n > 0 {
		newest = c.policies[n-1].Version
	}
	switch earliest := at.Unix() + c.cfg.PolicyDelay; {
	case d.known:
		return policy.Decision{}, nil
	case p.Version <= newest || len(c.policies) >= maxHeld:
		return policy.Decision{}, fmt.Errorf("%w: version: it is %d, and %d is here already", ErrRefused, p.Version, newest)
	case c.inForce(at) == nil:
		return c.officers(), nil
	case p.NotBefore < earliest:
		return policy.Decision{}, fmt.Errorf("%w: notBefore: it is %d, and %d is the earliest now", ErrRefused, p.NotBefore, earliest)
	}
	return c.asked(i, at)
}

// policyOf reads the policy that people were asked about.
func (c *council) policyOf(d *decision, i *meant.Intent) (*policy.Policy, error) {
	p, err := policy.Parse(d.document)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if d.document, err = p.Canonical(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	document, err := p.Document()
	if err != nil || document != i.Document || p.Environment != c.cfg.Environment {
		return nil, fmt.Errorf("%w: document: it is not the policy that people were asked about, or of another environment", ErrInvalid)
	}
	d.of = recordPolicy
	d.known = slices.ContainsFunc(c.policies, func(held heldPolicy) bool { return held.document == document })
	return p, nil
}

func (c *council) submitAllow(d *decision, i *meant.Intent, at time.Time) (policy.Decision, error) {
	e, document, err := parseEntry(d.document)
	if err != nil {
		return policy.Decision{}, err
	}
	if document != i.Document || e.ID != i.ID || e.Chain != i.Chain {
		return policy.Decision{}, fmt.Errorf("%w: document: it is not the entry that people were asked about", ErrInvalid)
	}
	who, err := c.payee(e.Owner, e.Chain, e.Address)
	if err != nil {
		return policy.Decision{}, err
	}
	d.of = recordAllow
	had, is := c.entries[e.ID]
	_, allowed := c.allowed[who]
	switch {
	case is && had == document:
		d.known = true
		return policy.Decision{}, nil
	case is || allowed || len(c.entries) >= maxHeld:
		return policy.Decision{}, fmt.Errorf("%w: entry: its id was used, or the address is allowed already", ErrRefused)
	}
	return c.asked(i, at)
}

// submitUnfreeze: an intent to unfreeze names the newest freeze that stands, so that it
// lifts none that came after people were asked.
func (c *council) submitUnfreeze(d *decision, i *meant.Intent) (policy.Decision, error) {
	if len(d.document) > 0 {
		return policy.Decision{}, fmt.Errorf("%w: document: an unfreeze comes without", ErrInvalid)
	}
	d.of, d.document = recordUnfreeze, nil
	if len(c.freezes) == 0 && c.frozenOnce[i.Document] {
		d.known = true
		return policy.Decision{}, nil
	}
	if len(c.freezes) == 0 || freezeDocument(&c.freezes[len(c.freezes)-1]) != i.Document {
		return policy.Decision{}, fmt.Errorf("%w: document: it is not the newest freeze that stands: ask again", ErrRefused)
	}
	return c.officers(), nil
}

// officers is the decision that as many officers have to agree as sign rosters.
func (c *council) officers() policy.Decision {
	return policy.Decision{Outcome: policy.Quorum, Requirement: c.roster.Unfreezing(), Lives: meant.MaxLife}
}

// asked is what the policy in force says to what moves no money; people it has to be.
func (c *council) asked(i *meant.Intent, at time.Time) (policy.Decision, error) {
	p, err := c.ready(at)
	if err != nil {
		return policy.Decision{}, err
	}
	f := policy.Of(i, "", "", c.groups(i.Requester), at)
	decided := p.Decide(&f)
	if decided.Outcome != policy.Quorum {
		return decided, fmt.Errorf("%w: policy %d lets no people decide this: %s", ErrRefused, p.Version, decided.Sentence)
	}
	return decided, nil
}

// status is what Status says of consent.
func (c *council) status(at time.Time) *signerv1.Treasury {
	out := &signerv1.Treasury{Environment: c.cfg.Environment, RosterVersion: c.newest(), PolicyVersion: c.version(at)}
	if n := len(c.policies); n > 0 && c.policies[n-1].Version != out.PolicyVersion {
		out.NextPolicy, out.NextPolicyFrom = c.policies[n-1].Version, c.policies[n-1].NotBefore
	}
	if n := len(c.freezes); n > 0 {
		f := &c.freezes[n-1]
		out.Frozen = &signerv1.Frozen{Person: f.Person, Reason: f.Reason, At: f.At, Document: freezeDocument(f)}
	}
	return out
}
