package main

import (
	"fmt"
	"strings"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/treasury/cold"
	"strongroom/treasury/setup"
	"strongroom/treasury/vaultsafe"
)

type treasuryPSBTCommand struct {
	deskFlags

	Refill string `arg:"" help:"Id: rfl_…, or its request: rqs_…"`
	Out    string `help:"New file for the PSBT, or for the Safe's transaction." required:"" placeholder:"FILE"`
}

// refillID is the refill that is meant.
func (t *treasuryHouse) refillID(e *env, id string) (string, error) {
	if !strings.HasPrefix(id, "rqs_") {
		return id, nil
	}
	r, err := t.desk.Request(e.ctx, id)
	return r.Intent.ID, err
}

// Run writes what cosigners sign.
func (c *treasuryPSBTCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		id, err := d.refillID(e, c.Refill)
		if err != nil {
			return err
		}
		vault, psbt, err := d.desk.Offered(e.ctx, id)
		if err != nil {
			return fmt.Errorf("%w: it is offered once people have agreed to it, and no other payment of a Safe is open", err)
		}
		if !vaultsafe.IsFile(psbt) { // of a Safe it is text already
			psbt = []byte(multisig.Encode(psbt) + "\n")
		}
		if err := cold.WriteNew(c.Out, psbt); err != nil {
			return err
		}
		e.printf("what %s pays for %s is in %s: have it signed with strongroom cold\n", vault, id, c.Out)
		return nil
	})
}

// copiesOf says who has signed a copy of what was offered, or what is wrong with it.
func copiesOf(f *setup.File, chains []chainadapters.Config) (func(vault string, offered, brought []byte) ([]string, error), error) {
	coins, err := vaultsOf(f, chains)
	if err != nil {
		return nil, err
	}
	safes, err := safesOf(f)
	return func(vault string, offered, brought []byte) ([]string, error) {
		if vaultsafe.IsFile(offered) {
			return safes.Check(vault, offered, brought)
		}
		return coins.Check(vault, offered, brought)
	}, err
}

type treasuryBringCommand struct {
	deskFlags

	Chains string `name:"chains-file" help:"JSON file of chains and nodes." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
	Refill string `arg:"" help:"Id: rfl_…, or its request: rqs_…"`
	File   string `arg:"" help:"PSBT or Safe's transaction that a cosigner signed, or several combined." type:"existingfile"`
}

// Run takes a copy in.
func (c *treasuryBringCommand) Run(e *env) error {
	file, err := cold.ReadFile(c.File, cold.MaxFile)
	if err != nil {
		return err
	}
	raw := file
	if !vaultsafe.IsFile(file) {
		if raw, err = multisig.Decode(file); err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
	}
	chains, err := readChains(c.Chains)
	if err != nil {
		return err
	}
	return c.with(e, func(d *treasuryHouse) error {
		id, err := d.refillID(e, c.Refill)
		if err != nil {
			return err
		}
		check, err := copiesOf(d.file, chains)
		if err != nil {
			return err
		}
		var signed []string
		err = d.desk.Bring(e.ctx, id, raw, func(vault string, offered, brought []byte) (err error) {
			signed, err = check(vault, offered, brought)
			return err
		})
		if err != nil {
			return err
		}
		e.printf("%s: signed by %s\n", id, strings.Join(signed, ", "))
		return nil
	})
}
