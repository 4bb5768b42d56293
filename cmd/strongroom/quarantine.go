package main

import (
	"fmt"
	"text/tabwriter"

	"strongroom/custody/custodydb"
)

// maxQuarantined is how many deposits are shown at once.
const maxQuarantined = 200

type quarantineCommand struct{ chainFlags }

// Run prints one line per finding about a deposit in quarantine.
func (c *quarantineCommand) Run(e *env) error {
	return c.with(e, func(store *custodydb.Store) error {
		list, err := store.Quarantined(e.ctx, maxQuarantined)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "DEPOSIT\tCUSTOMER\tASSET\tUNITS\tON CHAIN\tADDRESS\tLIST\tENTRY")
		for _, d := range list {
			found, err := store.Findings(e.ctx, d.ID)
			if err != nil {
				return err
			}
			for _, f := range found {
				_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\t%s\t%s\t%s\n", d.ID, d.Customer, d.Asset, d.Amount, d.Canonical, f.Address, f.List, f.Entry)
			}
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	})
}

type releaseDepositCommand struct {
	chainFlags

	Deposit string `arg:"" help:"Id of the deposit: dep_…"`
	Reason  string `required:"" help:"Why, for the record."`
}

// Run releases the deposit; its workflow credits it.
func (c *releaseDepositCommand) Run(e *env) error {
	return c.with(e, func(store *custodydb.Store) error {
		d, err := store.ReleaseDeposit(e.ctx, c.Deposit, c.Reason)
		if err != nil {
			return err
		}
		e.printf("%s is %s; it is credited as soon as its block is deep enough\n", d.ID, d.State)
		return nil
	})
}
