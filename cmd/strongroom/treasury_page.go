package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/assets"
	"strongroom/chainadapters"
	"strongroom/internal/kv"
	"strongroom/internal/mtls"
	"strongroom/internal/obs"
	signerclient "strongroom/signer/client"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/vault"
	treasurypages "strongroom/web/treasury"
)

// treasuryServeCommand serves the treasury's page.
type treasuryServeCommand struct {
	deskFlags

	Listen      string        `help:"Address of the page. Browsers call it by a name of the roster's origins: passkeys are bound to it." env:"STRONGROOM_TREASURY_LISTEN" default:"127.0.0.1:18082"`
	AllowRemote bool          `help:"Permit an address that is not loopback; end TLS before it." env:"STRONGROOM_TREASURY_ALLOW_REMOTE"`
	Observe     string        `help:"Address of /metrics, /healthz and /readyz." env:"STRONGROOM_TREASURY_OBSERVE" default:"127.0.0.1:19096"`
	Chains      string        `name:"chains-file" help:"JSON file of chains and nodes; their address formats are needed, no node is asked." env:"STRONGROOM_CHAINS_FILE" required:"" placeholder:"FILE"`
	Signer      string        `name:"signer-address" help:"Address of the signer." env:"STRONGROOM_SIGNER_ADDRESS" default:"127.0.0.1:7443"`
	Certs       string        `name:"tls-dir" help:"Folder with ca.pem, treasury.pem and treasury-key.pem." env:"STRONGROOM_TLS_DIR" required:"" placeholder:"DIR"`
	Redis       string        `name:"redis-url" help:"Redis that several of these processes keep sessions in, as redis:// or rediss://; in memory where none is given." env:"STRONGROOM_REDIS_URL" placeholder:"URL"`
	Storybook   bool          `help:"Serve each screen in each of its states below /treasury/storybook, out of made up data, to anybody." env:"STRONGROOM_TREASURY_STORYBOOK"`
	Timeout     time.Duration `help:"How long to wait for the signer." default:"5s"`
}

// pageConnections are those of the process; one of them hears of changes.
const pageConnections = 12

// Run serves until it is told to stop.
func (c *treasuryServeCommand) Run(e *env) (err error) {
	if c.Treasury == "" {
		return fmt.Errorf("%w: --treasury-file: name the treasury's configuration", errUsage)
	}
	if at, err := netip.ParseAddrPort(c.Listen); err != nil || !at.Addr().IsLoopback() && !c.AllowRemote {
		return fmt.Errorf("%w: --listen %.60q: give a loopback address and port as 127.0.0.1:18082, or say --allow-remote", errUsage, c.Listen)
	}
	pool, err := openPool(e.ctx, c.Database, pageConnections)
	if err != nil {
		return err
	}
	defer pool.Close()
	house, err := c.open(e, pool)
	if err != nil {
		return err
	}
	tlsConfig, err := mtls.ClientConfig(c.Certs, "treasury", "signer")
	if err != nil {
		return err
	}
	client, err := signerclient.New(signerclient.Config{Address: c.Signer, TLS: tlsConfig, Timeout: c.Timeout})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	pages, err := c.pages(e, house, signerSwitch{client})
	if err != nil {
		return err
	}
	health, err := obs.NewServer(e.ctx, obs.ServerConfig{Addr: c.Observe, Registry: obs.NewRegistry("treasury"), Log: e.log, Ready: map[string]obs.Check{"database": pool.Ping}})
	if err != nil {
		return err
	}
	return runAll(e.ctx,
		house.desk.Run, health.Run,
		func(ctx context.Context) error {
			every(ctx, refreshEvery, func() { house.assets.refresh(ctx) })
			return nil
		},
		func(ctx context.Context) error { pages.Run(ctx); return nil },
		func(ctx context.Context) error { return servePages(ctx, c.Listen, pages) },
	)
}

// open opens the treasury and the names of assets.
func (c *treasuryServeCommand) open(e *env, pool *pgxpool.Pool) (*treasuryHouse, error) {
	house, err := openTreasuryDesk(e, c.Treasury, c.Environment, pool)
	if err != nil {
		return nil, err
	}
	registry, err := assets.New(assets.Config{Pool: pool, Clock: e.clock})
	if err != nil {
		return nil, err
	}
	house.assets, err = newAssetView(e.ctx, registry, e.log)
	return house, err
}

func (c *treasuryServeCommand) pages(e *env, house *treasuryHouse, s signerSwitch) (*treasurypages.Pages, error) {
	chains, err := readChains(c.Chains)
	if err != nil {
		return nil, err
	}
	adapters, err := openAdapters(chains)
	if err != nil {
		return nil, err
	}
	sessions, err := kv.Open(c.Redis, "strongroom:", e.clock)
	if err != nil {
		return nil, err
	}
	return treasurypages.New(treasurypages.Config{
		Environment: c.Environment, Requests: house.desk, Vaults: house.desk, Addresses: house.desk, Policies: house.desk, People: house.desk, Switch: s,
		Assets: house.known, Terms: func(asset string) vault.Terms { return house.file.Moves[asset].Terms() },
		Canonical: func(chain, address string) (string, error) { return canonical(adapters, chain, address) },
		Sessions:  sessions, Storybook: c.Storybook, Logger: e.log, Clock: e.clock,
	})
}

// canonical is the one form of an address on a chain.
func canonical(adapters map[chainadapters.ChainID]chainadapters.Adapter, chain, address string) (string, error) {
	adapter, ok := adapters[chainadapters.ChainID(chain)]
	if !ok {
		return "", fmt.Errorf("%w: chain: %.60q is not one of the installation", treasury.ErrInvalid, chain)
	}
	is, err := adapter.ParseAddress(address)
	if err != nil {
		return "", fmt.Errorf("%w: address: %w", treasury.ErrInvalid, err)
	}
	return is, nil
}

// signerSwitch stops the signer.
type signerSwitch struct{ client *signerclient.Client }

// Freeze implements treasurypages.Switch.
func (s signerSwitch) Freeze(ctx context.Context, f consent.Freeze) error {
	return s.client.Freeze(ctx, f)
}

// Frozen implements treasurypages.Switch.
func (s signerSwitch) Frozen(ctx context.Context) (treasurypages.Frozen, error) {
	status, err := s.client.Status(ctx)
	if err != nil {
		return treasurypages.Frozen{}, err
	}
	is := status.GetTreasury().GetFrozen()
	return treasurypages.Frozen{Person: is.GetPerson(), Reason: is.GetReason(), At: is.GetAt(), Document: is.GetDocument()}, nil
}

// Bounds of a page's connections. Streams of events set deadlines of their own.
const (
	pageHeaderTimeout = 5 * time.Second
	pageReadTimeout   = 15 * time.Second
	pageIdleTimeout   = 2 * time.Minute
	pageHeaderBytes   = 16 << 10
)

// servePages serves until ctx ends.
func servePages(ctx context.Context, addr string, pages http.Handler) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/treasury", pages)
	mux.Handle("/treasury/", pages)
	mux.Handle("GET /{$}", http.RedirectHandler("/treasury", http.StatusFound))
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: pageHeaderTimeout, ReadTimeout: pageReadTimeout, IdleTimeout: pageIdleTimeout, MaxHeaderBytes: pageHeaderBytes,
		BaseContext: func(net.Listener) context.Context { return ctx }, // streams end with the process
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve pages: %w", err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	if err := server.Shutdown(end); err != nil {
		return fmt.Errorf("stop pages: %w", err)
	}
	return nil
}
