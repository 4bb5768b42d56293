package tour

import (
	"context"
	"fmt"
	"text/tabwriter"

	"strongroom/money"
)

// arrive checks that the outside addresses got what was asked for, to the unit.
func (t *Tour) arrive(ctx context.Context) error {
	for _, leg := range t.cfg.Legs {
		if err := t.arrived(ctx, leg); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tour) arrived(ctx context.Context, leg Leg) error {
	code := leg.Asset.Code
	to, err := t.cfg.Outside.Address(code, t.label())
	if err != nil {
		return fmt.Errorf("make outside address: %w", err)
	}
	before, err := money.ParseUnits(t.state.Before[code])
	if err != nil {
		return fmt.Errorf("read balance before: %w", err)
	}
	asked, err := leg.Asset.Parse(leg.Withdraw)
	if err != nil {
		return fmt.Errorf("read withdrawal of %s: %w", code, err)
	}
	want, err := before.Add(asked)
	if err != nil {
		return fmt.Errorf("add %s: %w", code, err)
	}
	var got money.Units
	err = t.patiently(ctx, "read outside balance", func(ctx context.Context) (bool, error) {
		got, err = t.cfg.Outside.Balance(ctx, code, to)
		return err == nil, err
	})
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%w: %s has %s %s on chain, want %s", ErrDiffers, to, leg.Asset.Format(got), code, leg.Asset.Format(want))
	}
	t.say("%-4s %s arrived outside, to the unit", code, leg.Withdraw)
	return nil
}

// compare prints the ledger against the chain, and fails where a line differs.
// What is under way (a collection, a fee not yet final) settles by itself: the
// comparison is repeated until it holds or ctx ends.
func (t *Tour) compare(ctx context.Context) error {
	var rows []Row
	err := t.patiently(ctx, "compare ledger and chain", func(ctx context.Context) (bool, error) {
		var err error
		if rows, err = t.cfg.Table(ctx); err != nil {
			return false, err
		}
		for _, r := range rows {
			if !r.Agrees || !r.InFlight.IsZero() {
				return false, fmt.Errorf("%w in %s: ledger %s, chain %s", ErrDiffers, r.Asset.Code, r.Ledger, r.Chain)
			}
		}
		return true, nil
	})
	if printErr := t.table(rows); printErr != nil {
		return printErr
	}
	return err
}

func (t *Tour) table(rows []Row) error {
	w := tabwriter.NewWriter(t.cfg.Out, 0, 0, 3, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "\n  asset\towed to customers\tledger: custody\tchain\t\t")
	for _, r := range rows {
		verdict := "agrees"
		if !r.Agrees {
			verdict = "DIFFERS"
		}
		_, _ = fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t\n", r.Asset.Code,
			r.Asset.Format(r.Customers), r.Asset.Format(r.Ledger), r.Asset.Format(r.Chain), verdict)
	}
	_, _ = fmt.Fprintln(w)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	return nil
}
