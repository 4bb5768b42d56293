package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"strongroom/internal/mtls"
	"strongroom/signer"
	signerclient "strongroom/signer/client"
	"strongroom/signer/hsm"
	"strongroom/signer/server"
)

// process names in certificates.
const (
	serverName = "signer"
	clientName = "cli"
)

const passphraseBytes = 32

var (
	errLoopback = errors.New("the observation port is for loopback only")
	errState    = errors.New("signer state exists already")
)

// seedFlags say how the seed is opened or made.
type seedFlags struct {
	PassphraseFile string `help:"File with the passphrase of the seed, mode 0600." env:"STRONGROOM_SIGNER_PASSPHRASE_FILE" required:"" placeholder:"FILE"`
	WorkFactor     int    `help:"log2 of scrypt's N for a new seed." env:"STRONGROOM_SIGNER_WORK_FACTOR" default:"18"`
	MakePassphrase bool   `help:"Write a random passphrase where the file is missing (development)." env:"STRONGROOM_SIGNER_MAKE_PASSPHRASE"`
}

// passphrase reads the passphrase, having made one where that was asked for.
func (f seedFlags) passphrase() (string, error) {
	if _, err := os.Stat(f.PassphraseFile); f.MakePassphrase && errors.Is(err, os.ErrNotExist) {
		secret := make([]byte, passphraseBytes)
		if _, err := rand.Read(secret); err != nil {
			return "", fmt.Errorf("draw passphrase: %w", err)
		}
		if err := os.MkdirAll(filepath.Dir(f.PassphraseFile), 0o700); err != nil {
			return "", fmt.Errorf("create folder of passphrase: %w", err)
		}
		if err := os.WriteFile(f.PassphraseFile, []byte(hex.EncodeToString(secret)+"\n"), 0o600); err != nil {
			return "", fmt.Errorf("write passphrase: %w", err)
		}
	}
	return signer.ReadPassphrase(f.PassphraseFile)
}

type serveCommand struct {
	seedFlags
	tokenFlags

	Keystore string `help:"Where hot keys are: file (they derive from the seed file), or pkcs11 (in a token; see load-token)." env:"STRONGROOM_SIGNER_KEYSTORE" enum:"file,pkcs11" default:"file"`

	Policy     string `help:"JSON file with chains, assets, caps and fee ceilings." env:"STRONGROOM_SIGNER_POLICY" required:"" placeholder:"FILE"`
	Treasury   string `help:"JSON file that says by whose consent: environment, officers, vaults. Without one nobody is asked, and the caps of the policy are all." env:"STRONGROOM_SIGNER_TREASURY" placeholder:"FILE"`
	Checkpoint string `help:"File outside of the signer's folder, best on another machine's disk, that holds the journal's end too: an older copy of the folder then does not start." env:"STRONGROOM_SIGNER_CHECKPOINT" placeholder:"FILE"`
	Certs      string `help:"Folder with ca.pem, signer.pem and signer-key.pem." env:"STRONGROOM_SIGNER_CERTS" required:"" placeholder:"DIR"`
	Listen     string `help:"Address of the gRPC service." env:"STRONGROOM_SIGNER_LISTEN" default:"127.0.0.1:7443"`
	Observe    string `help:"Loopback address for /metrics and /healthz; empty for none." env:"STRONGROOM_SIGNER_OBSERVE" placeholder:"HOST:PORT"`
}

// Run serves until the process is told to stop.
func (c *serveCommand) Run(e *env, root *cli) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	core, err := c.open(e, root.Dir, token)
	if err != nil {
		return errors.Join(err, closeToken(token))
	}
	return errors.Join(c.serve(e, core), core.Close(), closeToken(token))
}

// token opens the token of the keystore; nil where that is a file.
func (c *serveCommand) token() (*hsm.Token, error) {
	if c.Keystore == keystoreFile {
		return nil, nil //nolint:nilnil // none is an answer
	}
	return c.tokenFlags.open()
}

func (c *serveCommand) open(e *env, dir string, token *hsm.Token) (*signer.Signer, error) {
	policy, err := readPolicy(c.Policy)
	if err != nil {
		return nil, err
	}
	passphrase, err := c.passphrase()
	if err != nil {
		return nil, err
	}
	treasury, err := c.treasury()
	if err != nil {
		return nil, err
	}
	cfg := signer.Config{
		Dir: dir, Passphrase: passphrase, Policy: policy, Treasury: treasury, Checkpoint: c.Checkpoint,
		Clock: e.clock, Log: e.log, WorkFactor: c.WorkFactor,
	}
	if token != nil {
		cfg.Token = token
	}
	return signer.New(cfg)
}

func readPolicy(file string) (signer.Policy, error) {
	raw, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return signer.Policy{}, fmt.Errorf("read policy: %w", err)
	}
	return signer.ParsePolicy(raw)
}

// treasury reads by whose consent to sign; nil where nobody is asked.
func (c *serveCommand) treasury() (*signer.Treasury, error) {
	if c.Treasury == "" {
		return nil, nil //nolint:nilnil // none is an answer
	}
	raw, err := os.ReadFile(c.Treasury)
	if err != nil {
		return nil, fmt.Errorf("read treasury: %w", err)
	}
	return signer.ParseTreasury(raw)
}

func (c *serveCommand) serve(e *env, core *signer.Signer) error {
	tlsConfig, err := mtls.ServerConfig(c.Certs, serverName)
	if err != nil {
		return err
	}
	metrics := server.NewMetrics(core)
	srv, err := server.New(server.Config{Core: core, TLS: tlsConfig, Log: e.log, Metrics: metrics, Clock: e.clock})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	observed := make(chan error, 1)
	if c.Observe == "" {
		observed <- nil
	} else {
		l, err := listenLoopback(ctx, c.Observe)
		if err != nil {
			return err
		}
		go func() { observed <- metrics.Serve(ctx, l) }()
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	e.log.InfoContext(ctx, "signer ready", slog.String("address", l.Addr().String()))
	err = srv.Serve(ctx, l)
	cancel()
	return errors.Join(err, <-observed)
}

func listenLoopback(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	if at, ok := l.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%w: %s", errLoopback, address), l.Close())
	}
	return l, nil
}

type initCommand struct {
	seedFlags
}

// Run creates the signer's state.
func (c *initCommand) Run(e *env, root *cli) error {
	passphrase, err := c.passphrase()
	if err != nil {
		return err
	}
	created, err := signer.Init(signer.Config{Dir: root.Dir, Passphrase: passphrase, Clock: e.clock, WorkFactor: c.WorkFactor})
	if err != nil {
		return err
	}
	if !created {
		return fmt.Errorf("%w in %s", errState, root.Dir)
	}
	_, err = fmt.Fprintf(e.out, "seed and journal are in %s; keep a copy of seed.age and its passphrase apart from each other\n", root.Dir)
	if err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}

type statusCommand struct {
	Certs   string        `help:"Folder with ca.pem, cli.pem and cli-key.pem." env:"STRONGROOM_SIGNER_CERTS" required:"" placeholder:"DIR"`
	Address string        `help:"Address of the gRPC service." env:"STRONGROOM_SIGNER_LISTEN" default:"127.0.0.1:7443"`
	Timeout time.Duration `help:"How long to wait for the answer." default:"5s"`
}

// Run prints the status of a running signer.
func (c *statusCommand) Run(e *env, _ *cli) error {
	tlsConfig, err := mtls.ClientConfig(c.Certs, clientName, serverName)
	if err != nil {
		return err
	}
	client, err := signerclient.New(signerclient.Config{Address: c.Address, TLS: tlsConfig, Timeout: c.Timeout})
	if err != nil {
		return err
	}
	status, err := client.Status(e.ctx)
	if err := errors.Join(err, client.Close()); err != nil {
		return err
	}
	encoder := json.NewEncoder(e.out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(viewOf(status)); err != nil {
		return fmt.Errorf("print status: %w", err)
	}
	return nil
}

type witnessCommand struct {
	File string `arg:"" help:"File outside of the signer's folder; must not exist yet."`
}

// Run writes the journal's present end elsewhere, for a signer that had no such file.
func (c *witnessCommand) Run(e *env, root *cli) error {
	entries, err := signer.Witness(root.Dir, c.File)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.out, "%s knows %d entries; serve with --checkpoint %s from now on\n", c.File, entries, c.File); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}

type freezeCommand struct{}

// Run freezes the signer of a folder, running or not.
func (freezeCommand) Run(e *env, root *cli) error {
	if err := signer.Freeze(root.Dir); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.out, "frozen: nothing is signed until %s is removed\n", filepath.Join(root.Dir, "frozen")); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}
