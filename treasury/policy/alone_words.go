package policy

import "strings"

// Sentences says the answer for people: out of the house at once and within 24 hours, then
// the same inside it. nil knows no asset.
func (p *Powers) Sentences(assets Assets) []string {
	var said []string
	for _, part := range []struct {
		powers []Power
		where  string
	}{{p.Out, "out of the house"}, {p.Inside, "between addresses of the house"}} {
		said = append(said,
			p.sentence(part.powers, part.where+" at once", assets, func(is *Power) *Reach { return &is.AtOnce }),
			p.sentence(part.powers, part.where+" within 24 hours", assets, func(is *Power) *Reach { return &is.Daily }))
	}
	if !p.Complete {
		said = append(said, "The policy is too large to be looked at as a whole: what was not shown counts as something that can be done.")
	}
	return said
}

func (p *Powers) sentence(powers []Power, where string, assets Assets, of func(*Power) *Reach) string {
	var can, how []string
	nobody := of(&powers[0])
	for i := range powers {
		is := of(&powers[i])
		if i > 0 && is.same(nobody) {
			continue // consent adds nothing
		}
		if is.More && (i == 0 || !nobody.More) {
			can = append(can, powers[i].who())
		}
		how = append(how, powers[i].who()+" "+is.words(p.Asset, assets))
	}
	if len(how) == 1 && len(powers) > 1 {
		how = append(how, "no one person's consent adds to that")
	}
	above, reasons := assets.text(p.Asset, p.Above), ": "+strings.Join(how, "; ")+"."
	if len(can) == 0 {
		return "Nobody alone can move more than " + above + " " + where + reasons
	}
	return "More than " + above + " can move " + where + " " + strings.Join(can, ", or ") + reasons
}

// same reports whether both reach as far, as far as is known.
func (r *Reach) same(other *Reach) bool {
	return r.Endless == other.Endless && r.Bounded == other.Bounded && r.Most == other.Most && r.Bound == other.Bound
}

func (p *Power) who() string {
	if len(p.Persons) == 0 {
		return "without anybody's consent"
	}
	names := p.Persons[len(p.Persons)-1]
	if n := len(p.Persons) - 1; n > 0 {
		names = strings.Join(p.Persons[:n], ", ") + " or " + names
	}
	return "with the consent of " + names + " alone"
}

func (r *Reach) words(asset string, assets Assets) string {
	most := assets.text(asset, r.Most)
	switch {
	case r.Endless && len(r.Steps) == 1 && r.Steps[0].Times == 1:
		return "any amount"
	case r.Endless:
		return "any amount, in many transactions"
	case !r.Bounded:
		return most + ", and it is not shown that it cannot be more"
	case r.Most.Less(r.Bound):
		return most + ", and it is shown only that it cannot be more than " + assets.text(asset, r.Bound)
	case r.Most.IsZero():
		return "nothing"
	}
	return "at most " + most
}
