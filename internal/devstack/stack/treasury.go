package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"strongroom/internal/devstack"
	"strongroom/internal/devstack/people"
)

// TreasuryDir is where the treasury's files and its people's keys are.
func (l Layout) TreasuryDir() string { return l.path("treasury") }

// treasuryEnv is what processes are told where people of the house are asked.
func (l Layout) treasuryEnv(s Settings) map[string]string {
	return map[string]string{
		"STRONGROOM_TREASURY_FILE":    filepath.Join(l.TreasuryDir(), people.HouseFile),
		"STRONGROOM_SIGNER_TREASURY":  filepath.Join(l.TreasuryDir(), people.SignerFile),
		"STRONGROOM_TREASURY_URL":     TreasuryOrigin(s.Ports[portTreasury]),
		"STRONGROOM_TREASURY_LISTEN":  devstack.Loopback(s.Ports[portTreasury]),
		"STRONGROOM_TREASURY_OBSERVE": devstack.Loopback(s.Ports[portTreasuryMetrics]),
	}
}

// TreasuryOrigin is the page of the treasury, as browsers call it: passkeys are bound to
// a name.
func TreasuryOrigin(port int) string { return "http://" + people.Site + ":" + strconv.Itoa(port) }

// people founds the treasury's people, once, where anybody is to be asked, and creates the
// vault that they own on the chain with accounts.
func (s *Stack) people(ctx context.Context) (string, error) {
	if !s.cfg.Treasury {
		return "", nil
	}
	cfg := people.Config{
		Dir: s.cfg.Layout.TreasuryDir(), Environment: environment, Origin: TreasuryOrigin(s.settings.Ports[portTreasury]), Clock: s.cfg.Clock,
		Token: s.env["STRONGROOM_TEST_TOKEN"],
	}
	owners, err := cfg.Owners()
	if err != nil {
		return "", fmt.Errorf("draw keys: %w", err)
	}
	if cfg.Safe, cfg.SafeDeployer, err = s.faucet.DeployVault(ctx, owners, people.Threshold); err != nil {
		return "", err
	}
	if err := people.Make(cfg); err != nil {
		return "", fmt.Errorf("found treasury: %w", err)
	}
	return cfg.Safe, nil
}

// environment is the name of the installation, as processes have it where they are not
// told another.
const environment = "development"
