package mover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/vault"
)

// Vaults keeps vaults and moves, as treasury.Vaults says.
type Vaults interface {
	Vaults(ctx context.Context) ([]treasury.VaultRow, error)
	Snapshot(ctx context.Context, s treasury.Snapshot) error
	Prove(ctx context.Context, p treasury.ProofRow) error
	State(ctx context.Context, asset money.Asset, chain string, terms vault.Terms) (vault.State, error)
	Plan(ctx context.Context, asset money.Asset, chain string, terms vault.Terms,
		planner func(*vault.State) (vault.Plan, error)) ([]treasury.MoveRow, vault.Plan, error)
	Advance(ctx context.Context, id string, version int64, change treasury.MoveChange) (treasury.MoveRow, error)
	Moves(ctx context.Context, asset string, open bool) ([]treasury.MoveRow, error)
}

// Custody knows what the house has, and carries sweeps.
type Custody interface {
	Standing(ctx context.Context, asset string, feeEach money.Units, sweeps []string) (custodydb.Standing, error)
	RegisterVault(ctx context.Context, chain chainadapters.ChainID, name, address string) (string, error)
	OpenSweep(ctx context.Context, w custodydb.Sweep) error
	OpenRefill(ctx context.Context, w custodydb.Refill) error
	// Release takes back a sweep or refill of which nothing is reserved; custody.ErrIllegal for any
	// other.
	Release(ctx context.Context, id, reason string) error
}

// Terms are what the moves of an asset keep to.
type Terms struct {
	vault.Terms

	// FeeEach is the most that a withdrawal may cost, in the chain's native asset.
	FeeEach money.Units
}

// Config holds the collaborators of a Mover; all are needed but Refilled, Sound and Pace.
type Config struct {
	Vaults  Vaults
	Custody Custody
	Assets  custody.Assets
	// Refilled says whether custody can spend what is in a vault: of the others no refills
	// are carried. Nil is none.
	Refilled func(v vault.Vault) bool
	// Terms of an asset. Errors leave the asset out of a round.
	Terms func(asset string) (Terms, error)
	// Place says where a vault is paid: its address, or one of its descriptor.
	Place func(v vault.Vault) (string, error)
	// Sound says what of a vault is not as its description has it, or that it cannot be
	// looked at: nothing moves while that is so. Nil: vaults are not looked at.
	Sound func(ctx context.Context, v vault.Vault) error
	Clock func() time.Time
	Log   *slog.Logger
	// Pace is the time between rounds of Run; a minute where zero.
	Pace time.Duration
}

const defaultPace = time.Minute

// Mover plans and follows moves between vaults. It keeps no state: any number may work on
// one database.
type Mover struct{ cfg Config }

// New returns a Mover.
func New(cfg Config) (*Mover, error) {
	if cfg.Vaults == nil || cfg.Custody == nil || cfg.Assets == nil || cfg.Terms == nil || cfg.Place == nil || cfg.Clock == nil || cfg.Log == nil {
		return nil, errors.New("mover: config lacks vaults, custody, assets, terms, place, clock or log")
	}
	if cfg.Pace <= 0 {
		cfg.Pace = defaultPace
	}
	return &Mover{cfg}, nil
}

// Run makes a round, and another each Pace, until ctx ends. What fails is logged and
// tried again.
func (m *Mover) Run(ctx context.Context) {
	ticks := time.NewTicker(m.cfg.Pace)
	defer ticks.Stop()
	for {
		if err := m.Round(ctx); err != nil && ctx.Err() == nil {
			m.cfg.Log.WarnContext(ctx, "round of moves", "cause", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}

// side is the vaults of one asset on one chain.
type side struct {
	info   custody.AssetInfo
	terms  Terms
	vaults []vault.Vault
	wallet map[string]string // vault → name of its wallet in custody
	place  map[string]string // vault → where it is paid
}

// Round goes once over all assets that have vaults. One that fails does not hold up the
// others.
func (m *Mover) Round(ctx context.Context) error {
	rows, err := m.cfg.Vaults.Vaults(ctx)
	if err != nil {
		return fmt.Errorf("list vaults: %w", err)
	}
	sides := map[string]*side{}
	var order []string
	for i := range rows {
		v := rows[i].Vault
		if sides[v.Asset] == nil {
			sides[v.Asset], order = &side{wallet: map[string]string{}, place: map[string]string{}}, append(order, v.Asset)
		}
		sides[v.Asset].vaults = append(sides[v.Asset].vaults, v)
	}
	var failed error
	for _, asset := range order {
		if err := m.round(ctx, asset, sides[asset]); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", asset, err))
		}
	}
	return failed
}

func (m *Mover) round(ctx context.Context, asset string, s *side) error {
	if err := m.prepare(ctx, asset, s); err != nil {
		return err
	}
	open, err := m.cfg.Vaults.Moves(ctx, asset, true)
	if err != nil {
		return fmt.Errorf("list moves: %w", err)
	}
	at, err := m.cfg.Custody.Standing(ctx, asset, s.terms.FeeEach, intentIDs(open))
	if err != nil {
		return err
	}
	if open, err = m.follow(ctx, s, open, at.Sweeps); err != nil {
		return err
	}
	if err := m.note(ctx, s, &at); err != nil {
		return err
	}
	if err := m.sound(ctx, s, open); err != nil {
		return err
	}
	if err := m.recall(ctx, s, open); err != nil {
		return err
	}
	return m.plan(ctx, s)
}

// sound looks at the vaults. Where one is not what it should be, moves of the asset that
// nobody has signed are taken back, and the error ends the round.
func (m *Mover) sound(ctx context.Context, s *side, open []treasury.MoveRow) error {
	if m.cfg.Sound == nil {
		return nil
	}
	for _, v := range s.vaults {
		if v.Tier == vault.Hot {
			continue
		}
		err := m.cfg.Sound(ctx, v)
		if err == nil {
			continue
		}
		err = fmt.Errorf("vault %s is not trusted, nothing moves: %w", v.ID, err)
		for i := range open {
			if open[i].State == treasury.MoveProposed {
				err = errors.Join(err, m.takeBack(ctx, &open[i], "a vault is not as its description has it"))
			}
		}
		return err
	}
	return nil
}

// prepare makes the vaults known to custody.
func (m *Mover) prepare(ctx context.Context, asset string, s *side) error {
	var known bool
	if s.info, known = m.cfg.Assets.AssetByCode(asset); !known {
		return custody.ErrAsset
	}
	var err error
	if s.terms, err = m.cfg.Terms(asset); err != nil {
		return fmt.Errorf("terms: %w", err)
	}
	for _, v := range s.vaults {
		if v.Chain != string(s.info.Chain) {
			return fmt.Errorf("vault %s is on %s, the asset on %s: %w", v.ID, v.Chain, s.info.Chain, treasury.ErrInvalid)
		}
		if v.Tier == vault.Hot {
			continue
		}
		if s.place[v.ID], err = m.cfg.Place(v); err != nil {
			return fmt.Errorf("place of vault %s: %w", v.ID, err)
		}
		if s.wallet[v.ID], err = m.cfg.Custody.RegisterVault(ctx, s.info.Chain, v.ID, s.place[v.ID]); err != nil {
			return fmt.Errorf("register vault %s: %w", v.ID, err)
		}
	}
	return nil
}

// note keeps what is in each vault.
func (m *Mover) note(ctx context.Context, s *side, at *custodydb.Standing) error {
	now := m.cfg.Clock().UTC()
	for _, v := range s.vaults {
		is := treasury.Snapshot{Vault: v.ID, At: now}
		switch {
		case v.Tier != vault.Hot:
			is.Final = at.Vaults[s.wallet[v.ID]]
		case v.Shard == 0: // the one hot wallet that custody has on a chain
			is.Final, is.Open, is.Approved = at.Hot, at.Open, at.Approved
		}
		if err := m.cfg.Vaults.Snapshot(ctx, is); err != nil {
			return fmt.Errorf("keep what is in %s: %w", v.ID, err)
		}
	}
	return nil
}

// recall takes back what should not go on.
func (m *Mover) recall(ctx context.Context, s *side, open []treasury.MoveRow) error {
	state, err := m.cfg.Vaults.State(ctx, s.info.Asset, string(s.info.Chain), s.terms.Terms)
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	recalls, err := vault.Recalls(&state)
	if err != nil {
		return fmt.Errorf("plan recalls: %w", err)
	}
	for _, r := range recalls {
		for i := range open {
			if open[i].ID == r.Flow {
				err = errors.Join(err, m.takeBack(ctx, &open[i], r.Why))
			}
		}
	}
	return err
}

// takeBack asks whoever carries a move to end it. Where it is too late for that it goes on.
func (m *Mover) takeBack(ctx context.Context, row *treasury.MoveRow, why string) error {
	err := m.cfg.Custody.Release(ctx, IntentID(row), why)
	if errors.Is(err, custody.ErrIllegal) || errors.Is(err, treasury.ErrConflict) {
		m.cfg.Log.InfoContext(ctx, "move goes on, it is too late to take it back", "move", row.ID, "why", why)
		return nil
	}
	if err != nil {
		return fmt.Errorf("take back %s: %w", row.ID, err)
	}
	m.cfg.Log.InfoContext(ctx, "move taken back", "move", row.ID, "why", why)
	return nil
}

// refills reports whether custody can spend what is in the vaults of an asset.
func (m *Mover) refills(s *side) bool {
	return m.cfg.Refilled != nil && !slices.ContainsFunc(s.vaults, func(v vault.Vault) bool { return v.Tier != vault.Hot && !m.cfg.Refilled(v) })
}

// plan proposes sweeps and refills, and has them carried.
func (m *Mover) plan(ctx context.Context, s *side) error {
	planners := []func(*vault.State) (vault.Plan, error){vault.Sweeps}
	if m.refills(s) {
		planners = append(planners, vault.Refills)
	}
	for _, planner := range planners {
		rows, plan, err := m.cfg.Vaults.Plan(ctx, s.info.Asset, string(s.info.Chain), s.terms.Terms, planner)
		if err != nil {
			return fmt.Errorf("plan: %w", err)
		}
		for _, held := range plan.Held {
			m.cfg.Log.WarnContext(ctx, "not moved", "vault", held.Vault, "amount", held.Amount.String(), "why", held.Why)
		}
		for i := range rows {
			m.cfg.Log.InfoContext(ctx, "move planned", "move", rows[i].ID, "from", rows[i].From, "to", rows[i].To,
				"amount", rows[i].Amount.String(), "why", rows[i].Why)
			if err := m.carry(ctx, s, &rows[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
