package signer

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"strongroom/internal/planted"
	"strongroom/treasury/consent"
	meant "strongroom/treasury/intent"
	"strongroom/treasury/policy"
)

// decide says by what right an order's transaction is signed, or ErrInvalid, ErrRefused. h
// is what was signed for that id before, or nil.
//
// What consent was given for once goes on: the same text and the same approvals count for
// replacements, whose fees stay within what was agreed to, also after they have expired.
// One transaction of an intent at most is ever mined, so nothing more can leave by it.
func (c *council) decide(o order, d draft, h *history, at time.Time) (*grant, error) {
	digest, err := digestOf(o)
	if err != nil {
		return nil, err
	}
	if !o.Kind.asks() {
		if len(o.text) > 0 || len(o.approvals) > 0 || o.policy != "" {
			return nil, fmt.Errorf("%w: a %s comes without intent_text, approvals and policy_version: nobody is asked", ErrInvalid, o.Kind)
		}
		return c.decideOwn(o, d, h, digest, at)
	}
	i, err := c.match(o, d)
	if err != nil {
		return nil, err
	}
	if before, err := h.before(o, digest); err != nil || before != nil {
		return before, err
	}
	class, err := c.class(o, d, i)
	if err != nil {
		return nil, err
	}
	if err := c.current(i, at); err != nil {
		return nil, err
	}
	return c.consented(o, d, i, class, digest, h != nil, at)
}

// before is the grant by which this order's consent was signed before, or nil.
func (h *history) before(o order, digest string) (*grant, error) {
	if h == nil {
		return nil, nil
	}
	attempt, seen := h.byHash[hexHash(o.payloadHash)]
	g := h.grants[digest]
	if seen && len(h.grants) > 0 && (g == nil || attempt != o.attempt) {
		return nil, fmt.Errorf("%w: this transaction was signed for another request", ErrRefused)
	}
	if g == nil {
		return nil, nil
	}
	again := *g
	again.Counts = nil // they are noted
	return &again, nil
}

// digestOf names text and approvals of an order, as they came.
func digestOf(o order) (string, error) {
	approvals, err := json.Marshal(o.approvals)
	if err != nil {
		return "", fmt.Errorf("%w: approvals: %w", ErrInvalid, err)
	}
	head := binary.BigEndian.AppendUint64([]byte("strongroom signer consent\n"+o.Kind+"\n"), uint64(len(o.text)))
	sum := sha256.Sum256(slices.Concat(head, o.text, approvals))
	return hex.EncodeToString(sum[:]), nil
}

// decideOwn is for what goes from keys of ours to keys of ours. draft has seen to that; it
// is called a sweep to an own destination, and no policy can ask people about it. What is
// cancelled moves nothing, and is let through as long as anything is.
func (c *council) decideOwn(o order, d draft, h *history, digest string, at time.Time) (*grant, error) {
	if h != nil && h.grants[digest] != nil {
		return h.grants[digest], nil
	}
	if o.Kind == kindCancel {
		return &grant{Outcome: policy.Allow, Digest: digest}, nil
	}
	p, err := c.ready(at)
	if err != nil {
		return nil, err
	}
	f := policy.Facts{
		Environment: c.cfg.Environment, Action: o.Kind.action(), Chain: o.Chain, Asset: o.Asset, Contract: d.contract,
		Selector: d.selector, Amount: o.Amount, Class: policy.Own, Requester: ownRequester + string(o.Kind), At: at.Unix(),
	}
	c.fill(p, &f, o.ID, h != nil)
	decision := p.Decide(&f)
	if decision.Outcome != policy.Allow {
		return nil, fmt.Errorf("%w: policy %d, to a %s by %s: %s", ErrRefused, p.Version, f.Action, f.Requester, decision.Sentence)
	}
	return &grant{Class: f.Class, Outcome: decision.Outcome, Rule: ruleOf(&decision), Digest: digest}, nil
}

// ready is the policy in force, where there is a roster too: else nothing is signed.
func (c *council) ready(at time.Time) (*policy.Policy, error) {
	if c.roster == nil {
		return nil, fmt.Errorf("%w: there is no roster yet: submit the one that officers signed", ErrRefused)
	}
	p := c.inForce(at)
	if p == nil {
		return nil, fmt.Errorf("%w: no policy is in force: submit one", ErrRefused)
	}
	return p, nil
}

// match compares what people agreed to with the order, field by field. That the
// transaction is what the order says, draft has seen to.
func (c *council) match(o order, d draft) (*meant.Intent, error) {
	i, err := meant.Parse(o.text)
	if err != nil {
		return nil, fmt.Errorf("%w: intent_text: %w", ErrInvalid, err)
	}
	policyVersion := strconv.FormatUint(i.Policy, 10)
	for _, field := range []struct{ name, agreed, asked string }{
		{"environment", i.Environment, c.cfg.Environment},
		{"id", i.ID, o.ID},
		{"action", string(i.Action), string(o.Kind.action())},
		{"chain", i.Chain, o.Chain},
		{"genesis", i.Genesis, c.chains[o.Chain].genesis()},
		{"asset", i.Asset, o.Asset},
		{"contract", i.Contract, o.Contract},
		{"to", i.To, o.To},
		{"amount", i.Amount.String(), o.Amount.String()},
		{"policy", policyVersion, orElse(o.policy, policyVersion)},
	} {
		if field.agreed != field.asked && !planted.Live(planted.ChangedAfterwards) {
			return nil, fmt.Errorf("%w: %s: people are asked for %.70q, and this is %.70q", ErrInvalid, field.name, field.agreed, field.asked)
		}
	}
	if strings.HasPrefix(i.Requester, ownRequester) {
		return nil, fmt.Errorf("%w: requester: %.70q is the signer's own", ErrInvalid, i.Requester)
	}
	if i.MaxFee.Less(d.fee) || i.MaxFee.Less(o.maxFee) {
		return nil, fmt.Errorf("%w: maxFee: people are asked for %s, and this allows %s", ErrInvalid, i.MaxFee, o.maxFee)
	}
	return &i, nil
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// class says what a destination is, by nobody's word but that of configuration and journal.
func (c *council) class(o order, d draft, i *meant.Intent) (policy.Class, error) {
	if o.Kind == kindRefill { // draft has seen to it that it goes to the hot wallet
		if !c.vaults[placeKey(o.Chain, d.vault)].Safe {
			return "", fmt.Errorf("%w: refills come from the Safes of the configuration, and from nowhere else", ErrInvalid)
		}
		return policy.Own, nil
	}
	who, err := c.payee(owner(i.Requester), o.Chain, o.To)
	if err != nil {
		return "", err
	}
	_, isVault := c.vaults[placeKey(who.Chain, who.Place)]
	if isVault != (o.Kind == kindSweep) {
		return "", fmt.Errorf("%w: to: sweeps go to vaults of the configuration, and nothing else does", ErrInvalid)
	}
	if isVault {
		return policy.Own, nil
	}
	return policy.New, nil
}

// current refuses an intent that is not of now.
func (c *council) current(i *meant.Intent, at time.Time) error {
	p, err := c.ready(at)
	if err != nil {
		return err
	}
	switch {
	case i.Policy != p.Version:
		return fmt.Errorf("%w: policy: it was asked by version %d, and %d is in force: ask again", ErrRefused, i.Policy, p.Version)
	case i.Expired(at):
		return fmt.Errorf("%w: expires: it counted until %d: ask again", ErrRefused, i.Expires)
	case i.Created > at.Add(consent.MaxSkew).Unix():
		return fmt.Errorf("%w: created: %d has not come yet", ErrRefused, i.Created)
	}
	return nil
}

// consented asks the policy, and the people whom that asks for.
func (c *council) consented(o order, d draft, i *meant.Intent, class policy.Class, digest string, known bool, at time.Time) (*grant, error) {
	if class == policy.New && c.isAllowed(o, i, at) {
		class = policy.Allowlisted
	}
	p := c.inForce(at)
	f := policy.Of(i, class, d.selector, c.groups(i.Requester), at)
	f.Contract = d.contract
	c.fill(p, &f, o.ID, known)
	decision := p.Decide(&f)
	if decision.Outcome == policy.Allow {
		decision = unproven(p, f, decision)
	}
	g := &grant{Text: string(o.text), Class: class, Outcome: decision.Outcome, Rule: ruleOf(&decision), Digest: digest}
	switch decision.Outcome {
	case policy.Allow:
		if len(o.approvals) == 0 {
			return g, nil
		}
		decision.Requirement, decision.Lives = c.anyOf(o.approvals), meant.MaxLife
	case policy.Quorum:
	case policy.Deny:
		return nil, fmt.Errorf("%w: policy %d: %s", ErrRefused, p.Version, decision.Sentence)
	}
	j, err := c.judge(i, &decision, o.approvals, at)
	if err != nil {
		return nil, fmt.Errorf("%w (policy %d: %s)", err, p.Version, decision.Sentence)
	}
	g.Counts = j.Counts
	return g, nil
}

// unproven decides once more as if nobody in particular had asked: without people's
// consent only whoever asks for the signature says for whom. So no person's name opens
// anything, and no customer's more than any customer's. Services are written with another
// prefix, and are what they say.
func unproven(p *policy.Policy, f policy.Facts, decision policy.Decision) policy.Decision {
	prefix, _, behind := strings.Cut(f.Requester, ":")
	switch {
	case !behind:
		f.Requester, f.Groups = "unproven:person", nil
	case prefix+":" == customerPrefix:
		f.Requester = customerPrefix + "unproven"
	default:
		return decision
	}
	return p.Decide(&f)
}

// anyOf is the requirement that each of the approvers meets alone: who was asked, and is
// not needed any more, has to have said yes nevertheless.
func (c *council) anyOf(approvals []approval) consent.Requirement {
	var r consent.Requirement
	for _, a := range approvals {
		for _, group := range c.groups(a.Approver) {
			if len(r.Any) < consent.MaxMembers && !slices.ContainsFunc(r.Any, func(m consent.Requirement) bool { return m.Group == group }) {
				r.Any = append(r.Any, consent.Requirement{Group: group, Count: 1})
			}
		}
	}
	return r
}

// isAllowed reports whether who asks has an entry for the destination that has cooled down.
func (c *council) isAllowed(o order, i *meant.Intent, at time.Time) bool {
	who, err := c.payee(owner(i.Requester), o.Chain, o.To)
	if err != nil {
		return false
	}
	from, is := c.allowed[who]
	return is && !at.Before(from)
}

// judge asks whether approvals are the consent that a decision asks for. Every one of them
// has to count: a request with one that does not is not what the house sends.
func (c *council) judge(i *meant.Intent, decision *policy.Decision, approvals []approval, at time.Time) (consent.Judgement, error) {
	var none consent.Judgement
	if i.Expires-i.Created > int64(decision.Lives/time.Second) {
		return none, fmt.Errorf("%w: expires: consent to this may take %s", ErrRefused, decision.Lives)
	}
	hash, err := i.Hash()
	if err != nil {
		return none, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	said := make([]consent.Approval, len(approvals))
	for at := range approvals {
		said[at] = approvals[at].consent()
	}
	if !slices.IsSortedFunc(said, func(a, b consent.Approval) int {
		return bytes.Compare([]byte(a.Person), append([]byte(b.Person), 0)) // equal is out of order too
	}) {
		return none, fmt.Errorf("%w: approvals: sort them by person, each once", ErrInvalid)
	}
	j, err := consent.Judge(&consent.Case{
		Environment: c.cfg.Environment, Intent: i, Hash: hash, Policy: c.version(at), Requirement: decision.Requirement,
		Roster: c.roster, Newest: c.newest(), Approvals: said, Counters: &c.counts, Now: at,
	})
	switch {
	case err != nil:
		return none, fmt.Errorf("%w: %w", ErrRefused, err)
	case len(j.Refused) > 0:
		return none, fmt.Errorf("%w: approval of %.64q: %w", ErrRefused, j.Refused[0].Person, j.Refused[0].Err)
	case j.Outcome == consent.Denied:
		return none, fmt.Errorf("%w: %s said no", ErrRefused, j.Denials[0].Person)
	case j.Outcome != consent.Met:
		return none, fmt.Errorf("%w: it still takes %s", ErrRefused, j.Missing)
	}
	return j, nil
}

func ruleOf(d *policy.Decision) string { return d.Layer + "/" + d.Rule }
