package desk

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/feedesk"
	"strongroom/money"
)

// Reserve gives an approved intent its nonce or its coins, once, and stores the
// plan of its transaction. Where it cannot, the intent stays approved and the
// error says what it waits for: custody.ErrSlots, ErrHotWallet, ErrChainHalted,
// ErrKeyHalted, or a fault of the node.
func (d *Desk) Reserve(ctx context.Context, id string) (custody.Progress, error) {
	return d.walk(ctx, id, d.reserve)
}

func (d *Desk) reserve(ctx context.Context, r *custodydb.IntentRow) error {
	if r.State != custody.WithdrawalApproved {
		return nil
	}
	// The list may have changed since the request.
	if err := d.sanctions(ctx, r); err != nil || r.State.Ended() {
		return err
	}
	adapter, status, err := d.chain(ctx, r.Chain)
	if err != nil {
		return err
	}
	err = d.reserveOn(ctx, adapter, status.Cursor, r)
	switch {
	case err == nil || r.State.Ended():
		return err
	case (r.Kind == custody.IntentCollect || r.Kind == custody.IntentConsolidate) && (errors.Is(err, custody.ErrHotWallet) || errors.Is(err, chainadapters.ErrPlan)):
		// Its amount was fixed by fees of another time: planning again is the way out.
		return d.release(ctx, r, custody.EventCancel, err.Error())
	default:
		return d.refuse(ctx, r, err)
	}
}

func (d *Desk) reserveOn(ctx context.Context, adapter chainadapters.Adapter, at chainadapters.Ref, r *custodydb.IntentRow) error {
	switch {
	case adapter.Family() == chainadapters.UTXO:
		return d.reserveCoins(ctx, adapter, r)
	case r.Kind == custody.IntentRefill:
		return d.reserveRefill(ctx, adapter, at, r)
	}
	return d.reserveSlot(ctx, adapter, at, r, custodydb.AccountReservation{Payment: payments(r)[0]})
}

func (d *Desk) reserveCoins(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow) error {
	fee, err := adapter.Quote(ctx, chainadapters.Plan{Payments: payments(r)})
	if err != nil {
		return fmt.Errorf("quote fee: %w", err)
	}
	policy := d.rates(r.Chain)
	err = d.cfg.Store.ReserveCoins(ctx, r, func(size uint64) (chainadapters.Fee, error) {
		if !r.Kind.PaysOut() {
			return fee, affordable(policy, fee) // what remains of its coins is its fee
		}
		move, rate := policy.First(fee.SatPerKVB, size)
		if move != feedesk.Bid {
			return fee, ErrFees
		}
		return chainadapters.Fee{SatPerKVB: rate}, nil
	})
	if err != nil {
		return fmt.Errorf("reserve coins: %w", err)
	}
	return nil
}

// reserveSlot asks the node before it takes the slot: whatever the node must be
// asked, it is not asked while other intents wait for the key.
func (d *Desk) reserveSlot(ctx context.Context, adapter chainadapters.Adapter, at chainadapters.Ref, r *custodydb.IntentRow, q custodydb.AccountReservation) error {
	from, err := d.sender(ctx, r)
	if err != nil {
		return err
	}
	q.From, q.Outstanding = chainadapters.Slot{From: from.Address, Path: from.Path}, d.cfg.Outstanding
	if q.First, err = d.firstNonce(ctx, adapter, r.Chain, from.Address); err != nil {
		return err
	}
	if q.Cover, err = cover(ctx, adapter, r, from.Address, at); err != nil {
		return err
	}
	if r.Kind != custody.IntentRefill && q.Cover.Asset.Less(r.Amount) { // an estimate would only say that the call fails
		return fmt.Errorf("%w: it has %s, %s are needed", custody.ErrHotWallet, q.Cover.Asset, r.Amount)
	}
	slot := q.From
	slot.Nonce = q.First
	if q.Fee, err = adapter.Quote(ctx, chainadapters.Plan{Payments: []chainadapters.Payment{q.Payment}, Slot: &slot, Exec: q.Exec}); err != nil {
		return fmt.Errorf("quote fee: %w", err)
	}
	if q.Fee, err = d.firstGas(r, q.Fee); err != nil {
		return err
	}
	if err := d.cfg.Store.ReserveSlot(ctx, r, q); err != nil {
		return fmt.Errorf("reserve slot: %w", err)
	}
	return nil
}

// sender returns the key that an intent on an account chain spends from.
func (d *Desk) sender(ctx context.Context, r *custodydb.IntentRow) (custodydb.HouseAddress, error) {
	if r.Kind != custody.IntentCollect {
		hot, err := d.cfg.Store.HotAddress(ctx, r.Chain)
		if err != nil {
			return hot, fmt.Errorf("find hot wallet: %w", err)
		}
		return hot, nil
	}
	from, err := d.cfg.Store.KeyOf(ctx, r.Chain, r.From)
	if err != nil {
		return from, fmt.Errorf("find sender: %w", err)
	}
	return from, nil
}

// firstNonce is needed once per key: from then on we count ourselves.
func (d *Desk) firstNonce(ctx context.Context, adapter chainadapters.Adapter, chain chainadapters.ChainID, address string) (uint64, error) {
	known, err := d.cfg.Store.CounterKnown(ctx, chain, address)
	if err != nil || known {
		return 0, err
	}
	first, err := adapter.NextNonce(ctx, address)
	if err != nil {
		return 0, fmt.Errorf("count transactions of %s: %w", address, err)
	}
	return first, nil
}

// cover asks what the sender has at the newest block that we have taken in: what
// was mined up to there is known to both sides of the comparison.
func cover(ctx context.Context, adapter chainadapters.Adapter, r *custodydb.IntentRow, address string, at chainadapters.Ref) (custodydb.Cover, error) {
	has := custodydb.Cover{Height: at.Height}
	var err error
	if has.Native, err = holdings(ctx, adapter, address, "", at); err != nil {
		return has, err
	}
	has.Asset = has.Native
	if r.Contract != "" {
		has.Asset, err = holdings(ctx, adapter, address, r.Contract, at)
	}
	return has, err
}

func holdings(ctx context.Context, adapter chainadapters.Adapter, address, contract string, at chainadapters.Ref) (money.Units, error) {
	sum, err := adapter.Holdings(ctx, chainadapters.Holdings{Contract: contract, Addresses: []string{address}, At: at})
	if err != nil {
		return sum, fmt.Errorf("ask holdings of %s: %w", address, err)
	}
	return sum, nil
}

func payments(r *custodydb.IntentRow) []chainadapters.Payment {
	return []chainadapters.Payment{{To: r.To, Contract: r.Contract, Amount: r.Amount}}
}
