package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"strongroom/assets"
	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/internal/pg"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/softkey"
	"strongroom/treasury/vault"
)

// treasuryCommand is what people of the house do from a command line.
type treasuryCommand struct {
	List    treasuryListCommand     `cmd:"" help:"List requests, those that expire first first."`
	Show    treasuryShowCommand     `cmd:"" help:"Show a request: what it does, who is asked, who agreed."`
	Approve treasuryApproveCommand  `cmd:"" help:"Agree to a request with an Ed25519 key."`
	Deny    treasuryDenyCommand     `cmd:"" help:"Say no to a request, with a reason."`
	PSBT    treasuryPSBTCommand     `cmd:"" name:"psbt" help:"Write the transaction of a refill that cosigners are asked to sign."`
	Bring   treasuryBringCommand    `cmd:"" help:"Bring back what a cosigner signed offline; with enough of them the refill goes on."`
	Vaults  treasuryVaultsCommand   `cmd:"" help:"Show what is in the vaults, and what moves."`
	Address treasuryAddressCommand  `cmd:"" help:"List, propose and remove outside addresses that the house pays."`
	Spend   treasurySpendCommand    `cmd:"" help:"Ask for a payment out of a cold vault to an address of the house's book."`
	Drill   treasuryDrillCommand    `cmd:"" help:"Prove that the keys of cold vaults are under control: they take nothing otherwise."`
	Freeze  treasuryFreezeCommand   `cmd:"" help:"As an officer: stop all signing at once."`
	Resume  treasuryUnfreezeCommand `cmd:"" name:"unfreeze" help:"Ask officers whether signing goes on."`
	Serve   treasuryServeCommand    `cmd:"" help:"Serve the treasury's page: log in by passkey, see what waits, agree or deny."`
	Key     treasuryKeyCommand      `cmd:"" help:"Draw an Ed25519 key for approvals, and print its public part for the roster."`
}

// deskFlags say where the treasury's desk is.
type deskFlags struct {
	treasuryFlag

	Database    string `name:"database-url" help:"PostgreSQL connection string." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	Environment string `help:"Name of this installation; part of each intent's hash." env:"STRONGROOM_ENVIRONMENT" default:"development"`
}

// with runs work at the desk.
func (f deskFlags) with(e *env, work func(d *treasuryHouse) error) error {
	if f.Treasury == "" {
		return fmt.Errorf("%w: --treasury-file: name the treasury's configuration", errUsage)
	}
	pool, err := pg.Open(e.ctx, f.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	house, err := openTreasuryDesk(e, f.Treasury, f.Environment, pool)
	if err != nil {
		return err
	}
	house.pool = pool
	registry, err := assets.New(assets.Config{Pool: pool, Clock: e.clock})
	if err != nil {
		return err
	}
	if house.assets, err = newAssetView(e.ctx, registry, e.log); err != nil {
		return err
	}
	return work(house)
}

// text is an amount of an asset in wholes.
func (t *treasuryHouse) text(code string, amount money.Units) string {
	info, known := t.assets.AssetByCode(code)
	if !known {
		return amount.String() + " base units of " + code
	}
	return info.Format(amount) + " " + code
}

type treasuryListCommand struct {
	deskFlags

	Person string `help:"Only what waits for this person." placeholder:"ID"`
	All    bool   `help:"Ended requests too."`
	Limit  int    `help:"At most so many." default:"50"`
}

// Run lists requests.
func (c *treasuryListCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		f := treasury.Filter{Person: c.Person, Limit: c.Limit}
		if !c.All {
			f.States = []treasury.State{treasury.Waiting, treasury.Approved}
		}
		page, err := d.desk.List(e.ctx, f)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		for i := range page.Requests {
			r := &page.Requests[i]
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.State, r.Intent.Action, d.about(r), r.Missing, r.Expires.Format(time.RFC3339))
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		e.printf("%d of %d\n", len(page.Requests), page.Total)
		return nil
	})
}

// about is what a request moves, or the beginning of the hash of what it decides.
func (t *treasuryHouse) about(r *treasury.Request) string {
	const digits = 16
	if !r.Intent.Action.Moves() {
		return r.Intent.Document[:digits]
	}
	return t.text(r.Intent.Asset, r.Intent.Amount)
}

type treasuryShowCommand struct {
	deskFlags

	Request string `arg:"" help:"Id: rqs_…"`
}

// Run shows a request.
func (c *treasuryShowCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		r, err := d.desk.Request(e.ctx, c.Request)
		if err != nil {
			return err
		}
		return showRequest(e, &r)
	})
}

// showRequest prints all that a person who is asked should know.
func showRequest(e *env, r *treasury.Request) error {
	text, err := r.Intent.Canonical()
	if err != nil {
		return err
	}
	e.printf("%s  %s\n\n%s\n", r.ID, r.State, consent.Summary(&r.Intent))
	for _, line := range r.Effect {
		e.printf("  %s\n", line)
	}
	for _, n := range r.Notes {
		e.printf("  %s: %s\n", n.Level, n.Text)
	}
	e.printf("\n%s\n", r.Sentence)
	if r.Missing != "" {
		e.printf("It still takes %s, until %s.\n", r.Missing, r.Expires.Format(time.RFC3339))
	}
	for i := range r.Signed {
		s := &r.Signed[i]
		e.printf("  %s %s %s with %s %s\n", s.Came.Format(time.RFC3339), s.Name, s.Verdict, s.Key, s.Reason)
	}
	if r.Outcome != "" {
		e.printf("Ended %s: %s\n", r.Ended.Format(time.RFC3339), r.Outcome)
	}
	e.printf("\nhash    %s  (%s)\nintent  %s\n", r.Hash, r.Hash.Short(), text)
	return nil
}

// wordFlags say who says something to a request.
type wordFlags struct {
	deskFlags

	Request string `arg:"" help:"Id: rqs_…"`
	Person  string `help:"Who says it: the person's id on the roster." required:"" placeholder:"ID"`
	Key     string `help:"File of the person's key, as drawn by treasury key." required:"" type:"existingfile" placeholder:"FILE"`
}

// say signs a word on a request and hands it in.
func (c *wordFlags) say(e *env, a consent.Approval, hash string) error {
	key, err := readKey(c.Key)
	if err != nil {
		return err
	}
	return c.with(e, func(d *treasuryHouse) error {
		r, err := d.desk.Request(e.ctx, c.Request)
		if err != nil {
			return err
		}
		if hash != "" && hash != r.Hash.String() {
			return fmt.Errorf("%w: --hash: the request's hash is %s: compare again", errUsage, r.Hash)
		}
		a.Person, a.At = c.Person, e.clock().Unix()
		signed, err := key.Say(&r.Intent, a)
		if err != nil {
			return err
		}
		is, err := d.desk.Sign(e.ctx, c.Request, signed)
		if err != nil {
			return err
		}
		e.printf("%s is %s", is.ID, is.State)
		if is.Missing != "" {
			e.printf(": it still takes %s", is.Missing)
		}
		e.printf("\n")
		return nil
	})
}

type treasuryApproveCommand struct {
	wordFlags

	Hash string `help:"Hash of the request that was looked at: agreed to nothing else." required:"" placeholder:"HEX"`
}

// Run agrees.
func (c *treasuryApproveCommand) Run(e *env) error {
	return c.say(e, consent.Approval{Verdict: consent.Approve}, c.Hash)
}

type treasuryDenyCommand struct {
	wordFlags

	Reason string `help:"Why." required:"" placeholder:"TEXT"`
}

// Run denies.
func (c *treasuryDenyCommand) Run(e *env) error {
	return c.say(e, consent.Approval{Verdict: consent.Deny, Reason: c.Reason}, "")
}

type treasuryVaultsCommand struct{ deskFlags }

// Run shows the vaults.
func (c *treasuryVaultsCommand) Run(e *env) error {
	return c.with(e, func(d *treasuryHouse) error {
		rows, err := d.desk.Vaults(e.ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "vault\ttier\tholds\tfloor\ttarget\tcap\tis paid at")
		for i := range rows {
			v := &rows[i]
			has, err := d.holds(e.ctx, v)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.ID, v.Tier, d.text(v.Asset, has), d.text(v.Asset, v.Floor), d.text(v.Asset, v.Target),
				d.text(v.Asset, v.Cap), d.hotPlace(e.ctx, v))
		}
		moves, err := d.desk.Moves(e.ctx, "", false)
		if err != nil {
			return err
		}
		for i := range moves {
			m := &moves[i]
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s → %s\t%s\t%s\n", m.ID, m.Kind, d.text(m.Asset, m.Amount), m.From, m.To, m.State, m.TxID)
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	})
}

// hotPlace is where a hot wallet is paid; nothing for other vaults, and before the worker
// has begun.
func (t *treasuryHouse) hotPlace(ctx context.Context, v *treasury.VaultRow) string {
	if v.Tier != vault.Hot {
		return ""
	}
	address, err := custodydb.HotWallet(ctx, t.pool, chainadapters.ChainID(v.Chain))
	if err != nil {
		return ""
	}
	return address
}

type treasuryKeyCommand struct {
	ID  string `arg:"" help:"Id of the key on the roster: ada-laptop."`
	Out string `help:"File for the key; made anew, never overwritten." required:"" placeholder:"FILE"`
}

// Run draws a key.
func (c *treasuryKeyCommand) Run(e *env) error {
	key, err := softkey.New(c.ID)
	if err != nil {
		return err
	}
	text, err := key.File()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return printJSON(e, key.Public())
}

// holds is what is in a vault by the newest look.
func (t *treasuryHouse) holds(ctx context.Context, v *treasury.VaultRow) (money.Units, error) {
	info, known := t.assets.AssetByCode(v.Asset)
	if !known {
		return money.Units{}, fmt.Errorf("vault %s: %w", v.ID, custody.ErrAsset)
	}
	at, err := t.desk.State(ctx, info.Asset, v.Chain, t.file.Moves[v.Asset].Terms())
	if err != nil {
		return money.Units{}, err
	}
	for i := range at.Holdings {
		if at.Holdings[i].Vault.ID == v.ID {
			return at.Holdings[i].Final, nil
		}
	}
	return money.Units{}, nil
}

// printJSON prints a value for people and programs.
func printJSON(e *env, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	e.printf("%s\n", text)
	return nil
}
