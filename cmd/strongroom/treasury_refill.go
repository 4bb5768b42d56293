package main

import (
	"fmt"
	"strings"

	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/treasury/cold"
)

type treasuryPSBTCommand struct {
	deskFlags

	Refill string `arg:"" help:"Id: rfl_…, or its request: rqs_…"`
	Out    string `help:"New file for the PSBT." required:"" placeholder:"FILE"`
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
			return fmt.Errorf("%w: it is offered once people have agreed to it", err)
		}
		if err := cold.WriteNew(c.Out, []byte(multisig.Encode(psbt)+"\n")); err != nil {
			return err
		}
		e.printf("what %s pays for %s is in %s: have it signed with strongroom cold\n", vault, id, c.Out)
		return nil
	})
}

type treasuryBringCommand struct {
	deskFlags

	Chains string `name:"chains-file" help:"JSON file of chains and nodes." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
	Refill string `arg:"" help:"Id: rfl_…, or its request: rqs_…"`
	File   string `arg:"" help:"PSBT that a cosigner signed, or several combined." type:"existingfile"`
}

// Run takes a copy in.
func (c *treasuryBringCommand) Run(e *env) error {
	file, err := cold.ReadFile(c.File, cold.MaxFile)
	if err != nil {
		return err
	}
	raw, err := multisig.Decode(file)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
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
		vaults, err := vaultsOf(d.file, chains)
		if err != nil {
			return err
		}
		var signed []string
		err = d.desk.Bring(e.ctx, id, raw, func(vault string, offered, brought []byte) (err error) {
			signed, err = vaults.Check(vault, offered, brought)
			return err
		})
		if err != nil {
			return err
		}
		e.printf("%s: signed by %s\n", id, strings.Join(signed, ", "))
		return nil
	})
}
