package main

import (
	"errors"
	"fmt"

	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/internal/id"
	"strongroom/ledger"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/vault"
)

type treasurySpendCommand struct {
	deskFlags

	Chains string `name:"chains-file" help:"JSON file of chains and nodes." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
	Vault  string `arg:"" help:"Id of a cold vault of coins: cold-btc."`
	Amount string `arg:"" help:"Decimal amount that shall arrive."`
	To     string `arg:"" help:"Outside address of the house's book, past its cool-down."`
	Person string `help:"Who asks: a person's id on the roster. Others have to agree." required:"" placeholder:"ID"`
	Reason string `help:"Why. Those who are asked see it." required:"" placeholder:"TEXT"`
	ID     string `name:"id" help:"Repeat a payment with its id; a new one where empty." placeholder:"ID"`
}

// Run opens a payment out of a vault. Its workflow asks people, then the vault's cosigners.
func (c *treasurySpendCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) (err error) {
		v, to, err := c.checked(e, d)
		if err != nil {
			return err
		}
		info, known := d.known(v.Asset)
		if !known {
			return fmt.Errorf("asset %s: %w", v.Asset, custody.ErrAsset)
		}
		amount, err := info.Parse(c.Amount)
		if err != nil {
			return err
		}
		book, err := ledger.New(ledger.Config{Pool: d.pool, Clock: e.clock})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, book.Close(e.ctx)) }()
		chains, err := readChains(c.Chains)
		if err != nil {
			return err
		}
		adapters, err := openAdapters(chains)
		if err != nil {
			return err
		}
		store, err := custodydb.New(custodydb.Config{Pool: d.pool, Ledger: book, Assets: d.assets, Adapters: adapters, Environment: c.Environment, Clock: e.clock})
		if err != nil {
			return err
		}
		if c.ID == "" {
			c.ID = id.New("csp")
		}
		e.printf("payment %s\n", c.ID)
		err = store.OpenColdSpend(e.ctx, custodydb.ColdSpend{ID: c.ID, Asset: v.Asset, Vault: v.ID, To: to, Amount: amount, MaxFee: d.file.MaxFees[v.Chain], Requester: c.Person, Purpose: c.Reason})
		if errors.Is(err, custody.ErrAsset) {
			return fmt.Errorf("%s: only vaults of coins pay to the outside; refill the hot wallet from this one: %w", v.ID, err)
		}
		if err != nil {
			return err
		}
		e.printf("people are asked (treasury list); then its cosigners sign (treasury psbt %s)\n", c.ID)
		return nil
	})
}

// checked finds the vault, and the address in the house's book.
func (c *treasurySpendCommand) checked(e *env, d *treasuryHouse) (vault.Vault, string, error) {
	roster, _, err := d.desk.Roster(e.ctx)
	if err != nil {
		return vault.Vault{}, "", err
	}
	if roster.Person(c.Person) == nil {
		return vault.Vault{}, "", fmt.Errorf("%w: --person: %.60q is not on the roster", errUsage, c.Person)
	}
	chains, err := readChains(c.Chains)
	if err != nil {
		return vault.Vault{}, "", err
	}
	adapters, err := openAdapters(chains)
	if err != nil {
		return vault.Vault{}, "", err
	}
	for _, v := range d.file.Vaults {
		if v.ID != c.Vault {
			continue
		}
		if v.Tier == vault.Hot {
			return v, "", fmt.Errorf("%w: %s is a hot wallet: customers withdraw from it", errUsage, v.ID)
		}
		to, err := canonical(adapters, v.Chain, c.To)
		if err != nil {
			return v, "", err
		}
		return v, to, c.allowed(e, d, v.Chain, to)
	}
	return vault.Vault{}, "", fmt.Errorf("vault %.60q: %w", c.Vault, treasury.ErrUnknown)
}

// allowed refuses what is not in the house's book: the policy might let it pass, and nobody
// meant it to.
func (c *treasurySpendCommand) allowed(e *env, d *treasuryHouse, chain, to string) error {
	standing, err := d.desk.Standing(e.ctx, addressbook.House, chain, to)
	if err != nil {
		return err
	}
	if standing.Class != addressbook.Allowlisted {
		return fmt.Errorf("%w: %s is not in the house's book, or still cools down: propose it first", errUsage, to)
	}
	return nil
}
