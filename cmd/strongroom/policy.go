package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"strongroom/money"
	"strongroom/treasury/cold"
	"strongroom/treasury/policy"
)

// policyCommand is about the treasury's policy.
type policyCommand struct {
	Show     policyShowCommand     `cmd:"" help:"Print the policy in force."`
	Explain  policyExplainCommand  `cmd:"" help:"Say in one sentence which rule asked for what, of a request."`
	Alone    policyAloneCommand    `cmd:"" help:"Say who can move more than an amount alone; fails where anybody can."`
	Versions policyVersionsCommand `cmd:"" help:"List versions, the newest first."`
	Diff     policyDiffCommand     `cmd:"" help:"Say line by line what is different in another policy."`
	Draft    policyDraftCommand    `cmd:"" help:"Keep another policy as a draft."`
	Try      policyTryCommand      `cmd:"" help:"Hold a draft against what was asked for in the last days."`
	Propose  policyProposeCommand  `cmd:"" help:"Ask people to agree to a draft; it counts from its notBefore on."`
	Drop     policyDropCommand     `cmd:"" help:"Take a draft back."`
}

type policyExplainCommand struct {
	deskFlags

	Request string `arg:"" help:"Id: rqs_…"`
}

// Run explains.
func (c *policyExplainCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		r, err := d.desk.Request(e.ctx, c.Request)
		if err != nil {
			return err
		}
		e.printf("%s (policy %d, rule %s)\n", r.Sentence, r.Intent.Policy, r.Rule)
		return nil
	})
}

type policyShowCommand struct{ deskFlags }

// Run prints the policy.
func (c *policyShowCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		p, err := d.policyInForce(e)
		if err != nil {
			return err
		}
		return printJSON(e, p)
	})
}

func (t *treasuryHouse) policyInForce(e *env) (*policy.Policy, error) {
	row, err := t.desk.PolicyInForce(e.ctx)
	if err != nil {
		return nil, err
	}
	return policy.Parse([]byte(row.Text))
}

// known finds assets for sentences.
func (t *treasuryHouse) known(code string) (money.Asset, bool) {
	if t.assets == nil {
		return money.Asset{}, false
	}
	info, known := t.assets.AssetByCode(code)
	return info.Asset, known
}

type policyAloneCommand struct {
	deskFlags

	Asset string `help:"Asset." required:"" placeholder:"CODE"`
	Above string `help:"Amount, in wholes." required:"" placeholder:"AMOUNT"`
}

// errAlone reports that somebody can.
var errAlone = errors.New("more than that can be moved alone, or it is not shown that it cannot")

// Run says who can move more than an amount alone.
func (c *policyAloneCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		asset, known := d.known(c.Asset)
		if !known {
			return fmt.Errorf("%w: --asset: %.20q is not one of the installation", errUsage, c.Asset)
		}
		above, err := asset.Parse(c.Above)
		if err != nil {
			return fmt.Errorf("%w: --above: %w", errUsage, err)
		}
		p, err := d.policyInForce(e)
		if err != nil {
			return err
		}
		roster, _, err := d.desk.Roster(e.ctx)
		if err != nil {
			return err
		}
		powers := policy.Alone(p, roster, c.Asset, above)
		for _, line := range powers.Sentences(d.known) {
			e.printf("%s\n", line)
		}
		if powers.More() {
			return errAlone
		}
		return nil
	})
}

type policyVersionsCommand struct{ deskFlags }

// Run lists versions.
func (c *policyVersionsCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		rows, err := d.desk.PolicyVersions(e.ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		for i := range rows {
			r := &rows[i]
			_, _ = fmt.Fprintf(w, "%d\t%s\tfrom %s\tby %s\t%s\t%s\t%s\n", r.Version, r.State, r.NotBefore.Format(time.RFC3339), r.Author, r.Reason, r.Request, r.Outcome)
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	})
}

// policyFileFlags name a policy in a file.
type policyFileFlags struct {
	deskFlags

	File string `arg:"" help:"A policy, as JSON; docs/treasury-policy.md says the language." type:"existingfile"`
}

func (c *policyFileFlags) read() (*policy.Policy, error) {
	text, err := cold.ReadFile(c.File, policy.MaxBytes)
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	return p, nil
}

type policyDiffCommand struct{ policyFileFlags }

// Run compares a policy with the one in force.
func (c *policyDiffCommand) Run(e *env) error {
	next, err := c.read()
	if err != nil {
		return err
	}
	return c.with(e, func(d *treasuryHouse) error {
		p, err := d.policyInForce(e)
		if err != nil {
			return err
		}
		for _, line := range policy.Diff(p, next) {
			e.printf("%s\n", line)
		}
		return nil
	})
}

type policyDraftCommand struct {
	policyFileFlags

	Person string `help:"Who drafts it: a person's id." required:"" placeholder:"ID"`
	Reason string `help:"Why." required:"" placeholder:"TEXT"`
}

// Run keeps a draft.
func (c *policyDraftCommand) Run(e *env) error {
	next, err := c.read()
	if err != nil {
		return err
	}
	text, err := next.Canonical()
	if err != nil {
		return err
	}
	return c.with(e, func(d *treasuryHouse) error {
		row, err := d.desk.DraftPolicy(e.ctx, text, c.Person, c.Reason)
		if err != nil {
			return err
		}
		e.printf("policy %d is a draft: try it, then propose it\n", row.Version)
		return nil
	})
}

type policyTryCommand struct {
	deskFlags

	Version uint64 `arg:"" help:"Version of the draft."`
	Days    int    `help:"How far back." default:"30"`
}

// Run tries a draft.
func (c *policyTryCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		trial, err := d.desk.TryPolicy(e.ctx, c.Version, c.Days)
		if err != nil {
			return err
		}
		for i := range trial.Decisions {
			t := &trial.Decisions[i]
			word := ""
			if t.IsLaxer {
				word = "LAXER "
			}
			e.printf("%s%s: was %s, would be %s\n", word, t.Request, t.Was, t.Is)
		}
		e.printf("of %d requests since %s %d would be decided otherwise\n", trial.Total, trial.From.Format(time.RFC3339), trial.Changed)
		return nil
	})
}

type policyProposeCommand struct {
	deskFlags

	Version uint64 `arg:"" help:"Version of the draft."`
	Person  string `help:"Who asks: a person's id. Others have to agree." required:"" placeholder:"ID"`
}

// Run proposes a draft.
func (c *policyProposeCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		row, r, err := d.desk.ProposePolicy(e.ctx, c.Version, c.Person)
		if err != nil {
			return err
		}
		e.printf("%s asks %s until %s; it counts from %s on\n", r.ID, r.Missing, r.Expires.Format(time.RFC3339), row.NotBefore.Format(time.RFC3339))
		return nil
	})
}

type policyDropCommand struct {
	deskFlags

	Version uint64 `arg:"" help:"Version of the draft."`
	Person  string `help:"Who takes it back." required:"" placeholder:"ID"`
	Reason  string `help:"Why." required:"" placeholder:"TEXT"`
}

// Run drops a draft.
func (c *policyDropCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		row, err := d.desk.DropPolicy(e.ctx, c.Version, c.Person, c.Reason)
		if err != nil {
			return err
		}
		e.printf("policy %d is dropped\n", row.Version)
		return nil
	})
}
