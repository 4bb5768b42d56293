package policy

import (
	"strings"

	"strongroom/money"
	"strongroom/treasury/intent"
)

// Assets finds an asset by its code.
type Assets func(code string) (money.Asset, bool)

// text writes an amount in wholes where the asset is known, else in base units.
func (a Assets) text(code string, u money.Units) string {
	if a != nil {
		if asset, ok := a(code); ok {
			return money.Amount{Asset: asset, Units: u}.String()
		}
	}
	return u.String() + " base units of " + code
}

// noun says what an action is.
func noun(a intent.Action) string {
	switch a {
	case intent.Withdrawal, intent.Sweep, intent.Refill:
		return "a " + string(a)
	case intent.ColdSpend:
		return "a payment out of a cold vault"
	case intent.Allow:
		return "an entry of an allow-list"
	case intent.Policy, intent.Roster:
		return "another " + string(a)
	case intent.Unfreeze:
		return "an end of the freeze"
	case intent.KeyDrill:
		return "a proof of keys"
	}
	return "something unknown"
}

// subject is what somebody asks for.
func (f *Facts) subject(assets Assets) string {
	what := noun(f.Action)
	if f.Action.Moves() {
		what += " of " + assets.text(f.Asset, f.Amount)
	}
	return what
}

// sentence says which rule asks for what, and why.
func (p *Policy) sentence(f *Facts, v *verdict, d *Decision, assets Assets) string {
	var b strings.Builder
	switch {
	case v.cause != nil:
		b.WriteString("Denied, " + f.subject(assets) + ": " + v.cause.Error())
	case v.lacks != nil:
		b.WriteString("Denied, " + f.subject(assets) + ": " + p.cite(v.first, v.lacks) + " asks for a sum that is not known or cannot be told")
	default:
		p.verb(&b, f, v, assets)
	}
	if v.cause == nil && v.outcome == Quorum {
		p.others(&b, f, v, d, assets)
	}
	b.WriteByte('.')
	return b.String()
}

func (p *Policy) cite(layer int, rule *Rule) string {
	return "rule " + rule.Name + " of layer " + p.Layers[layer].Name
}

// verb is what the first rule that decides does, and its reason.
func (p *Policy) verb(b *strings.Builder, f *Facts, v *verdict, assets Assets) {
	rule := v.said[v.first]
	b.WriteString("R" + p.cite(v.first, rule)[1:])
	switch v.outcome {
	case Allow:
		b.WriteString(" lets ")
	case Quorum:
		b.WriteString(" asks " + rule.Requirement.String() + " within " + rule.Lives.String() + " for ")
	case Deny:
		b.WriteString(" denies ")
	}
	b.WriteString(f.subject(assets))
	if v.outcome == Allow {
		b.WriteString(" pass without anybody's consent")
	}
	b.WriteString(", because " + rule.When.reason(f, assets))
}

// others are the layers that ask for something too.
func (p *Policy) others(b *strings.Builder, f *Facts, v *verdict, d *Decision, assets Assets) {
	several := false
	for i, rule := range v.said {
		if i == v.first || rule == nil || rule.strict() != Quorum {
			continue
		}
		several = true
		b.WriteString("; " + p.cite(i, rule) + " asks " + rule.Requirement.String() + " within " + rule.Lives.String() + ", because " + rule.When.reason(f, assets))
	}
	if several {
		b.WriteString("; together that is " + d.Requirement.String() + " within " + Span(d.Lives).String())
	}
}

// reason says by which of its parts a condition fits.
func (c *Condition) reason(f *Facts, assets Assets) string {
	said := c.kind(f)
	if len(c.Contracts) > 0 {
		said = append(said, "its contract is "+orNone(f.Contract))
	}
	if len(c.Selectors) > 0 {
		said = append(said, "its selector is "+orNone(f.Selector))
	}
	if len(c.Destinations) > 0 {
		said = append(said, "its destination is "+string(f.Class))
	}
	if !c.Requesters.IsZero() {
		said = append(said, f.Requester+" asks")
	}
	if !c.Amount.IsZero() {
		said = append(said, "its amount is "+c.Amount.words(f.Asset, assets))
	}
	for i := range c.Sums {
		total, _ := c.total(&c.Sums[i], f)
		whose := "the house has"
		if c.Sums[i].Per == Requester {
			whose = f.Requester + " has"
		}
		said = append(said, "with it "+whose+" moved "+assets.text(f.Asset, total)+" in "+c.Sums[i].Window.String()+", which is "+c.Sums[i].words(f.Asset, assets))
	}
	if len(c.Times) > 0 {
		day, minute := moment(f.At)
		said = append(said, "it is "+day.String()+" "+minute.String()+" UTC")
	}
	if len(said) == 0 {
		return "it fits everything"
	}
	return strings.Join(said, " and ")
}

// kind says what action, asset and chain it is, where the condition asks.
func (c *Condition) kind(f *Facts) []string {
	var what string
	if len(c.Actions) > 0 {
		what = " " + noun(f.Action)
	}
	if len(c.Assets) > 0 {
		what += " of " + f.Asset
	}
	if len(c.Chains) > 0 {
		what += " on " + f.Chain
	}
	if what == "" {
		return nil
	}
	return []string{"it is" + what}
}

// words says a range: "at least 1 BTC and below 2 BTC".
func (r Range) words(asset string, assets Assets) string {
	var said []string
	if !r.From.IsZero() {
		said = append(said, "at least "+assets.text(asset, r.From))
	}
	if !r.Below.IsZero() {
		said = append(said, "below "+assets.text(asset, r.Below))
	}
	return strings.Join(said, " and ")
}

func orNone(s string) string {
	if s == "" {
		return None
	}
	return s
}
