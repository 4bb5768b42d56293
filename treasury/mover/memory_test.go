package mover_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/vault"
)

var errDown = errors.New("connection refused")

// vaults keeps vaults and moves in memory.
type vaults struct {
	rows  []treasury.VaultRow
	at    map[string]treasury.Snapshot
	moves []treasury.MoveRow
	now   time.Time

	proofs []treasury.ProofRow
}

func (v *vaults) find(id string) *treasury.MoveRow {
	for i := range v.moves {
		if v.moves[i].ID == id {
			return &v.moves[i]
		}
	}
	return nil
}

// kept is what a mover knows of them, by the rules of the rows.
type kept struct{ *vaults }

func (k kept) Vaults(context.Context) ([]treasury.VaultRow, error) { return k.rows, nil }

func (k kept) Snapshot(_ context.Context, s treasury.Snapshot) error {
	k.at[s.Vault] = s
	return nil
}

func (k kept) Prove(_ context.Context, p treasury.ProofRow) error {
	k.proofs = append(k.proofs, p)
	return nil
}

func (k kept) State(_ context.Context, asset money.Asset, chain string, terms vault.Terms) (vault.State, error) {
	s := vault.State{Asset: asset, Chain: chain, Terms: terms, Now: k.now}
	for _, r := range k.rows {
		if r.Asset != asset.Code {
			continue
		}
		at := k.at[r.ID]
		s.Holdings = append(s.Holdings, vault.Holding{Vault: r.Vault, Final: at.Final, Open: at.Open, Approved: at.Approved})
		s.Proofs = append(s.Proofs, vault.Proof{Vault: r.ID, At: k.now.Unix() - 1})
	}
	for _, m := range k.moves {
		if m.State.Open() {
			s.Flows = append(s.Flows, vault.Flow{ID: m.ID, From: m.From, To: m.To, Amount: m.Amount, Fee: m.Fee, Stage: vault.Stage(m.State)})
		}
	}
	return s, nil
}

func (k kept) Plan(ctx context.Context, asset money.Asset, chain string, terms vault.Terms, planner func(*vault.State) (vault.Plan, error)) ([]treasury.MoveRow, vault.Plan, error) {
	s, err := k.State(ctx, asset, chain, terms)
	if err != nil {
		return nil, vault.Plan{}, err
	}
	plan, err := planner(&s)
	if err != nil {
		return nil, plan, err
	}
	var rows []treasury.MoveRow
	for i := range plan.Moves {
		m := &plan.Moves[i]
		id := fmt.Sprintf("mov_%d", len(k.moves)+1)
		for _, f := range m.Flows(id) {
			rows = append(rows, treasury.MoveRow{
				ID: f.ID, Move: id, Kind: m.Kind, Asset: m.Asset, Chain: m.Chain, From: f.From, To: f.To, Amount: f.Amount, Fee: f.Fee,
				State: treasury.MoveProposed, Version: 1,
			})
		}
	}
	k.moves = append(k.moves, rows...)
	return rows, plan, nil
}

func (k kept) Advance(_ context.Context, id string, version int64, change treasury.MoveChange) (treasury.MoveRow, error) {
	m := k.find(id)
	legal := strings.Fields("proposed-signed proposed-recalled proposed-failed signed-sent signed-final signed-failed sent-final sent-failed")
	if m == nil || m.Version != version || !slices.Contains(legal, string(m.State+"-"+change.To)) {
		return treasury.MoveRow{}, treasury.ErrConflict
	}
	m.State, m.TxID, m.Outcome, m.Version = change.To, change.TxID, change.Outcome, version+1
	return *m, nil
}

func (k kept) Moves(_ context.Context, asset string, open bool) ([]treasury.MoveRow, error) {
	var some []treasury.MoveRow
	for _, m := range k.moves {
		if m.Asset == asset && (!open || m.State.Open()) {
			some = append(some, m)
		}
	}
	return some, nil
}

// house is custody in memory: one hot wallet, and sweeps that go forward when told.
type house struct {
	hot, fee       uint64
	open, approved uint64
	vaults         map[string]uint64
	sweeps         map[string]*sweep
	order          []string
	fail           map[string]int // verb → how many calls fail first
	released       int
}

type sweep struct {
	custodydb.Sweep
	state custody.WithdrawalState
	opens int
}

func (h *house) failing(verb string) bool {
	h.fail[verb]--
	return h.fail[verb] >= 0
}

func (h *house) Standing(_ context.Context, _ string, _ money.Units, ids []string) (custodydb.Standing, error) {
	if h.failing("standing") {
		return custodydb.Standing{}, errDown
	}
	at := custodydb.Standing{
		Hot: money.FromUint64(h.hot), Open: money.FromUint64(h.open + h.approved), Approved: money.FromUint64(h.approved),
		Vaults: map[string]money.Units{}, Sweeps: map[string]custody.Progress{},
	}
	for name, has := range h.vaults {
		at.Vaults[name] = money.FromUint64(has)
	}
	for _, id := range ids {
		if s := h.sweeps[id]; s != nil {
			at.Sweeps[id] = custody.Progress{ID: id, State: s.state, Ended: s.state.Ended(), TxID: "tx of " + id}
		}
	}
	return at, nil
}

func (h *house) RegisterVault(_ context.Context, _ chainadapters.ChainID, name, _ string) (string, error) {
	if h.failing("register") {
		return "", errDown
	}
	return name, nil
}

func (h *house) OpenSweep(_ context.Context, w custodydb.Sweep) error {
	if h.failing("open") {
		return errDown
	}
	if s := h.sweeps[w.ID]; s != nil {
		s.opens++
		if s.Sweep != w {
			return custody.ErrConflict
		}
		return nil
	}
	h.sweeps[w.ID], h.order = &sweep{w, custody.WithdrawalScreened, 1}, append(h.order, w.ID)
	return nil
}

func (h *house) OpenRefill(ctx context.Context, w custodydb.Refill) error {
	return h.OpenSweep(ctx, custodydb.Sweep{ID: w.ID, Asset: w.Asset, To: "the hot wallet", Amount: w.Amount})
}

func (h *house) Release(_ context.Context, id, _ string) error {
	if h.failing("release") {
		return errDown
	}
	s := h.sweeps[id]
	if s == nil {
		return custody.ErrNotFound
	}
	if !s.state.Releasable() {
		return custody.ErrIllegal
	}
	s.state = custody.WithdrawalCancelled
	h.released++
	return nil
}

// pass takes a sweep one step on its way.
func (h *house) pass(s *sweep) {
	switch s.state { //nolint:exhaustive // the others have ended
	case custody.WithdrawalScreened:
		s.state = custody.WithdrawalApproved
	case custody.WithdrawalApproved:
		s.state = custody.WithdrawalSigned
	case custody.WithdrawalSigned:
		s.state = custody.WithdrawalConfirming
	case custody.WithdrawalConfirming:
		amount, _ := s.Amount.Uint64()
		if strings.HasPrefix(s.ID, "rfl_") {
			h.hot, h.vaults["cold"] = h.hot+amount, h.vaults["cold"]-amount-h.fee
		} else {
			h.hot, h.vaults["cold"] = h.hot-amount-h.fee, h.vaults["cold"]+amount
		}
		s.state = custody.WithdrawalPosted
	}
}

func terms() vault.Terms {
	return vault.Terms{Limit: money.FromUint64(4000), Fee: money.FromUint64(2), FeeShare: 100}
}

func rowsOf() []treasury.VaultRow {
	u := money.FromUint64
	return []treasury.VaultRow{
		{Vault: vault.Vault{ID: "hot", Asset: "ETH", Chain: "dev", Tier: vault.Hot, Address: "0xh", Cap: u(10_000), Target: u(5000), Floor: u(1000), ProofDays: 30}, Version: 1},
		{Vault: vault.Vault{ID: "cold", Asset: "ETH", Chain: "dev", Tier: vault.Cold, Address: "0xc", ProofDays: 30}, Version: 1},
	}
}
