package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	custodydesk "strongroom/custody/desk"
	"strongroom/money"
	signerclient "strongroom/signer/client"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/desk"
	"strongroom/treasury/envoy"
	"strongroom/treasury/gate"
	"strongroom/treasury/herald"
	"strongroom/treasury/mover"
	"strongroom/treasury/setup"
	"strongroom/treasury/vault"
	"strongroom/treasury/vaultcoins"
	"strongroom/treasury/vaultsafe"
)

// treasuryFlag names the treasury's configuration.
type treasuryFlag struct {
	Treasury string `name:"treasury-file" help:"JSON file of the treasury: officers, vaults, terms. Without one nobody is asked, and nothing is swept." env:"STRONGROOM_TREASURY_FILE" placeholder:"FILE"`
}

// treasuryHouse is the treasury as a process works it; nil where there is none.
type treasuryHouse struct {
	file     *setup.File
	dir      string        // of the file
	pool     *pgxpool.Pool // of the command line
	assets   *assetView    // nil: amounts are in base units
	desk     *desk.Desk
	gate     *gate.Gate
	vaults   vaultcoins.Vaults
	safes    vaultsafe.Vaults
	nodes    vaultsafe.Nodes
	follower *gate.Follower
}

// openTreasuryDesk reads the configuration and opens the desk, with what is in force at
// first.
func openTreasuryDesk(e *env, path, environment string, pool *pgxpool.Pool) (*treasuryHouse, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // an installation without treasury
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator says which
	if err != nil {
		return nil, fmt.Errorf("--treasury-file: %w", err)
	}
	f, err := setup.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("--treasury-file %s: %w", path, err)
	}
	house := &treasuryHouse{file: f, dir: filepath.Dir(path)}
	d, err := desk.New(desk.Config{
		Pool: pool, Environment: environment, Officers: f.Officers, Addresses: f.Addresses(), PolicyLock: time.Duration(f.PolicyLock),
		Known: knownTo(pool), Assets: house.known, Clock: e.clock, Log: e.log,
	})
	if err != nil {
		return nil, err
	}
	house.desk = d
	first, err := house.beside(f.FirstPolicy)
	roster, missing := house.beside(f.FirstRoster)
	if err = errors.Join(err, missing); err != nil {
		return nil, fmt.Errorf("--treasury-file %s: %w", path, err)
	}
	if err := d.Found(e.ctx, first, roster); err != nil {
		return nil, fmt.Errorf("found treasury: %w", err)
	}
	if _, err := d.PublishRoster(e.ctx, roster); err != nil && !errors.Is(err, treasury.ErrInvalid) {
		return nil, fmt.Errorf("publish roster: %w", err) // an older one than is in force is none of our business
	}
	return house, nil
}

// beside reads a file that the configuration names.
func (t *treasuryHouse) beside(name string) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(t.dir, name)
	}
	text, err := os.ReadFile(name) //nolint:gosec // the operator says which
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return text, nil
}

// knownTo lists the addresses that a customer paid or was paid by.
func knownTo(pool *pgxpool.Pool) func(ctx context.Context, owner, chain string) ([]string, error) {
	return func(ctx context.Context, owner, chain string) ([]string, error) {
		customer, is := strings.CutPrefix(owner, addressbook.Customer(""))
		if !is {
			return nil, nil
		}
		return custodydb.KnownAddresses(ctx, pool, customer, chainadapters.ChainID(chain), addressbook.MaxKnown)
	}
}

// keepVaults makes the vaults of the configuration, and changes their terms where those
// there are changed.
func (t *treasuryHouse) keepVaults(ctx context.Context) error {
	have, err := t.desk.Vaults(ctx)
	if err != nil {
		return err
	}
	versions := map[string]treasury.VaultRow{}
	for i := range have {
		versions[have[i].ID] = have[i]
	}
	for _, v := range t.file.Vaults {
		is := versions[v.ID]
		if is.Vault == v {
			continue
		}
		if _, err := t.desk.SaveVault(ctx, v, is.Version); err != nil && !errors.Is(err, treasury.ErrConflict) {
			return fmt.Errorf("vault %s: %w", v.ID, err)
		}
	}
	return nil
}

// attach puts the treasury between custody and its signer.
func (t *treasuryHouse) attach(h *house) error {
	t.assets = h.assets
	chains := map[chainadapters.ChainID]gate.Chain{}
	for _, chain := range h.chains {
		fee, known := t.file.MaxFees[string(chain.Chain)]
		if !known {
			return fmt.Errorf("--treasury-file: maxFees: %s is missing", chain.Chain)
		}
		chains[chain.Chain] = gate.Chain{Genesis: genesisOf(chain), MaxFee: fee}
	}
	var err error
	t.gate, err = gate.New(gate.Config{Requests: t.desk, Addresses: t.desk, Intents: h.store, Assets: h.assets, Chains: chains})
	if err != nil {
		return err
	}
	h.signer.consent = t.gate
	return nil
}

// genesisOf is what intents call a chain: its EIP-155 id, or the hash of block 0.
func genesisOf(chain chainadapters.Config) string {
	if chain.Driver == "evm" {
		return chain.Expect.Network
	}
	return chain.Expect.Genesis
}

// policy is who decides about payments.
func (t *treasuryHouse) policy() custodydesk.Policy {
	if t == nil {
		return nil // custody's own rules
	}
	return custodydesk.Rules{t.gate}
}

// loops are what the worker does for the treasury beside its workflows.
func (t *treasuryHouse) loops(e *env, h *house) ([]func(context.Context) error, error) {
	if t == nil {
		return nil, nil
	}
	var err error
	t.follower, err = gate.NewFollower(gate.FollowerConfig{Desk: t.desk, Custody: h.store, Log: e.log})
	if err != nil {
		return nil, err
	}
	if err := t.keepVaults(e.ctx); err != nil {
		return nil, err
	}
	networks := map[string]string{}
	for _, chain := range h.chains {
		networks[string(chain.Chain)] = chain.Expect.Network
	}
	m, err := mover.New(mover.Config{
		Vaults: t.desk, Custody: movingHouse{h}, Assets: h.assets, Clock: e.clock, Log: e.log, Pace: moveEvery,
		Refilled: func(v vault.Vault) bool {
			_, isSafe := t.safes[v.ID]
			return isSafe || t.vaults[v.ID] != nil
		},
		Sound: t.sound,
		Terms: t.terms, Place: func(v vault.Vault) (string, error) { return placeOf(v, networks[v.Chain]) },
	})
	if err != nil {
		return nil, err
	}
	tell, err := envoy.New(envoy.Config{Desk: t.desk, Signer: h.signer.client, Log: e.log, Refused: judged})
	if err != nil {
		return nil, err
	}
	move := func(ctx context.Context) error {
		m.Run(ctx)
		return nil
	}
	notices, err := t.herald(e, h)
	if err != nil {
		return nil, err
	}
	return []func(context.Context) error{t.desk.Run, t.follower.Run, tell.Run, notices.Run, move}, nil
}

// herald tells people what waits for them.
func (t *treasuryHouse) herald(e *env, h *house) (*herald.Herald, error) {
	var to herald.Notifier = herald.Log{Logger: e.log}
	if n := t.file.Notices; n != nil {
		secret, err := t.beside(n.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("--treasury-file: notices: secretFile: %w", err)
		}
		if to, err = herald.NewWebhook(n.URL, bytes.TrimSpace(secret), e.clock); err != nil {
			return nil, fmt.Errorf("--treasury-file: notices: %w", err)
		}
	}
	return herald.New(herald.Config{Pool: h.pool, Desk: t.desk, Notifier: to, Clock: e.clock, Log: e.log})
}

// judged reports whether an error is the signer's judgement: asked again it is the same.
func judged(err error) bool {
	return errors.Is(err, signerclient.ErrRefused) || errors.Is(err, signerclient.ErrInvalid)
}

// moveEvery is the time between two looks at what the vaults hold.
const moveEvery = 15 * time.Second

// vaultsOf opens the vaults of coins of a configuration.
func vaultsOf(f *setup.File, chains []chainadapters.Config) (vaultcoins.Vaults, error) {
	networks := map[string]string{}
	for _, chain := range chains {
		networks[string(chain.Chain)] = chain.Expect.Network
	}
	descriptors := map[string][2]string{}
	for _, v := range f.Vaults {
		if v.Descriptor != "" && !vaultsafe.Is(v.Descriptor) {
			descriptors[v.ID] = [2]string{networks[v.Chain], v.Descriptor}
		}
	}
	vaults, err := vaultcoins.Open(descriptors)
	if err != nil {
		return nil, fmt.Errorf("--treasury-file: %w", err)
	}
	return vaults, nil
}

// openTreasury opens the desk and the vaults of coins; both are nil where there is no
// treasury.
func openTreasury(e *env, path, environment string, pool *pgxpool.Pool, chains []chainadapters.Config) (*treasuryHouse, custodydb.VaultPlanner, error) {
	t, err := openTreasuryDesk(e, path, environment, pool)
	if t == nil || err != nil {
		return nil, nil, err
	}
	if t.vaults, err = vaultsOf(t.file, chains); err != nil {
		return nil, nil, err
	}
	return t, t.vaults, t.openSafes(chains)
}

// signer is who signs: the signer, and cosigners what vaults pay.
func (t *treasuryHouse) signer(keys custodydesk.Signer, store *custodydb.Store) (custodydesk.Signer, error) {
	if t == nil {
		return keys, nil
	}
	cosigners, err := vaultcoins.NewCosigners(t.vaults, t.desk, store)
	return bothSigners{keys, cosigners}, err
}

// bothSigners asks whoever has the keys.
type bothSigners struct{ hot, cold custodydesk.Signer }

func (b bothSigners) Sign(ctx context.Context, r custodydesk.SignRequest) (custodydesk.Signature, error) {
	if r.Intent.Kind.FromVault() && r.Plan.Slot == nil { // else the hot wallet sends what cosigners signed
		return b.cold.Sign(ctx, r)
	}
	return b.hot.Sign(ctx, r)
}

// terms are what moves of an asset keep to.
func (t *treasuryHouse) terms(asset string) (mover.Terms, error) {
	m, known := t.file.Moves[asset]
	if !known {
		return mover.Terms{}, fmt.Errorf("moves: %s is missing in the treasury file: %w", asset, treasury.ErrInvalid)
	}
	return mover.Terms{Terms: m.Terms(), FeeEach: m.Fee}, nil
}

// placeOf is where a vault is paid: what comes to a descriptor goes to its first address,
// or to the contract that it describes.
func placeOf(v vault.Vault, network string) (string, error) {
	switch {
	case v.Address != "":
		return v.Address, nil
	case vaultsafe.Is(v.Descriptor):
		return placeOfSafe(v.Descriptor, network)
	}
	keys, branch, err := multisig.ParseDescriptor(network, v.Descriptor)
	if err != nil {
		return "", fmt.Errorf("descriptor: %w", err)
	}
	w, err := multisig.Open(keys)
	if err != nil {
		return "", fmt.Errorf("descriptor: %w", err)
	}
	address, err := w.Address(branch, 0)
	if err != nil {
		return "", fmt.Errorf("descriptor: %w", err)
	}
	return address, nil
}

func placeOfSafe(description, network string) (string, error) {
	is, err := vaultsafe.Parse(description)
	if err != nil {
		return "", err
	}
	if chain := strconv.FormatUint(is.ChainID, 10); chain != network {
		return "", fmt.Errorf("descriptor: it is on chain %s, and the platform on %s: %w", chain, network, treasury.ErrInvalid)
	}
	return is.Address.Hex(), nil
}

// movingHouse is custody as the mover knows it.
type movingHouse struct{ h *house }

func (m movingHouse) Standing(ctx context.Context, asset string, feeEach money.Units, sweeps []string) (custodydb.Standing, error) {
	return m.h.store.Standing(ctx, asset, feeEach, sweeps)
}

func (m movingHouse) RegisterVault(ctx context.Context, chain chainadapters.ChainID, name, address string) (string, error) {
	return m.h.store.RegisterVault(ctx, chain, name, address)
}

func (m movingHouse) OpenRefill(ctx context.Context, w custodydb.Refill) error {
	return m.h.store.OpenRefill(ctx, w)
}

func (m movingHouse) OpenSweep(ctx context.Context, w custodydb.Sweep) error {
	return m.h.store.OpenSweep(ctx, w)
}

func (m movingHouse) Release(ctx context.Context, id, reason string) error {
	_, err := m.h.desk.Release(ctx, id, reason)
	if errors.Is(err, custody.ErrNotFound) {
		return nil
	}
	return err
}
