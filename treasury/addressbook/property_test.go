package addressbook_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/custody"
	"strongroom/treasury/addressbook"
)

// life is what a reader would write down of an entry, step by step.
type life struct {
	entry    addressbook.Entry
	proposed time.Time
	approved time.Time
	ended    bool
	told     bool // it resembled a known address
}

// TestLives: over chance steps of several owners an address is allowed only to who
// proposed it, after approval and its whole wait, and never again once it has ended.
func TestLives(t *testing.T) {
	addresses := []string{known, forged, other, "0xabcd222222222222222222222222222222221234"}
	owners := []string{ada, "customer:eve", addressbook.House}
	rapid.Check(t, func(t *rapid.T) {
		clock, lives := now(), []*life{}
		around := func() (s addressbook.Surroundings) {
			s.Own = addresses[3:]
			for _, l := range lives {
				s.Book = append(s.Book, l.entry)
			}
			return s
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			clock = clock.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "hours")) * time.Hour)
			if len(lives) == 0 || rapid.IntRange(0, 3).Draw(t, "new") == 0 {
				e := addressbook.Entry{
					ID:    "e" + string(rune('A'+len(lives))),
					Owner: rapid.SampledFrom(owners).Draw(t, "owner"), Chain: "eth", Address: rapid.SampledFrom(addresses).Draw(t, "address"), Label: "x",
				}
				if e, err := addressbook.Propose(e, around(), terms(), clock); err == nil {
					lives = append(lives, &life{entry: e, proposed: clock, told: len(e.Alike) > 0})
				}
			} else {
				lives[rapid.IntRange(0, len(lives)-1).Draw(t, "which")].step(t, around(), clock)
			}
			for _, owner := range owners {
				for _, address := range addresses {
					judge(t, lives, owner, address, addressbook.Classify(owner, "eth", address, around(), clock), clock)
				}
			}
		}
	})
}

func (l *life) step(t *rapid.T, s addressbook.Surroundings, clock time.Time) {
	var after addressbook.Entry
	var err error
	step := rapid.IntRange(0, 4).Draw(t, "step")
	switch step {
	case 0:
		after, err = l.entry.Deny("no", clock)
	case 1:
		after, err = l.entry.Remove("no more", clock)
	default:
		after, err = l.entry.Approve(s, clock)
	}
	if err != nil {
		return
	}
	if l.ended {
		t.Fatalf("%+v came back as %+v", l.entry, after)
	}
	l.entry, l.ended = after, step < 2
	if step >= 2 {
		l.approved = clock
	}
}

// judge compares a class with what was written down.
func judge(t *rapid.T, lives []*life, owner, address string, is addressbook.Standing, clock time.Time) {
	own, allowed, alike := address == "0xabcd222222222222222222222222222222221234", false, false
	live := 0
	for _, l := range lives {
		if l.entry.Owner != owner || l.entry.Address != address || l.ended {
			continue
		}
		live++
		wait := terms().Wait
		if l.told {
			wait = terms().AlikeWait
		}
		allowed = allowed || !l.approved.IsZero() && !clock.Before(l.approved.Add(wait))
		alike = alike || l.told
	}
	class := addressbook.New
	switch {
	case own:
		class = addressbook.Own
	case allowed:
		class = addressbook.Allowlisted
	}
	if is.Class != class || live > 1 || own && live > 0 {
		t.Fatalf("%s to %s at %s: %+v, want %s; %d live entries", owner, address, clock, is, class, live)
	}
	if class == addressbook.New && custody.LookAlike(known, address) && len(is.Alike) == 0 {
		t.Fatalf("%s resembles a vault, and nothing says so: %+v", address, is)
	}
	if alike != (live > 0 && address != other) && !own { // all but one resemble the vault
		t.Fatalf("%s: told %v", address, alike)
	}
}
