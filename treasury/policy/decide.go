package policy

import (
	"errors"
	"fmt"
	"time"

	"strongroom/treasury/consent"
)

// Decision is what a policy says to a request.
type Decision struct {
	Outcome Outcome
	// Requirement and Lives are there where Outcome is Quorum.
	Requirement consent.Requirement
	Lives       time.Duration
	// Layer and Rule decided: where several layers ask, the first of those that are as
	// strict as the outcome. Both are empty where no rule did.
	Layer, Rule string
	// Sentence says for people which rule asks for what, and why. Amounts in it are base
	// units: Explain writes them in wholes.
	Sentence string
}

// Why no rule decides. All of them deny.
var (
	errEnvironment = errors.New("it is of another environment than the policy")
	errEarly       = errors.New("the policy is not in force yet")
	errEmpty       = errors.New("the policy is not valid")
)

// verdict is a decision before it is put into words.
type verdict struct {
	outcome Outcome
	cause   error            // set where no rule decides
	said    [MaxLayers]*Rule // what fits in each layer
	first   int              // layer that decides
	lacks   *Rule            // asks for a sum that is not known
}

// Decide says what is asked of a request. Whatever cannot be decided is denied: facts that
// contradict themselves, another environment, a policy that is not in force yet, a sum
// that is not known or does not fit 256 bits, a base layer that no rule of fits.
func (p *Policy) Decide(f *Facts) Decision {
	v := p.inForce(f)
	d := p.decision(&v)
	d.Sentence = p.sentence(f, &v, &d, nil)
	return d
}

// Explain is the sentence of Decide with amounts in wholes of the assets that are known;
// nil knows none.
func (p *Policy) Explain(f *Facts, assets Assets) string {
	v := p.inForce(f)
	d := p.decision(&v)
	return p.sentence(f, &v, &d, assets)
}

func (p *Policy) inForce(f *Facts) verdict {
	switch {
	case f.Environment != p.Environment || p.Environment == "":
		return verdict{outcome: Deny, cause: errEnvironment}
	case f.At < p.NotBefore:
		return verdict{outcome: Deny, cause: errEarly}
	}
	return p.judge(f)
}

// judge decides as if the policy were in force.
func (p *Policy) judge(f *Facts) verdict {
	if len(p.Layers) == 0 || len(p.Layers) > MaxLayers {
		return verdict{outcome: Deny, cause: errEmpty}
	}
	if err := f.Check(); err != nil {
		return verdict{outcome: Deny, cause: err}
	}
	v := verdict{outcome: Allow}
	for i := range p.Layers {
		rule, how := p.Layers[i].find(f)
		switch {
		case how == unknown:
			return verdict{outcome: Deny, lacks: rule, first: i}
		case rule != nil:
			v.take(i, rule)
		case i == 0:
			return verdict{outcome: Deny, cause: fmt.Errorf("no rule of the base layer %q fits it", p.Layers[0].Name)}
		}
	}
	return v
}

// find is the first rule that fits. A rule whose sum is not known stops the search: what
// comes after it is not known to be first.
func (l *Layer) find(f *Facts) (*Rule, fit) {
	for i := range l.Rules {
		if how := l.Rules[i].When.fits(f); how != misfit {
			return &l.Rules[i], how
		}
	}
	return nil, misfit
}

// take lets one more layer have its say: it can only tighten.
func (v *verdict) take(layer int, rule *Rule) {
	v.said[layer] = rule
	if is := rule.strict(); strictness(is) > strictness(v.outcome) {
		v.outcome, v.first = is, layer
	}
}

// strict is the outcome of a rule; one that is not valid denies.
func (r *Rule) strict() Outcome {
	if r.Outcome == Allow || r.Outcome == Quorum && r.Requirement != nil && r.Lives > 0 {
		return r.Outcome
	}
	return Deny
}

func (p *Policy) decision(v *verdict) Decision {
	d := Decision{Outcome: v.outcome}
	if v.cause != nil {
		return d
	}
	d.Layer = p.Layers[v.first].Name
	if v.lacks != nil {
		d.Rule = v.lacks.Name
		return d
	}
	d.Rule = v.said[v.first].Name
	if v.outcome != Quorum {
		return d
	}
	d.Requirement, d.Lives = v.quorum()
	return d
}

// quorum joins what the layers ask for; the shortest life counts.
func (v *verdict) quorum() (consent.Requirement, time.Duration) {
	var asked [MaxLayers]*consent.Requirement
	n, lives := 0, MaxLives
	for _, rule := range v.said {
		if rule != nil && rule.strict() == Quorum {
			asked[n], lives = rule.Requirement, min(lives, rule.Lives)
			n++
		}
	}
	if n == 1 { // the common case takes no memory
		return *asked[0], time.Duration(lives)
	}
	return join(asked[:n]), time.Duration(lives)
}
