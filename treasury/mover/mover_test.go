package mover_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/custody"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/mover"
	"strongroom/treasury/vault"
)

type assets struct{ custody.Assets }

func (assets) AssetByCode(code string) (custody.AssetInfo, bool) {
	return custody.AssetInfo{Asset: money.Asset{Code: code, Scale: 3}, Chain: "dev", Native: code}, code == "ETH"
}

func open(tb interface{ Fatal(args ...any) }, v *vaults, h *house) *mover.Mover {
	m, err := mover.New(mover.Config{
		Vaults: kept{v}, Custody: h, Assets: assets{}, Log: slog.New(slog.DiscardHandler),
		Clock: func() time.Time { return v.now },
		Terms: func(string) (mover.Terms, error) {
			return mover.Terms{Terms: terms(), FeeEach: money.FromUint64(2)}, nil
		},
		Place:    func(v vault.Vault) (string, error) { return v.Address, nil },
		Refilled: func(v vault.Vault) bool { return v.ID == "cold" },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func world() (*vaults, *house) {
	return &vaults{rows: rowsOf(), at: map[string]treasury.Snapshot{}, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)},
		&house{fee: 1, vaults: map[string]uint64{}, sweeps: map[string]*sweep{}, fail: map[string]int{}}
}

func TestSweepsBringTheHotWalletToItsTarget(t *testing.T) {
	v, h := world()
	h.hot = 16_000
	m := open(t, v, h)
	for range 8 {
		if err := m.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range h.order {
			h.pass(h.sweeps[id])
		}
	}
	if h.hot < 4900 || h.hot > 5100 || h.vaults["cold"] < 10_900 || len(v.moves) != 3 {
		t.Fatalf("hot %d, vaults %v, moves %+v", h.hot, h.vaults, v.moves)
	}
	for _, row := range v.moves {
		if row.State != treasury.MoveFinal || row.TxID != "tx of "+mover.IntentID(&row) || row.Outcome != "it is posted" {
			t.Errorf("%+v", row)
		}
	}
}

func TestRefillsBringTheHotWalletToItsTarget(t *testing.T) {
	v, h := world()
	h.hot, h.vaults["cold"] = 500, 20_000
	m := open(t, v, h)
	for range 8 {
		if err := m.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range h.order {
			h.pass(h.sweeps[id])
		}
	}
	if h.hot < 4900 || h.hot > 5100 || len(v.moves) != 2 {
		t.Fatalf("hot %d, vaults %v, moves %+v", h.hot, h.vaults, v.moves)
	}
	for i, row := range v.moves {
		if row.State != treasury.MoveFinal || !strings.HasPrefix(mover.IntentID(&row), "rfl_") || v.proofs[i].Vault != "cold" || v.proofs[i].Evidence != row.TxID {
			t.Errorf("%+v, proven %+v", row, v.proofs[i])
		}
	}
}

// Nothing moves into or out of a vault that is not what it should be, and what nobody has
// signed is taken back.
func TestNothingMovesWhereAVaultIsNotSound(t *testing.T) {
	v, h := world()
	h.hot = 16_000
	var wrong error
	m, err := mover.New(mover.Config{
		Vaults: kept{v}, Custody: h, Assets: assets{}, Log: slog.New(slog.DiscardHandler), Clock: func() time.Time { return v.now },
		Terms: func(string) (mover.Terms, error) { return mover.Terms{Terms: terms()}, nil },
		Place: func(v vault.Vault) (string, error) { return v.Address, nil },
		Sound: func(_ context.Context, v vault.Vault) error {
			if v.ID != "cold" {
				return nil
			}
			return wrong
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Round(t.Context()); err != nil || len(v.moves) == 0 {
		t.Fatalf("%d moves, %v", len(v.moves), err)
	}
	planned := len(v.moves)
	wrong = errors.New("it has another owner")
	for range 3 {
		if err := m.Round(t.Context()); !errors.Is(err, wrong) {
			t.Fatal(err)
		}
	}
	if h.released != planned || len(v.moves) != planned {
		t.Errorf("%d of %d taken back, %d moves", h.released, planned, len(v.moves))
	}
	wrong = nil
	for range 3 {
		if err := m.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(v.moves) == planned {
		t.Error("nothing moves any more")
	}
}

func TestSweepIsTakenBackForApprovedWithdrawals(t *testing.T) {
	v, h := world()
	h.hot = 16_000
	m := open(t, v, h)
	for range 2 {
		if err := m.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.approved = 15_000 // somebody wants nearly all of it
	}
	if err := m.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.released == 0 {
		t.Fatal("sweeps go on that approved withdrawals need")
	}
	for _, row := range v.moves {
		if s := h.sweeps[mover.IntentID(&row)]; s.state == custody.WithdrawalCancelled && row.State != treasury.MoveRecalled {
			t.Errorf("%+v", row)
		}
	}
}

// Whatever fails, whenever, and however far sweeps come between rounds: each move is one
// sweep, and in the end the hot wallet is at or under its cap.
func TestEachMoveIsOneSweep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, h := world()
		m := open(t, v, h)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				h.hot += rapid.Uint64Range(0, 9000).Draw(t, "deposit")
			case 1:
				h.fail[rapid.SampledFrom([]string{"standing", "register", "open", "release"}).Draw(t, "fails")] = 1
			case 2:
				h.approved = rapid.Uint64Range(0, h.hot/2).Draw(t, "approved")
			case 3:
				for _, id := range h.order {
					if rapid.Bool().Draw(t, "pass") {
						h.pass(h.sweeps[id])
					}
				}
			default:
				if err := m.Round(t.Context()); err != nil && !errors.Is(err, errDown) {
					t.Fatal(err)
				}
			}
		}
		h.approved, h.fail = 0, map[string]int{}
		for range 60 {
			if err := m.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, id := range h.order {
				h.pass(h.sweeps[id])
			}
		}
		if h.hot > 10_000 {
			t.Fatalf("the hot wallet holds %d, above its cap", h.hot)
		}
		if len(h.sweeps) != len(v.moves) {
			t.Fatalf("%d moves, %d sweeps", len(v.moves), len(h.sweeps))
		}
		for _, row := range v.moves {
			s := h.sweeps[mover.IntentID(&row)]
			if s == nil || s.Amount != row.Amount || row.State.Open() || (row.State == treasury.MoveFinal) != (s.state == custody.WithdrawalPosted) {
				t.Fatalf("move %+v, sweep %+v", row, s)
			}
		}
	})
}

func TestOneAssetDoesNotHoldUpAnother(t *testing.T) {
	v, h := world()
	v.rows = append([]treasury.VaultRow{{Vault: vault.Vault{ID: "odd", Asset: "XYZ", Chain: "dev"}}}, v.rows...)
	h.hot = 16_000
	if err := open(t, v, h).Round(t.Context()); !errors.Is(err, custody.ErrAsset) {
		t.Errorf("an unknown asset: %v", err)
	}
	if len(h.sweeps) == 0 {
		t.Error("nothing was swept")
	}
	if _, err := mover.New(mover.Config{}); err == nil {
		t.Error("a mover of nothing")
	}
}
