package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"strongroom/treasury"
	"strongroom/treasury/addressbook"
)

// treasuryAddressCommand is the address books.
type treasuryAddressCommand struct {
	List    addressListCommand    `cmd:"" default:"withargs" help:"List entries, the newest first."`
	Propose addressProposeCommand `cmd:"" help:"Ask people to allow an outside address that the house pays; it cools down then."`
	Remove  addressRemoveCommand  `cmd:"" help:"Take an entry out at once."`
}

type addressListCommand struct {
	deskFlags

	Owner string `help:"house, or customer:ID; all where left out." placeholder:"OWNER"`
}

// Run lists entries.
func (c *addressListCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		rows, err := d.desk.Addresses(e.ctx, c.Owner)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		for i := range rows {
			r := &rows[i]
			from := ""
			if r.State == addressbook.Cooling {
				from = "until " + time.Unix(r.ActiveFrom, 0).UTC().Format(time.RFC3339)
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.State, from, r.Owner, r.Chain, r.Address, r.Label)
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	})
}

type addressProposeCommand struct {
	deskFlags

	Chains  string `name:"chains-file" help:"JSON file of chains and nodes." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
	Chain   string `arg:"" help:"Chain: bitcoin-regtest."`
	Address string `arg:"" help:"Outside address."`
	Label   string `help:"What the house calls it." required:"" placeholder:"TEXT"`
	Person  string `help:"Who asks: a person's id on the roster. Others have to agree." required:"" placeholder:"ID"`
	Reason  string `help:"Why." required:"" placeholder:"TEXT"`
}

// Run proposes an entry.
func (c *addressProposeCommand) Run(e *env) error {
	chains, err := readChains(c.Chains)
	if err != nil {
		return err
	}
	adapters, err := openAdapters(chains)
	if err != nil {
		return err
	}
	address, err := canonical(adapters, c.Chain, c.Address)
	if err != nil {
		return err
	}
	return c.with(e, func(d *treasuryHouse) error {
		entry, r, err := d.desk.ProposeAddress(e.ctx, treasury.Candidate{
			Owner: addressbook.House, Chain: c.Chain, Address: address, Label: c.Label, Requester: c.Person, Reason: c.Reason,
		})
		if err != nil {
			return err
		}
		e.printf("%s: %s asks %s\n", entry.ID, r.ID, r.Missing)
		for _, alike := range entry.Alike {
			e.printf("it begins and ends like %s: compare every character\n", alike)
		}
		return nil
	})
}

type addressRemoveCommand struct {
	deskFlags

	ID     string `arg:"" help:"Id: adr_…"`
	Person string `help:"Who takes it out." required:"" placeholder:"ID"`
	Reason string `help:"Why." required:"" placeholder:"TEXT"`
}

// Run removes an entry.
func (c *addressRemoveCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		entry, err := d.desk.RemoveAddress(e.ctx, c.ID, c.Person, c.Reason)
		if err != nil {
			return err
		}
		e.printf("%s is %s\n", entry.ID, entry.State)
		return nil
	})
}
