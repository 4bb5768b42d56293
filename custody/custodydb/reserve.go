package custodydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/internal/crash"
	"strongroom/money"
)

// Cover is what the chain says that a sender on an account chain has.
type Cover struct {
	Asset  money.Units // of the intent's asset
	Native money.Units // for fees; the same where the asset is native
	Height uint64      // the block whose state was asked
}

// AccountReservation asks for a slot on an account chain.
type AccountReservation struct {
	From        chainadapters.Slot // sender; the nonce is ours to choose
	First       uint64             // chain's count for a sender that was never used
	Fee         chainadapters.Fee
	Cover       Cover
	Outstanding int // most slots of the sender that may be open
	// Payment and Exec are those of a refill: a vault pays, by this call of it.
	Payment chainadapters.Payment
	Exec    []byte
}

// ReserveSlot gives an approved intent its nonce, stores the plan of its first
// attempt and moves it to reserved, in one transaction. It returns
// custody.ErrSlots, ErrHotWallet or ErrKeyHalted where it must wait, the reasons
// of screening where it must not be paid, and custody.ErrConflict where the row
// moved meanwhile.
func (s *Store) ReserveSlot(ctx context.Context, r *IntentRow, q AccountReservation) error {
	native, err := s.nativeOf(r.Chain, r.Asset)
	if err != nil {
		return err
	}
	return s.reserve(ctx, r, func(tx pgx.Tx) (PlannedAttempt, error) {
		none := PlannedAttempt{}
		key, err := lockSender(ctx, tx, r.Chain, q.From.From, q.First)
		if err != nil {
			return none, err
		}
		// Summed before this intent is among them.
		others, err := key.promised(ctx, tx, r.Asset, native, q.Cover.Height)
		if err != nil {
			return none, err
		}
		slot := q.From
		if slot.Nonce, err = key.takeSlot(ctx, tx, r.ID, q.Outstanding); err != nil {
			return none, err
		}
		plan, leaves := chainadapters.Plan{Payments: s.payments(r), Slot: &slot, Fee: q.Fee}, r.Amount
		if r.Kind == custody.IntentRefill {
			if err := holdsVaultSlot(ctx, tx, r.ID); err != nil {
				return none, err
			}
			plan.Payments, plan.Exec, leaves = []chainadapters.Payment{q.Payment}, q.Exec, money.Units{}
		}
		attempt, err := s.plan(r, plan)
		if err != nil {
			return none, err
		}
		return attempt, covered(q.Cover, others, leaves, attempt.MaxFee, native == r.Asset)
	})
}

// covered returns custody.ErrHotWallet where the sender cannot pay amount and fee
// on top of what it has promised.
func covered(have Cover, others promise, amount, fee money.Units, isNative bool) error {
	needAsset, err := money.Sum(others.asset, amount)
	if err != nil {
		return fmt.Errorf("sum what is needed: %w", err)
	}
	needNative, err := money.Sum(others.native, others.fees, fee)
	if err == nil && isNative {
		needNative, err = needNative.Add(amount)
	}
	if err != nil {
		return fmt.Errorf("sum what is needed: %w", err)
	}
	if have.Asset.Less(needAsset) {
		return fmt.Errorf("%w: it has %s, %s are needed", custody.ErrHotWallet, have.Asset, needAsset)
	}
	if have.Native.Less(needNative) {
		return fmt.Errorf("%w: it has %s of the native asset, %s are needed with fees", custody.ErrHotWallet, have.Native, needNative)
	}
	return nil
}

// Bid says what a payment of a size in virtual bytes begins with. It MUST be pure.
type Bid func(size uint64) (chainadapters.Fee, error)

// anySize is what a payment of coins measures at least, in virtual bytes.
const anySize = 110

// ReserveCoins is ReserveSlot on a chain of coins. A withdrawal takes free coins
// of the hot wallet; a movement of the house has its coins since it was planned.
func (s *Store) ReserveCoins(ctx context.Context, r *IntentRow, bid Bid) error {
	adapter, ok := s.cfg.Adapters[r.Chain]
	if !ok {
		return fmt.Errorf("chain %s is not served: %w", r.Chain, custody.ErrAsset)
	}
	fee, err := bid(anySize)
	if err != nil {
		return err
	}
	return s.reserve(ctx, r, func(tx pgx.Tx) (PlannedAttempt, error) {
		none := PlannedAttempt{}
		plan := chainadapters.Plan{Payments: s.payments(r), Fee: fee}
		if r.Kind.FromVault() {
			return s.planRefill(ctx, tx, r, fee)
		}
		if !r.Kind.PaysOut() {
			coins, err := coinsOf(ctx, tx, r.ID)
			if err != nil {
				return none, err
			}
			plan.Coins = coins
			return s.plan(r, plan)
		}
		var err error
		if plan.Coins, err = s.selectHotCoins(ctx, tx, r.Chain, adapter, plan.Payments, fee); err != nil {
			return none, err
		}
		if err := lockCoins(ctx, tx, r.Chain, r.ID, plan.Coins); err != nil {
			return none, err
		}
		change, err := s.NewChange(ctx, tx, r.Chain)
		if err != nil {
			return none, err
		}
		plan.ChangeTo, plan.ChangePath = change.Address, change.Path
		built, err := adapter.Build(plan)
		if err != nil {
			return none, fmt.Errorf("measure %s: %w", r.ID, hotWallet(err))
		}
		// Of its true size it may be too much: coins chosen for more suffice.
		if plan.Fee, err = bid(built.Size); err != nil {
			return none, err
		}
		return s.plan(r, plan)
	})
}

// reserve runs work and what every reservation needs in one transaction.
func (s *Store) reserve(ctx context.Context, r *IntentRow, work func(pgx.Tx) (PlannedAttempt, error)) error {
	moved := *r
	err := s.InTx(ctx, func(tx pgx.Tx) error {
		if err := s.stillPayable(ctx, tx, moved); err != nil {
			return err
		}
		// The row is moved first: of two that reserve one intent, one waits here
		// and finds itself beaten.
		if err := s.Apply(ctx, tx, &moved, custody.EventReserve, custody.WithdrawalFacts{}, ""); err != nil {
			return err
		}
		attempt, err := work(tx)
		if err != nil {
			return err
		}
		if err := s.putPlan(ctx, tx, r.ID, attempt); err != nil {
			return err
		}
		crash.At(crash.ReserveBefore)
		return nil
	})
	if err == nil {
		crash.At(crash.ReserveAfter)
		*r = moved
	}
	return err
}

// stillPayable screens a withdrawal once more: much may have happened since.
func (s *Store) stillPayable(ctx context.Context, q queryer, r IntentRow) error {
	if r.Kind != custody.IntentWithdrawal {
		return nil
	}
	return s.screen(ctx, q, custody.Withdrawal{ID: r.ID, Customer: r.Customer, Chain: r.Chain, To: r.To})
}

// Screen returns why a withdrawal must not be paid: custody.ErrDestination or
// custody.ErrFrozen; nil where nothing is known against it.
func (s *Store) Screen(ctx context.Context, r IntentRow) error { return s.stillPayable(ctx, s.pool, r) }

func (s *Store) payments(r *IntentRow) []chainadapters.Payment {
	return []chainadapters.Payment{{To: r.To, Contract: r.Contract, Amount: r.Amount}}
}

// plan completes a plan and lets the adapter say what it may cost.
func (s *Store) plan(r *IntentRow, plan chainadapters.Plan) (PlannedAttempt, error) {
	adapter, ok := s.cfg.Adapters[r.Chain]
	if !ok {
		return PlannedAttempt{}, fmt.Errorf("chain %s is not served: %w", r.Chain, custody.ErrAsset)
	}
	unsigned, err := adapter.Build(plan)
	if err != nil {
		return PlannedAttempt{}, fmt.Errorf("build %s: %w", r.ID, hotWallet(err))
	}
	return PlannedAttempt{Number: 1, Plan: plan, MaxFee: unsigned.MaxFee}, nil
}

// hotWallet names an adapter's lack of coins in custody's words.
func hotWallet(err error) error {
	if errors.Is(err, chainadapters.ErrFunds) {
		return fmt.Errorf("%w: %w", custody.ErrHotWallet, err)
	}
	return err
}
