package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/internal/devstack/people"
	"strongroom/internal/devstack/stack"
	"strongroom/internal/mtls"
	"strongroom/internal/pg"
	signerclient "strongroom/signer/client"
	"strongroom/treasury"
	"strongroom/treasury/cold"
	"strongroom/treasury/consent"
	"strongroom/treasury/consent/softkey"
	"strongroom/treasury/intent"
	"strongroom/treasury/policy"
	"strongroom/treasury/vault"
	"strongroom/treasury/vaultsafe"
)

// withTreasury has the treasury of development founded once the signer is there, and
// before anybody pays.
func withTreasury(e *env, list []stack.Child, at stack.Ports) []stack.Child {
	found := stack.Child{Name: "treasury", Task: func(ctx context.Context, vars map[string]string) (string, error) {
		return foundTreasury(ctx, e, vars)
	}}
	self, _ := binaries()
	page := stack.Child{
		Name: "treasury-page", Command: []string{self, "treasury", "serve", "--storybook"}, Endpoint: "http://" + at.Treasury,
		ReadyURL: "http://" + at.TreasuryMetrics + "/readyz",
	}
	all := make([]stack.Child, 0, len(list)+2)
	for _, child := range list {
		all = append(all, child)
		if child.Name == "signer" {
			all = append(all, found)
		}
	}
	return append(all, page)
}

// founding is the treasury of a development stack while it is founded.
type founding struct {
	*env
	dir  string // of the people's keys
	file string
	vars map[string]string
}

// foundTreasury puts roster and policy in force, in the database and at the signer, and
// proves control over the vaults. Done again it changes nothing.
func foundTreasury(ctx context.Context, whole *env, vars map[string]string) (string, error) {
	e := *whole
	e.ctx = ctx
	f := &founding{env: &e, file: vars["STRONGROOM_TREASURY_FILE"], vars: vars}
	f.dir = filepath.Dir(f.file)
	pool, err := pg.Open(ctx, vars["STRONGROOM_DATABASE_URL"])
	if err != nil {
		return "", err
	}
	defer pool.Close()
	house, err := openTreasuryDesk(&e, f.file, workerEnvironment, pool)
	if err != nil {
		return "", err
	}
	if err := errors.Join(house.keepVaults(ctx), f.prove(house)); err != nil {
		return "", err
	}
	if err := f.tell(house); err != nil {
		return "", fmt.Errorf("tell signer: %w", err)
	}
	return strings.Join(people.Names(), ", "), nil
}

// workerEnvironment is what processes call the installation that are not told another name.
const workerEnvironment = "development"

// tell hands roster and first policy over to the signer.
func (f *founding) tell(house *treasuryHouse) error {
	tlsConfig, err := mtls.ClientConfig(f.vars["STRONGROOM_TLS_DIR"], "worker", "signer")
	if err != nil {
		return err
	}
	client, err := signerclient.New(signerclient.Config{Address: f.vars["STRONGROOM_SIGNER_ADDRESS"], TLS: tlsConfig, Timeout: signerTimeout})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	roster, err := os.ReadFile(filepath.Join(f.dir, house.file.FirstRoster))
	if err != nil {
		return fmt.Errorf("read roster: %w", err)
	}
	if _, err := client.SubmitRoster(f.ctx, roster); err != nil {
		return err
	}
	status, err := client.Status(f.ctx)
	if err != nil || status.GetTreasury().GetPolicyVersion() > 0 {
		return err
	}
	return f.firstPolicy(client, house)
}

// firstPolicy has the officers among the people agree to the first policy.
func (f *founding) firstPolicy(client *signerclient.Client, house *treasuryHouse) error {
	text, err := os.ReadFile(filepath.Join(f.dir, house.file.FirstPolicy))
	if err != nil {
		return fmt.Errorf("read policy: %w", err)
	}
	p, err := policy.Parse(text)
	if err != nil {
		return err
	}
	document, err := p.Document()
	if err != nil {
		return err
	}
	now := f.clock()
	i := intent.Intent{
		Environment: workerEnvironment, ID: "first-policy", Action: intent.Policy, Document: document, Requester: "system:founding",
		Reason: "the first policy", Created: now.Unix(), Expires: now.Add(time.Hour).Unix(),
	}
	canonical, err := i.Canonical()
	if err != nil {
		return err
	}
	var approvals []consent.Approval
	for _, person := range people.Officers() {
		key, err := readKey(people.KeyFile(f.dir, person, "api"))
		if err != nil {
			return err
		}
		yes, err := key.Say(&i, consent.Approval{Person: person, Verdict: consent.Approve, At: now.Unix()})
		if err != nil {
			return err
		}
		approvals = append(approvals, yes)
	}
	_, err = client.Submit(f.ctx, canonical, text, approvals)
	return err
}

// readKey reads the key file of a person.
func readKey(file string) (*softkey.Key, error) {
	text, err := os.ReadFile(file) //nolint:gosec // who runs the command says which
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	key, err := softkey.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

// prove puts a proof of control on file for vaults that have none: the seeds of all
// cosigners are opened, and are those of the vault.
func (f *founding) prove(house *treasuryHouse) error {
	for _, v := range house.file.Vaults {
		have, err := house.desk.Proofs(f.ctx, v.ID)
		if err != nil {
			return err
		}
		if len(have) > 0 {
			continue
		}
		evidence := "the signer holds its keys"
		if v.Tier != vault.Hot {
			if evidence, err = f.openVault(v); err != nil {
				return fmt.Errorf("prove control over %s: %w", v.ID, err)
			}
		}
		err = house.desk.Prove(f.ctx, treasury.ProofRow{
			Proof: vault.Proof{Vault: v.ID, At: f.clock().Unix()}, Kind: treasury.ProofDrill, Evidence: evidence,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

var errSeed = errors.New("its seed is not a cosigner's")

func (f *founding) openVault(v vault.Vault) (string, error) {
	if vaultsafe.Is(v.Descriptor) {
		return f.openOwners(v.Descriptor)
	}
	return f.openSeeds(v)
}

// openOwners opens the seeds of all owners of a Safe.
func (f *founding) openOwners(description string) (string, error) {
	is, err := vaultsafe.Parse(description)
	if err != nil {
		return "", err
	}
	var opened []string
	for _, person := range people.Names() {
		key, err := openSeed(f.dir, person)
		if err != nil {
			return "", err
		}
		owner, err := key.Owner()
		if err != nil {
			return "", err
		}
		if !slices.ContainsFunc(is.Owners, func(a common.Address) bool { return a.Hex() == owner }) {
			return "", fmt.Errorf("%s: %w", person, errSeed)
		}
		opened = append(opened, person+" "+owner)
	}
	return "the seeds were opened: " + strings.Join(opened, ", "), nil
}

func (f *founding) openSeeds(v vault.Vault) (string, error) {
	text, err := os.ReadFile(people.VaultFile(f.dir, v.Asset))
	if err != nil {
		return "", fmt.Errorf("read description: %w", err)
	}
	d, err := cold.ParseDescription(text)
	if err != nil {
		return "", err
	}
	var opened []string
	for _, cosigner := range d.Multisig.Keys {
		key, err := openSeed(f.dir, cosigner.Name)
		if err != nil {
			return "", err
		}
		is, err := key.Cosigner(d.Multisig.Network)
		if err != nil {
			return "", err
		}
		if is.XPub != cosigner.XPub {
			return "", fmt.Errorf("%s: %w", cosigner.Name, errSeed)
		}
		opened = append(opened, cosigner.Name+" "+is.Fingerprint)
	}
	return "the seeds were opened: " + strings.Join(opened, ", "), nil
}

// openSeed opens a person's seed of cold vaults on a development stack.
func openSeed(dir, person string) (*cold.Key, error) {
	sealed, err := os.ReadFile(people.ColdKey(dir, person))
	if err != nil {
		return nil, fmt.Errorf("read seed: %w", err)
	}
	pass, err := os.ReadFile(people.ColdPassphrase(dir, person))
	if err != nil {
		return nil, fmt.Errorf("read passphrase: %w", err)
	}
	return cold.OpenKey(sealed, string(pass))
}
