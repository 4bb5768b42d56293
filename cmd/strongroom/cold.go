package main

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"strongroom/signer"
	"strongroom/treasury/cold"
)

const (
	maxDescription = 1 << 20
	maxAnswer      = 256
	// comparedDigits are typed by hand from another device's screen: the last of the
	// hash, for the first ones are the easier to imitate.
	comparedDigits = 8
)

// coldCommand is what runs on a machine without network.
type coldCommand struct {
	Inspect coldInspect `cmd:"" help:"Say what a transaction does, after deriving all of it again."`
	Sign    coldSign    `cmd:"" help:"Add one person's signature, into a new file."`
	Combine coldCombine `cmd:"" help:"Join what several people signed apart, into a new file."`
	Finish  coldFinish  `cmd:"" help:"Print what is sent, once enough have signed."`
	Vault   coldVault   `cmd:"" help:"Say what a description of a vault means, to compare before it is trusted."`
	Key     coldKey     `cmd:"" help:"Draw a cosigner's key, and show its public part."`
	QR      coldQR      `cmd:"" name:"qr" help:"Show a file as numbered QR codes."`
	Unqr    coldUnqr    `cmd:"" help:"Put a file together from the texts of QR codes."`
}

// vaultFlag names the only thing that is believed.
type vaultFlag struct {
	Vault string `required:"" help:"Description of the vault, which this machine trusts." placeholder:"FILE"`
}

func (f vaultFlag) open() (*cold.Vault, error) { return openVault(f.Vault) }

func openVault(file string) (*cold.Vault, error) {
	text, err := cold.ReadFile(file, maxDescription)
	if err != nil {
		return nil, err
	}
	d, err := cold.ParseDescription(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	v, err := cold.Open(d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return v, nil
}

type coldInspect struct {
	vaultFlag

	File string `arg:"" help:"Transaction: a PSBT, or a Safe's in JSON."`
}

// Run shows the review.
func (c *coldInspect) Run(e *env) error {
	_, _, review, err := reviewed(c.vaultFlag, c.File)
	if err != nil {
		return err
	}
	e.printf("%s", review)
	return nil
}

func reviewed(f vaultFlag, file string) (*cold.Vault, []byte, *cold.Review, error) {
	v, err := f.open()
	if err != nil {
		return nil, nil, nil, err
	}
	content, err := cold.ReadFile(file, cold.MaxFile)
	if err != nil {
		return nil, nil, nil, err
	}
	review, err := v.Inspect(content)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return v, content, review, nil
}

// keyFlags name a cosigner's key file.
type keyFlags struct {
	Key            string `required:"" help:"Key file of the cosigner." placeholder:"FILE"`
	PassphraseFile string `help:"File with the passphrase, of mode 0600; asked for where empty." placeholder:"FILE"`
}

func (f keyFlags) open(e *env) (*cold.Key, error) {
	passphrase, err := f.passphrase(e)
	if err != nil {
		return nil, err
	}
	sealed, err := cold.ReadFile(f.Key, maxDescription)
	if err != nil {
		return nil, err
	}
	key, err := cold.OpenKey(sealed, passphrase)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Key, err)
	}
	return key, nil
}

func (f keyFlags) passphrase(e *env) (string, error) {
	if f.PassphraseFile != "" {
		return signer.ReadPassphrase(f.PassphraseFile)
	}
	return typedSecret(e, "Passphrase: ")
}

// typedSecret asks at the terminal, without showing what is typed.
func typedSecret(e *env, prompt string) (string, error) {
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return "", fmt.Errorf("%w: no terminal to ask for the passphrase: give --passphrase-file", errUsage)
	}
	_, _ = fmt.Fprint(e.err, prompt)
	typed, err := term.ReadPassword(in)
	_, _ = fmt.Fprintln(e.err)
	if err != nil {
		return "", fmt.Errorf("read passphrase: %w", err)
	}
	return string(typed), nil
}

type coldSign struct {
	vaultFlag
	keyFlags

	File     string `arg:"" help:"Transaction: a PSBT, or a Safe's in JSON."`
	Out      string `help:"New file; beside FILE, with the signer's name, where empty." placeholder:"FILE"`
	Compared string `name:"yes-i-have-compared" help:"The whole hash that was compared, in place of being asked." placeholder:"HASH"`
}

// Run shows what is signed, asks, signs, and writes another file.
func (c *coldSign) Run(e *env) error {
	v, content, review, err := reviewed(c.vaultFlag, c.File)
	if err != nil {
		return err
	}
	e.printf("%s", review)
	if c.Compared == "" {
		err = askCompared(os.Stdin, e.err, review.Confirm)
		c.Compared = review.Confirm
	}
	if err != nil {
		return err
	}
	if c.Compared != review.Confirm {
		return fmt.Errorf("%w: --yes-i-have-compared is %.80q, and this transaction is %s: nothing was signed", cold.ErrTransaction, c.Compared, review.Confirm)
	}
	key, err := c.keyFlags.open(e)
	if err != nil {
		return err
	}
	signed, who, err := v.Sign(content, c.Compared, key)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	return c.write(e, signed, who)
}

func (c *coldSign) write(e *env, signed []byte, who cold.Signer) error {
	if c.Out == "" {
		c.Out = beside(c.File, plainName(who.Name))
	}
	if err := cold.WriteNew(c.Out, signed); err != nil {
		return err
	}
	e.printf("\nSigned by %s: %s\n", who, c.Out)
	return nil
}

// askCompared wants the end of the hash as it stands on another device's screen.
func askCompared(in io.Reader, out io.Writer, hash string) error {
	want := hash[len(hash)-comparedDigits:]
	_, _ = fmt.Fprintf(out, "\nType the last %d digits of the hash as the OTHER device shows it: ", comparedDigits)
	typed, err := bufio.NewReader(io.LimitReader(in, maxAnswer)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read answer: %w", err)
	}
	if !strings.EqualFold(strings.TrimSpace(typed), want) {
		return fmt.Errorf("%w: what was typed is not the end of its hash: nothing was signed", cold.ErrTransaction)
	}
	return nil
}

// beside names a file in the same folder, with a word before its ending.
func beside(file, word string) string {
	ending := filepath.Ext(file)
	return strings.TrimSuffix(file, ending) + "." + word + ending
}

// plainName makes a name fit for a file's.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, name)
}

type coldCombine struct {
	vaultFlag

	Files []string `arg:"" help:"Copies of one transaction, signed apart."`
	Out   string   `help:"New file; beside the first, where empty." placeholder:"FILE"`
}

// Run joins copies.
func (c *coldCombine) Run(e *env) error {
	v, err := c.open()
	if err != nil {
		return err
	}
	copies := make([][]byte, len(c.Files))
	for i, file := range c.Files {
		if copies[i], err = cold.ReadFile(file, cold.MaxFile); err != nil {
			return err
		}
	}
	joined, err := v.Combine(copies...)
	if err != nil {
		return err
	}
	review, err := v.Inspect(joined)
	if err != nil {
		return err
	}
	if c.Out == "" {
		c.Out = beside(c.Files[0], "combined")
	}
	if err := cold.WriteNew(c.Out, joined); err != nil {
		return err
	}
	e.printf("%s\nCombined: %s\n", review, c.Out)
	return nil
}

type coldFinish struct {
	vaultFlag

	File string `arg:"" help:"Transaction with enough signatures."`
	Out  string `help:"New file for what is sent; printed where empty." placeholder:"FILE"`
}

// Run prints what is sent.
func (c *coldFinish) Run(e *env) error {
	v, content, _, err := reviewed(c.vaultFlag, c.File)
	if err != nil {
		return err
	}
	finished, err := v.Finish(content)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if c.Out != "" {
		if err := cold.WriteNew(c.Out, []byte(finished.Hex+"\n")); err != nil {
			return err
		}
		e.printf("%s: %s\n", finished.ID, c.Out)
	} else {
		e.printf("%s\n", finished.Hex)
	}
	if finished.To != "" {
		_, _ = fmt.Fprintf(e.err, "A call of %s without value, by whoever.\n", finished.To)
	}
	return nil
}

type coldVault struct {
	File string `arg:"" help:"Description of a vault."`
}

// Run says what the description means.
func (c *coldVault) Run(e *env) error {
	v, err := openVault(c.File)
	if err != nil {
		return err
	}
	words, err := v.Words()
	if err != nil {
		return err
	}
	e.printf("%s", words)
	return nil
}

type coldKey struct {
	New  coldKeyNew  `cmd:"" help:"Draw a key into a new, encrypted file."`
	Show coldKeyShow `cmd:"" help:"Show what others need to know of a key; nothing of it is secret."`
}

type coldKeyNew struct {
	keyFlags

	Work int `default:"19" hidden:"" help:"log2 of scrypt's N."`
}

// Run draws a key. A passphrase that is typed is typed twice.
func (c *coldKeyNew) Run(e *env) error {
	passphrase, err := c.passphrase(e)
	if err != nil {
		return err
	}
	if c.PassphraseFile == "" {
		again, err := typedSecret(e, "The same again: ")
		if err != nil {
			return err
		}
		if again != passphrase {
			return fmt.Errorf("%w: the two passphrases differ: no key was made", errUsage)
		}
	}
	key, sealed, err := cold.NewKey(rand.Reader, passphrase, c.Work)
	if err != nil {
		return err
	}
	owner, err := key.Owner()
	if err != nil {
		return err
	}
	if err := cold.WriteNew(c.Key, sealed); err != nil {
		return err
	}
	e.printf("New key in %s\nOwner address %s\nKeep a second copy elsewhere, and the passphrase apart from both.\n", c.Key, owner)
	return nil
}

type coldKeyShow struct {
	keyFlags

	Network string `default:"main" help:"Network of the vault: main, regtest, litecoin-main, litecoin-regtest, …"`
	Name    string `help:"Name of the cosigner, for the description."`
}

// Run prints JSON that goes into a description as it is.
func (c *coldKeyShow) Run(e *env) error {
	key, err := c.open(e)
	if err != nil {
		return err
	}
	cosigner, err := key.Cosigner(c.Network)
	if err != nil {
		return err
	}
	cosigner.Name = c.Name
	owner, err := key.Owner()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(struct {
		Cosigner any    `json:"cosigner"`
		Owner    string `json:"owner"`
	}{cosigner, owner}, "", "  ")
	if err != nil {
		return fmt.Errorf("show key: %w", err)
	}
	e.printf("%s\n", text)
	return nil
}
