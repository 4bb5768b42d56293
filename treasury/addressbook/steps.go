package addressbook

import (
	"fmt"
	"slices"
	"time"

	"strongroom/custody"
)

// Terms say how long entries wait.
type Terms struct {
	Wait      time.Duration // between approval and use
	AlikeWait time.Duration // where the address resembles a known one; never shorter
}

// Check reports what contradicts itself. Errors: ErrInvalid, with the field.
func (t Terms) Check() error {
	if t.Wait < time.Second || t.AlikeWait < t.Wait || t.AlikeWait > MaxWait {
		return wrong("wait", "at least a second, not longer than that of look-alikes, and at most 90 days")
	}
	return nil
}

// Surroundings are the addresses that an entry is compared with.
type Surroundings struct {
	Book  []Entry  // of this owner and of the house, on this chain or on others
	Own   []string // of the house's vaults on this chain
	Known []string // that this owner paid, or was paid by, on this chain
}

// Propose makes an entry out of its ID, Owner, Chain, Address and Label: what it
// resembles is looked up, and how long it will wait is settled. Errors: ErrInvalid,
// ErrThere, ErrOwn.
func Propose(want Entry, s Surroundings, t Terms, now time.Time) (Entry, error) {
	e := Entry{
		ID: want.ID, Owner: want.Owner, Chain: want.Chain, Address: want.Address, Label: want.Label,
		State: Proposed, ProposedAt: now.Unix(), Wait: seconds(t.Wait),
	}
	if err := t.Check(); err != nil {
		return Entry{}, err
	}
	if err := e.Check(); err != nil {
		return Entry{}, err
	}
	if err := e.free(s, now); err != nil {
		return Entry{}, err
	}
	if e.Alike = Alike(e.Chain, e.Address, s, now); len(e.Alike) > 0 {
		e.Wait = seconds(t.AlikeWait)
	}
	return e, nil
}

// free reports why there cannot be such an entry beside what is there.
func (e *Entry) free(s Surroundings, now time.Time) error {
	if len(s.Book) > MaxEntries || len(s.Own) > MaxKnown || len(s.Known) > MaxKnown {
		return wrong("book", "at most 10,000 entries, and as many known addresses")
	}
	for i := range s.Book {
		b := &s.Book[i]
		if b.ID == e.ID {
			return wrong("id", "another entry has it")
		}
		if b.Owner == e.Owner && b.Chain == e.Chain && b.Address == e.Address && b.State.Live() {
			return fmt.Errorf("%w: it is entry %s (%s)", ErrThere, b.ID, b.At(now))
		}
	}
	if slices.Contains(s.Own, e.Address) {
		return fmt.Errorf("%w: transfers between vaults are sweeps and refills", ErrOwn)
	}
	return nil
}

// Alike lists what an address resembles: the house's own, known ones, and entries of
// the book that are or were active; at most MaxAlike, in that order. What was only
// proposed is left out: somebody could propose a forgery first, to have the right
// address warned of.
func Alike(chain, address string, s Surroundings, now time.Time) []string {
	var alike []string
	seen := map[string]bool{}
	add := func(known string) {
		if len(alike) < MaxAlike && !seen[known] && custody.LookAlike(known, address) {
			alike, seen[known] = append(alike, known), true
		}
	}
	for _, known := range s.Own {
		add(known)
	}
	for _, known := range s.Known {
		add(known)
	}
	for i := range s.Book {
		b := &s.Book[i]
		if was := b.At(now); b.Chain == chain && (was == Active || was == Removed && b.ActiveFrom > 0 && b.ActiveFrom <= b.EndedAt) {
			add(b.Address)
		}
	}
	return alike
}

// Approve is the step after everybody whom the policy asks approved Document. The
// address is compared again: where it resembles what nobody was told of, it is not
// approved. Errors: ErrState, ErrChanged, ErrInvalid.
func (e *Entry) Approve(s Surroundings, now time.Time) (Entry, error) {
	if e.State != Proposed {
		return Entry{}, e.stuck("approve", now)
	}
	if err := e.Check(); err != nil {
		return Entry{}, err
	}
	told := map[string]bool{}
	for _, known := range e.Alike {
		told[known] = true
	}
	if len(e.Alike) < MaxAlike { // else it waits for long already, and says so
		for _, known := range Alike(e.Chain, e.Address, s, now) {
			if !told[known] {
				return Entry{}, fmt.Errorf("%w: %s", ErrChanged, known)
			}
		}
	}
	after := *e
	after.State, after.ApprovedAt = Cooling, max(now.Unix(), e.ProposedAt)
	after.ActiveFrom = after.ApprovedAt + e.Wait
	return after, nil
}

// Deny ends an entry that is not active yet: those who are asked say no, or the owner
// sees during the wait what somebody did in their name. Errors: ErrState, ErrInvalid.
func (e *Entry) Deny(reason string, now time.Time) (Entry, error) {
	if at := e.At(now); at != Proposed && at != Cooling {
		return Entry{}, e.stuck("deny", now)
	}
	return e.end(Denied, reason, now)
}

// Remove takes an entry out of the book at once, whatever it waits for. Errors:
// ErrState, ErrInvalid.
func (e *Entry) Remove(reason string, now time.Time) (Entry, error) {
	if !e.State.Live() {
		return Entry{}, e.stuck("remove", now)
	}
	return e.end(Removed, reason, now)
}

func (e *Entry) end(state State, reason string, now time.Time) (Entry, error) {
	if !legible(reason) {
		return Entry{}, wrong("reason", "say why in 1 to 120 bytes that can be seen")
	}
	after := *e
	after.State, after.Reason, after.EndedAt = state, reason, max(now.Unix(), e.ProposedAt)
	return after, nil
}

func (e *Entry) stuck(step string, now time.Time) error {
	return fmt.Errorf("%w: %s: entry %s is %s", ErrState, step, e.ID, e.At(now))
}

// seconds rounds up: nothing waits shorter than it should.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
