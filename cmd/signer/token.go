package main

import (
	"errors"
	"fmt"

	"strongroom/signer"
	"strongroom/signer/hsm"
)

// keystoreFile is the keystore whose keys derive from the seed file.
const keystoreFile = "file"

// tokenFlags name a PKCS#11 token.
type tokenFlags struct {
	Module  string `name:"pkcs11-module" help:"Path of the token's PKCS#11 library." env:"STRONGROOM_SIGNER_PKCS11_MODULE" placeholder:"FILE"`
	Token   string `name:"pkcs11-token" help:"Label of the token." env:"STRONGROOM_SIGNER_PKCS11_TOKEN" placeholder:"LABEL"`
	PINFile string `name:"pkcs11-pin-file" help:"File with the user's PIN, mode 0600." env:"STRONGROOM_SIGNER_PKCS11_PIN_FILE" placeholder:"FILE"`
}

var errTokenFlags = errors.New("a token needs --pkcs11-module, --pkcs11-token and --pkcs11-pin-file")

// open opens the token and logs in.
func (f tokenFlags) open() (*hsm.Token, error) {
	if f.Module == "" || f.Token == "" || f.PINFile == "" {
		return nil, errTokenFlags
	}
	pin, err := signer.ReadPassphrase(f.PINFile)
	if err != nil {
		return nil, fmt.Errorf("read PIN: %w", err)
	}
	return hsm.Open(hsm.Config{Module: f.Module, Label: f.Token, PIN: pin})
}

func closeToken(t *hsm.Token) error {
	if t == nil {
		return nil
	}
	return t.Close()
}

type loadTokenCommand struct {
	tokenFlags

	PassphraseFile string `help:"File with the passphrase of the seed, mode 0600." env:"STRONGROOM_SIGNER_PASSPHRASE_FILE" required:"" placeholder:"FILE"`
	WorkFactor     int    `help:"log2 of scrypt's N for the file that stays." env:"STRONGROOM_SIGNER_WORK_FACTOR" default:"18"`
	Policy         string `help:"JSON file with the chains." env:"STRONGROOM_SIGNER_POLICY" required:"" placeholder:"FILE"`
	Backup         string `help:"File outside of the signer's folder that the seed file is moved to; take it off this machine." placeholder:"FILE"`
	Seed           string `help:"Seed file, where the folder's own has left already: for new chains and more change keys." placeholder:"FILE"`
	ChangeKeys     int    `help:"How many change keys each chain with coins gets." default:"1000"`
}

// Run moves the hot keys.
func (c *loadTokenCommand) Run(e *env, root *cli) error {
	policy, err := readPolicy(c.Policy)
	if err != nil {
		return err
	}
	passphrase, err := signer.ReadPassphrase(c.PassphraseFile)
	if err != nil {
		return err
	}
	token, err := c.open()
	if err != nil {
		return err
	}
	err = signer.LoadToken(signer.Load{
		Dir: root.Dir, Passphrase: passphrase, Policy: policy, Token: token, Seed: c.Seed, Backup: c.Backup,
		ChangeKeys: c.ChangeKeys, WorkFactor: c.WorkFactor,
	})
	if err := errors.Join(err, token.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "hot keys are in token %s; serve with --keystore pkcs11 from now on, and keep the seed file offline\n", c.Token)
	if err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}
