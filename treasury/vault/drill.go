package vault

import (
	"cmp"
	"slices"
	"time"
)

const day = 24 * time.Hour

// Drill is a proof of control that somebody has to give soon.
type Drill struct {
	Vault   string    `json:"vault"`
	Last    time.Time `json:"last"`   // zero: there is none
	Lapses  time.Time `json:"lapses"` // from then on the vault takes nothing; zero: never proven
	Overdue bool      `json:"overdue"`
}

// Accepts reports whether a vault may take money in: a proof of control is on file
// that is not older than its days. A proof from the future is none.
func Accepts(v Vault, proofs []Proof, now time.Time) bool {
	last, found := newest(v.ID, proofs, now)
	return found && now.Before(last.Add(time.Duration(v.ProofDays)*day))
}

// Drills lists the vaults whose proof of control has lapsed or does so within the
// given time, those first that lapse first.
func Drills(vaults []Vault, proofs []Proof, now time.Time, within time.Duration) []Drill {
	var due []Drill
	for _, v := range vaults {
		last, found := newest(v.ID, proofs, now)
		d := Drill{Vault: v.ID, Overdue: true}
		if found {
			d.Last, d.Lapses = last, last.Add(time.Duration(v.ProofDays)*day)
			d.Overdue = !now.Before(d.Lapses)
		}
		if d.Overdue || !d.Lapses.After(now.Add(within)) {
			due = append(due, d)
		}
	}
	slices.SortFunc(due, func(a, b Drill) int {
		return cmp.Or(a.Lapses.Compare(b.Lapses), cmp.Compare(a.Vault, b.Vault))
	})
	return due
}

// newest returns when control over a vault was last proven.
func newest(id string, proofs []Proof, now time.Time) (time.Time, bool) {
	var last time.Time
	found := false
	for _, p := range proofs {
		if p.Vault != id || p.At <= 0 || p.At > now.Unix() {
			continue
		}
		if at := time.Unix(p.At, 0).UTC(); at.After(last) {
			last, found = at, true
		}
	}
	return last, found
}
