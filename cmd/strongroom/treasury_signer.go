package main

import (
	"errors"
	"fmt"
	"time"

	"strongroom/internal/mtls"
	signerclient "strongroom/signer/client"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

// signerFlags say where the signer is.
type signerFlags struct {
	Signer  string        `name:"signer-address" help:"Address of the signer." env:"STRONGROOM_SIGNER_ADDRESS" default:"127.0.0.1:7443"`
	Certs   string        `name:"tls-dir" help:"Folder with ca.pem, cli.pem and cli-key.pem." env:"STRONGROOM_TLS_DIR" required:"" placeholder:"DIR"`
	Timeout time.Duration `help:"How long to wait for the answer." default:"5s"`
}

// with asks the signer.
func (f signerFlags) with(ask func(c *signerclient.Client) error) error {
	tlsConfig, err := mtls.ClientConfig(f.Certs, "cli", "signer")
	if err != nil {
		return err
	}
	client, err := signerclient.New(signerclient.Config{Address: f.Signer, TLS: tlsConfig, Timeout: f.Timeout})
	if err != nil {
		return err
	}
	return errors.Join(ask(client), client.Close())
}

type treasuryFreezeCommand struct {
	signerFlags

	Person      string `help:"The officer's id on the roster." required:"" placeholder:"ID"`
	Key         string `help:"File of the officer's key." required:"" type:"existingfile" placeholder:"FILE"`
	Reason      string `help:"Why." required:"" placeholder:"TEXT"`
	Environment string `help:"Name of this installation." env:"STRONGROOM_ENVIRONMENT" default:"development"`
}

// Run freezes the signer.
func (c *treasuryFreezeCommand) Run(e *env) error {
	key, err := readKey(c.Key)
	if err != nil {
		return err
	}
	f, err := key.Freeze(consent.Freeze{Environment: c.Environment, Person: c.Person, Reason: c.Reason, At: e.clock().Unix()})
	if err != nil {
		return err
	}
	if err := c.with(func(s *signerclient.Client) error { return s.Freeze(e.ctx, f) }); err != nil {
		return err
	}
	e.printf("frozen: nothing is signed until as many officers as sign rosters agree to go on (treasury unfreeze)\n")
	return nil
}

type treasuryUnfreezeCommand struct {
	deskFlags
	signerFlags

	Person string `help:"Who asks: a person's id on the roster. Others have to agree." required:"" placeholder:"ID"`
	Reason string `help:"Why signing may go on." required:"" placeholder:"TEXT"`
}

// errNotFrozen reports that there is nothing to lift.
var errNotFrozen = errors.New("no officer's freeze stands")

// Run asks officers whether signing goes on.
func (c *treasuryUnfreezeCommand) Run(e *env) error {
	var document string
	err := c.signerFlags.with(func(s *signerclient.Client) error {
		status, err := s.Status(e.ctx)
		if err != nil {
			return err
		}
		if document = status.GetTreasury().GetFrozen().GetDocument(); document == "" {
			return errNotFrozen
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.deskFlags.with(e, func(d *treasuryHouse) error {
		r, err := d.desk.Ask(e.ctx, treasury.Question{Intent: intent.Intent{
			ID: "unfreeze-" + document, Action: intent.Unfreeze, Document: document, Requester: c.Person, Reason: c.Reason,
		}})
		if err != nil {
			return fmt.Errorf("ask: %w", err)
		}
		e.printf("%s asks %s\n", r.ID, r.Missing)
		return nil
	})
}
