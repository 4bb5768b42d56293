package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strongroom/money"
	"strongroom/treasury/intent"
)

// Class is what a destination is: one of the house, one of an allow-list, or neither.
type Class string

// The classes.
const (
	Own         Class = "own"
	Allowlisted Class = "allowlisted"
	New         Class = "new"
)

// Facts is what a policy decides about. Whoever decides is to know each of them by
// itself: the signer takes none from those who ask it to sign.
type Facts struct {
	Environment string        `json:"environment"`
	Action      intent.Action `json:"action"`
	Chain       string        `json:"chain,omitempty"`
	Asset       string        `json:"asset,omitempty"`
	Contract    string        `json:"contract,omitempty"` // of a token
	Selector    string        `json:"selector,omitempty"` // eight small hex digits; empty: no call
	Amount      money.Units   `json:"amount"`             // base units
	Class       Class         `json:"class,omitempty"`    // of the destination, where money moves
	Requester   string        `json:"requester"`          // as in the intent
	Groups      []string      `json:"groups,omitempty"`   // of the requester, by the roster
	At          int64         `json:"at"`                 // Unix seconds: now
	Spent       []Spent       `json:"spent,omitempty"`    // for each of Policy.Windows that counts it
}

// Spent is what moved within a window before a request.
type Spent struct {
	Window Window      `json:"window"`
	Amount money.Units `json:"amount"`
}

// Of takes from an intent the facts that it holds. groups are those of its requester.
func Of(i *intent.Intent, class Class, selector string, groups []string, now time.Time) Facts {
	return Facts{
		Environment: i.Environment, Action: i.Action, Chain: i.Chain, Asset: i.Asset, Contract: i.Contract,
		Selector: selector, Amount: i.Amount, Class: class, Requester: i.Requester, Groups: groups, At: now.Unix(),
	}
}

var (
	errAction    = errors.New("its action is not known")
	errRequester = errors.New("its requester is not written as a person's id or as a name behind a colon")
	errClass     = errors.New("it moves money and its destination is neither own, allowlisted nor new")
	errAmount    = errors.New("it moves money and has no amount or no asset")
	errSelector  = errors.New("its selector is not eight small hex digits")
)

// Check reports facts about which nothing can be decided: Decide denies them.
func (f *Facts) Check() error {
	switch {
	case !f.Action.Known():
		return errAction
	case !requester(f.Requester):
		return errRequester
	case f.Selector != "" && !selector(f.Selector):
		return errSelector
	case !f.Action.Moves():
		return nil
	case f.Class != Own && f.Class != Allowlisted && f.Class != New:
		return errClass
	case f.Amount.IsZero() || f.Asset == "":
		return errAmount
	}
	return nil
}

// name accepts short names: small letters and digits, with single separators inside.
func name(s string) bool {
	if s == "" || len(s) > MaxText {
		return false
	}
	separated := true
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			separated = false
		case strings.IndexByte("-_.", c) >= 0 && !separated:
			separated = true
		default:
			return false
		}
	}
	return !separated
}

// requester accepts a person's id, or a name behind a prefix such as "customer:".
func requester(s string) bool {
	prefix, id, behind := strings.Cut(s, ":")
	return name(prefix) && (!behind || printed(id, intent.MaxTextBytes))
}

// printed accepts one to most characters of ASCII that are seen.
func printed(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

func selector(s string) bool {
	const digits = 8
	return len(s) == digits && !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) })
}

// Window names a sum that a policy asks for.
type Window struct {
	Asset   string          `json:"asset"`
	Per     Per             `json:"per"`
	Span    Span            `json:"span"`
	Actions []intent.Action `json:"actions,omitempty"` // sorted; empty: all that move money
}

// Counts reports whether the window counts a request of that action and asset.
func (w *Window) Counts(action intent.Action, asset string) bool {
	return asset == w.Asset && action.Moves() && in(w.Actions, action)
}

func (w *Window) same(v *Window) bool {
	return w.Asset == v.Asset && w.Per == v.Per && w.Span == v.Span && slices.Equal(w.Actions, v.Actions)
}

// is reports whether a window is that of a sum.
func (w *Window) is(c *Condition, s *Sum) bool {
	return len(c.Assets) == 1 && w.Asset == c.Assets[0] && w.Per == s.Per && w.Span == s.Window && slices.Equal(w.Actions, c.Actions)
}

func (w *Window) String() string {
	what := "all actions"
	if len(w.Actions) > 0 {
		what = words(w.Actions, " and ")
	}
	return fmt.Sprintf("%s of %s per %s in %s", what, w.Asset, w.Per, w.Span)
}

// Windows lists the sums that the policy asks for, each once, in the order of its rules.
func (p *Policy) Windows() []Window {
	var windows []Window
	for _, rule := range p.rules() {
		c := &rule.When
		for i := range c.Sums {
			if len(c.Assets) != 1 {
				continue // Check refuses it, and it never fits
			}
			w := Window{c.Assets[0], c.Sums[i].Per, c.Sums[i].Window, c.Actions}
			if !slices.ContainsFunc(windows, func(v Window) bool { return v.same(&w) }) {
				windows = append(windows, w)
			}
		}
	}
	return windows
}

// rules lists the rules of all layers in their order.
func (p *Policy) rules() []*Rule {
	var rules []*Rule
	for i := range p.Layers {
		for j := range p.Layers[i].Rules {
			rules = append(rules, &p.Layers[i].Rules[j])
		}
	}
	return rules
}

// words joins names.
func words[T ~string](list []T, by string) string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = string(list[i])
	}
	return strings.Join(texts, by)
}
