package consent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strongroom/internal/planted"
	"strongroom/treasury/intent"
)

// MaxApprovals bounds what is judged at once.
const MaxApprovals = 64

// Reasons why a whole case, or one approval of it, does not count.
var (
	ErrCase      = errors.New("consent cannot be judged")
	ErrExpired   = errors.New("it has expired")
	ErrStale     = errors.New("it is not the newest version")
	ErrRequester = errors.New("who asks does not count")
	ErrTwice     = errors.New("the same person counts once")
	ErrGroup     = errors.New("the person is in no group that is asked")
)

// Case is what is judged. Each field counts: none is optional.
type Case struct {
	Environment string         // of whoever judges
	Intent      *intent.Intent // what was approved
	Hash        intent.Hash    // of it, as it was handed over
	Policy      uint64         // the version in force
	Requirement Requirement    // of that policy, for that intent
	Roster      *Roster
	Newest      uint64 // version of a roster that was ever in force
	Approvals   []Approval
	Counters    Counters
	Now         time.Time
}

// Outcome is what approvals come to.
type Outcome string

// The outcomes. Only Met is consent.
const (
	Missing Outcome = "missing" // more people have to agree
	Met     Outcome = "met"
	Denied  Outcome = "denied" // somebody of those who are asked, or an officer, said no
)

// Judgement is what was found.
type Judgement struct {
	Outcome  Outcome
	Approved []string     // persons that count, sorted
	Denials  []Denial     // in the order of the approvals
	Missing  *Requirement // what it still takes where Outcome is Missing
	Refused  []Refusal    // in the order of the approvals
	Counts   []Count      // of verified passkeys, for Counts.Note or a journal
}

// Denial is somebody's no.
type Denial struct{ Person, Reason string }

// Refusal is an approval that does not count, and why: Err is ErrApproval, ErrRequester,
// ErrTwice, ErrGroup, ErrExpired or ErrCloned.
type Refusal struct {
	At          int // place in Case.Approvals
	Person, Key string
	Err         error
}

// Judge says whether the approvals of a case are enough. An approval that does not count
// is refused with its reason and changes nothing; a denial that counts outweighs every
// approval. Where the case itself is wrong the outcome is Missing and nobody counts.
// Errors: ErrCase, beside it ErrExpired, ErrStale, intent.ErrInvalid, ErrRequirement.
func Judge(in *Case) (Judgement, error) {
	j := Judgement{Outcome: Missing}
	if err := in.check(); err != nil {
		return j, fmt.Errorf("%w: %w", ErrCase, err)
	}
	said := map[string]Verdict{}
	var again [][]string
	for at := range in.Approvals {
		a := &in.Approvals[at]
		if err := in.count(&j, a, said); err != nil {
			if planted.Live(planted.PersonTwice) && errors.Is(err, ErrTwice) {
				again = append(again, in.Roster.Person(a.Person).Member())
			}
			j.Refused = append(j.Refused, Refusal{at, a.Person, a.Key, err})
		}
	}
	people := append(make([][]string, 0, len(said)), again...)
	for id, verdict := range said {
		if verdict == Approve {
			j.Approved = append(j.Approved, id)
			people = append(people, in.Roster.Person(id).Member())
		}
	}
	slices.Sort(j.Approved)
	switch {
	case len(j.Denials) > 0:
		j.Outcome = Denied
	case in.Requirement.Met(people):
		j.Outcome = Met
	default:
		j.Missing = in.Requirement.Missing(people)
	}
	return j, nil
}

var (
	errHash        = errors.New("the hash is not that of the intent")
	errEnvironment = errors.New("intent and roster are not both of this environment")
	errMany        = fmt.Errorf("more than %d approvals", MaxApprovals)
	errIncomplete  = errors.New("intent, roster, counters or time is missing")
)

// check finds what makes every approval worthless.
func (in *Case) check() error {
	if in.Intent == nil || in.Roster == nil || in.Counters == nil || in.Now.IsZero() {
		return errIncomplete
	}
	if h, err := in.Intent.Hash(); err != nil {
		return err
	} else if h != in.Hash {
		return errHash
	}
	if len(in.Approvals) > MaxApprovals {
		return errMany
	}
	if err := in.current(); err != nil {
		return err
	}
	return in.Requirement.Check()
}

// current finds what counted once, or counts elsewhere.
func (in *Case) current() error {
	switch {
	case in.Environment == "" || in.Intent.Environment != in.Environment || in.Roster.Environment != in.Environment:
		return errEnvironment
	case in.Intent.Expired(in.Now):
		return fmt.Errorf("intent: %w: it counted until %d", ErrExpired, in.Intent.Expires)
	case in.Roster.Expired(in.Now):
		return fmt.Errorf("roster: %w: it counted until %d: officers sign a new one", ErrExpired, in.Roster.Expires)
	case in.Roster.Version < in.Newest:
		return fmt.Errorf("roster: %w: it is %d, and %d has been in force", ErrStale, in.Roster.Version, in.Newest)
	case in.Intent.Policy != in.Policy:
		return fmt.Errorf("policy: %w: consent was asked by %d, and %d is in force: ask again", ErrStale, in.Intent.Policy, in.Policy)
	}
	return nil
}

// count takes one approval into the judgement, or says why it does not count.
func (in *Case) count(j *Judgement, a *Approval, said map[string]Verdict) error {
	// A signature costs a thousand times what everything else does: it comes last.
	if err := in.eligible(a); err != nil {
		return err
	}
	counter, err := in.Roster.verifyApproval(in.Intent, in.Hash, a)
	if err != nil {
		return err
	}
	if a.Scheme == WebAuthn {
		c := Count{a.Person, a.Key, counter, a.Digest()}
		if err := in.Counters.Fresh(c); err != nil {
			return err
		}
		if err := fresh(j.Counts, c); err != nil {
			return err
		}
		j.Counts = append(j.Counts, c)
	}
	before, twice := said[a.Person]
	if twice && (before == Deny || a.Verdict == Approve) { // a yes may become a no, and a no stays
		return fmt.Errorf("%w: %s has said %s", ErrTwice, a.Person, before)
	}
	if a.Verdict == Deny {
		j.Denials = append(j.Denials, Denial{a.Person, a.Reason})
	}
	said[a.Person] = a.Verdict
	return nil
}

// fresh holds the passkeys of one case against each other.
func fresh(before []Count, c Count) error {
	for _, b := range before {
		if b.name() == c.name() && b.Count == c.Count && c.Count != 0 && b.Approval != c.Approval {
			return fmt.Errorf("%w: %d was used by another approval", ErrCloned, c.Count)
		}
	}
	return nil
}

// eligible says whether the person may have a say in this case, at that time.
func (in *Case) eligible(a *Approval) error {
	if err := a.Check(); err != nil {
		return err
	}
	p := in.Roster.Person(a.Person)
	switch {
	case strings.EqualFold(strings.TrimSpace(in.Intent.Requester), a.Person) && !planted.Live(planted.RequesterCounts):
		return fmt.Errorf("%w: %s", ErrRequester, a.Person)
	case p == nil:
		return fmt.Errorf("%w: person %s is not in the roster", ErrApproval, a.Person)
	case a.At < in.Intent.Created || a.At > in.Now.Add(MaxSkew).Unix():
		return fmt.Errorf("%w: at %d is before the intent was, or has not come yet", ErrApproval, a.At)
	case a.At >= in.Intent.Expires:
		return fmt.Errorf("%w: the intent counted until %d", ErrExpired, in.Intent.Expires)
	case a.Verdict == Deny && p.Officer:
		return nil
	}
	groups := in.Requirement.Groups()
	if !slices.ContainsFunc(p.Member(), func(g string) bool { return slices.Contains(groups, g) }) {
		return fmt.Errorf("%w: %s", ErrGroup, a.Person)
	}
	return nil
}

// Unfreezing is the requirement for an intent of the action Unfreeze: as many officers
// as sign rosters. Whoever asks for it does not count.
func (r *Roster) Unfreezing() Requirement {
	return Requirement{Group: OfficersGroup, Count: r.Officers.K}
}
