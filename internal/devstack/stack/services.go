package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"

	"strongroom/internal/devstack"
	"strongroom/internal/devstack/faucet"
	"strongroom/internal/devstack/miner"
)

const maxLogBytes = 64 << 20 // then a service's log is set aside at its next start

// openLog opens a service's log for appending.
func (s *Stack) openLog(name string) (*os.File, error) {
	path := s.cfg.Layout.LogFile(name)
	if info, err := os.Stat(path); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("set log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

// run supervises a service whose output goes to its log file. A start that fails
// shows the end of the log.
func (s *Stack) run(ctx context.Context, service devstack.Service) error {
	log, err := s.openLog(service.Name)
	if err != nil {
		return err
	}
	describe := service.Spec
	service.Spec = func(ctx context.Context) (devstack.Spec, error) {
		spec, err := describe(ctx)
		spec.Log = log
		return spec, err
	}
	if err := s.supervisor.Start(ctx, service); err != nil {
		return fmt.Errorf("%w\nthe end of %s:\n%s", err, s.cfg.Layout.LogFile(service.Name), s.cfg.Layout.tail(service.Name))
	}
	return nil
}

func (s *Stack) postgresConfig() (devstack.PostgresConfig, error) {
	bin, err := devstack.PostgresBinDir(s.cfg.Root)
	if err != nil {
		return devstack.PostgresConfig{}, err
	}
	dir, note, err := s.cfg.Layout.clusterDir()
	if err != nil {
		return devstack.PostgresConfig{}, err
	}
	if note != "" {
		s.cfg.Note(note)
	}
	return devstack.PostgresConfig{
		Dir: dir, BinDir: bin, Port: s.settings.Ports[portPostgres], Password: s.secrets.postgres, Durable: true,
		Settings: map[string]string{"shared_buffers": "256MB"},
	}, nil
}

func (s *Stack) postgres(ctx context.Context) (string, error) {
	cfg, err := s.postgresConfig()
	if err != nil {
		return "", err
	}
	s.env = s.cfg.Layout.env(s.settings, cfg.URL(database))
	// Empty, so that no process hears of matching in another stack's environment.
	s.env["STRONGROOM_MATCHING_ADDRESSES"] = ""
	if s.cfg.Trading {
		maps.Copy(s.env, s.cfg.Layout.tradingEnv(s.settings))
	}
	// Empty for the same reason.
	s.env["STRONGROOM_TREASURY_FILE"], s.env["STRONGROOM_SIGNER_TREASURY"] = "", ""
	if s.cfg.Treasury {
		maps.Copy(s.env, s.cfg.Layout.treasuryEnv(s.settings))
	}
	maps.Copy(s.env, s.cfg.Env)
	service := devstack.Service{Name: "postgres", Spec: cfg.Spec, Endpoint: devstack.Loopback(cfg.Port)}
	if err := s.run(ctx, service); err != nil {
		return "", err
	}
	if err := devstack.CreateDatabase(ctx, cfg.URL("postgres"), database, ""); err != nil {
		return "", fmt.Errorf("create database %s: %w", database, err)
	}
	return service.Endpoint, nil
}

func (s *Stack) migrate(ctx context.Context) (string, error) {
	return "", s.cfg.Migrate(ctx, s.env["STRONGROOM_DATABASE_URL"])
}

func (s *Stack) temporal(ctx context.Context) (string, error) {
	bin, err := devstack.TemporalBin(s.cfg.Root)
	if err != nil {
		return "", err
	}
	postgres, err := s.postgresConfig()
	if err != nil {
		return "", err
	}
	ports := s.settings.Ports
	cfg := devstack.TemporalConfig{
		Bin: bin, PostgresURL: postgres.URL("postgres"), Port: ports[portTemporal], UIPort: ports[portTemporalUI],
		MetricsPort: ports[portTemporalMetrics], Namespace: Namespace, Attributes: devstack.SearchAttributes(),
	}
	ui := "http://" + devstack.Loopback(cfg.UIPort)
	return cfg.Address() + ", " + ui, s.run(ctx, devstack.Service{
		Name: "temporal", Endpoint: cfg.Address(),
		Spec: func(context.Context) (devstack.Spec, error) { return cfg.Spec(), nil },
	})
}

// token deploys the test dollar and writes the files that name it.
func (s *Stack) token(ctx context.Context) (string, error) {
	f, err := faucet.New(faucet.Config{Bitcoin: s.bitcoin.RPC, Litecoin: s.litecoin.RPC, Ethereum: s.ethRPC})
	if err != nil {
		return "", fmt.Errorf("make faucet: %w", err)
	}
	s.faucet = f
	token, err := f.DeployToken(ctx)
	if err != nil {
		return "", fmt.Errorf("deploy test dollar: %w", err)
	}
	s.env["STRONGROOM_TEST_TOKEN"] = token
	return token, errors.Join(
		s.cfg.Layout.writeFiles(s.settings, s.secrets, token),
		s.cfg.Layout.writeEnv(s.env),
	)
}

func (s *Stack) assets(ctx context.Context) (string, error) {
	file := s.env["STRONGROOM_ASSETS_FILE"]
	return file, s.cfg.LoadAssets(ctx, s.env["STRONGROOM_DATABASE_URL"], file)
}

// child starts one of the platform's own processes.
func (s *Stack) child(ctx context.Context, c Child) error {
	return s.run(ctx, devstack.Service{
		Name: c.Name, Endpoint: c.Endpoint,
		Spec: func(context.Context) (devstack.Spec, error) {
			return devstack.Spec{
				Name: c.Name, Command: c.Command, Env: append(list(s.env), list(c.Env)...),
				Ready: func(ctx context.Context) error { return devstack.Reachable(ctx, c.ReadyURL) },
			}, nil
		},
	})
}

// mine runs a miner until Down.
func (s *Stack) mine(ctx context.Context, name string, chain miner.Chain) error {
	m, err := miner.New(miner.Config{
		Name: name, Chain: chain, Policy: miner.DefaultPolicy(), Clock: s.cfg.Clock, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("make miner: %w", err)
	}
	s.miners[name] = m
	alive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	before := s.endMines
	s.endMines = func() { cancel(); before() }
	s.mines.Go(func() { m.Run(alive) })
	return nil
}

// Still does something while nobody mines a chain: who orders its node to
// reorganise must not be interrupted by a block.
func (s *Stack) Still(chain string, do func() error) error {
	if m := s.miners[chain]; m != nil {
		return m.Still(do)
	}
	return do()
}
