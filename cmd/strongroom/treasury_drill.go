package main

import (
	"fmt"
	"strings"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/treasury"
	"strongroom/treasury/cold"
	"strongroom/treasury/drill"
	"strongroom/treasury/vault"
	"strongroom/treasury/vaultsafe"
)

// treasuryDrillCommand proves that the keys of vaults are under control.
type treasuryDrillCommand struct {
	Due   drillDueCommand   `cmd:"" default:"withargs" help:"List vaults whose proof of control lapses soon, or has lapsed: these take nothing."`
	Open  drillOpenCommand  `cmd:"" help:"Write a text for the vault's cosigners to sign offline (cold sign, cold combine)."`
	Bring drillBringCommand `cmd:"" help:"Bring the text back that enough of them signed."`
}

// drillSoon is how long before it lapses a proof is listed.
const drillSoon = 14 * 24 * time.Hour

type drillDueCommand struct{ deskFlags }

// Run lists what is due.
func (c *drillDueCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		rows, err := d.desk.Vaults(e.ctx)
		if err != nil {
			return err
		}
		var vaults []vault.Vault
		var proofs []vault.Proof
		for i := range rows {
			of, err := d.desk.Proofs(e.ctx, rows[i].ID)
			if err != nil {
				return err
			}
			vaults = append(vaults, rows[i].Vault)
			for j := range of {
				proofs = append(proofs, of[j].Proof)
			}
		}
		due := vault.Drills(vaults, proofs, e.clock(), drillSoon)
		for _, is := range due {
			word := "lapses " + is.Lapses.Format(time.RFC3339)
			if is.Overdue {
				word = "has lapsed: the vault takes nothing"
			}
			e.printf("%s %s\n", is.Vault, word)
		}
		if len(due) == 0 {
			e.printf("every vault has a recent proof of control\n")
		}
		return nil
	})
}

// drillFlags find vaults.
type drillFlags struct {
	deskFlags

	Chains string `name:"chains-file" help:"JSON file of chains and nodes." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
}

// vaultOf finds a vault that cosigners hold the keys of, and the network of its chain.
func (c *drillFlags) vaultOf(d *treasuryHouse, id string) (vault.Vault, string, error) {
	chains, err := readChains(c.Chains)
	if err != nil {
		return vault.Vault{}, "", err
	}
	for _, v := range d.file.Vaults {
		if v.ID != id {
			continue
		}
		if v.Descriptor == "" {
			return v, "", fmt.Errorf("%w: the signer holds the keys of %s: it proves itself by signing", treasury.ErrInvalid, id)
		}
		return v, networkOf(chains, v.Chain), nil
	}
	return vault.Vault{}, "", fmt.Errorf("vault %.60q: %w", id, treasury.ErrUnknown)
}

func networkOf(chains []chainadapters.Config, chain string) string {
	for _, c := range chains {
		if string(c.Chain) == chain {
			return c.Expect.Network
		}
	}
	return ""
}

type drillOpenCommand struct {
	drillFlags

	Vault string `arg:"" help:"Id of the vault: cold-btc."`
	Out   string `help:"New file for the text." required:"" placeholder:"FILE"`
}

// Run opens a drill, or writes the one that is open once more.
func (c *drillOpenCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		v, network, err := c.vaultOf(d, c.Vault)
		if err != nil {
			return err
		}
		place, err := placeOf(v, network)
		if err != nil {
			return err
		}
		f, err := d.desk.OpenDrill(e.ctx, v.ID, place)
		if err != nil {
			return err
		}
		if err := cold.WriteNew(c.Out, f.Encode()); err != nil {
			return err
		}
		e.printf("%s\n\nSHA-256 of the text: %s\nIt is in %s: have it signed with strongroom cold sign, join with cold combine, and bring it back\n", f.Message, drill.Digest(f.Message), c.Out)
		return nil
	})
}

type drillBringCommand struct {
	drillFlags

	File string `arg:"" help:"The text with enough signatures." type:"existingfile"`
}

// Run takes a proof in.
func (c *drillBringCommand) Run(e *env) error {
	content, err := cold.ReadFile(c.File, drill.MaxBytes)
	if err != nil {
		return err
	}
	return c.with(e, func(d *treasuryHouse) error {
		of, signed, err := d.desk.BringDrill(e.ctx, content, func(id string, f *drill.File) ([]string, int, error) {
			v, network, err := c.vaultOf(d, id)
			if err != nil {
				return nil, 0, err
			}
			return provenBy(v, network, f)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
		e.printf("%s is under control: proven by %s\n", of, strings.Join(signed, ", "))
		return nil
	})
}

// provenBy verifies a drill against the keys of a vault's description.
func provenBy(v vault.Vault, network string, f *drill.File) ([]string, int, error) {
	if vaultsafe.Is(v.Descriptor) {
		is, err := vaultsafe.Parse(v.Descriptor)
		if err != nil {
			return nil, 0, fmt.Errorf("vault %s: %w", v.ID, err)
		}
		signed, err := drill.OfSafe(&is, f)
		return signed, is.Threshold, err
	}
	is, _, err := multisig.ParseDescriptor(network, v.Descriptor)
	if err != nil {
		return nil, 0, fmt.Errorf("vault %s: %w", v.ID, err)
	}
	signed, err := drill.OfCoins(&is, f)
	return signed, is.K, err
}
