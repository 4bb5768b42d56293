package intake

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/ledger"
	"strongroom/money"
)

// maxHolders bounds how many addresses or coins one question to a node names.
const maxHolders = 500

// Attest counts all that the house has of an asset on its chain, at the newest
// block taken in, adds what has left in mined transactions that the book still
// owes, and hands the sum to the ledger. Errors: custody.ErrAsset,
// custody.ErrChainHalted, ledger.ErrStale where bookings kept overtaking the
// count, or the node's.
func (i *Intake) Attest(ctx context.Context, asset string) error {
	return i.attestSince(ctx, asset, i.counts(asset))
}

// counting is the counts of one asset in this process: one at a time.
type counting struct {
	turn sync.Mutex
	mu   sync.Mutex
	done uint64 // guarded by mu
}

// counts returns how many counts of an asset have succeeded so far.
func (i *Intake) counts(asset string) uint64 {
	c := i.counting(asset)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

func (i *Intake) counting(asset string) *counting {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.count[asset] == nil {
		i.count[asset] = &counting{}
	}
	return i.count[asset]
}

// attestSince counts, unless somebody else's count succeeded since the caller saw
// that many: of all who wait, one counts for the others.
func (i *Intake) attestSince(ctx context.Context, asset string, seen uint64) error {
	c := i.counting(asset)
	c.turn.Lock()
	defer c.turn.Unlock()
	if i.counts(asset) != seen {
		return nil
	}
	err := i.cfg.Store.Counting(ctx, asset, func() error {
		var err error
		for range maxTries {
			if err = i.attestOnce(ctx, asset); !errors.Is(err, ledger.ErrStale) {
				return err
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("attest %s: %w", asset, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	return nil
}

func (i *Intake) attestOnce(ctx context.Context, asset string) error {
	info, known := i.cfg.Assets.AssetByCode(asset)
	if !known {
		return custody.ErrAsset
	}
	// The ledger's count of outflows is read first: whatever is booked after this
	// makes the attestation stale.
	position, err := i.cfg.Ledger.Position(ctx, asset)
	if err != nil {
		return fmt.Errorf("read position: %w", err)
	}
	basis, err := i.cfg.Store.AttestBasis(ctx, asset)
	if err != nil {
		return err
	}
	held, err := Count(ctx, i.cfg.Adapters[info.Chain], info.Contract, basis)
	if err != nil {
		return err
	}
	sum, err := held.Add(basis.InFlight)
	if err != nil {
		return fmt.Errorf("add what is in flight: %w", err)
	}
	if err := i.cfg.Store.ForgetAttested(ctx, info.Chain, asset); err != nil {
		return err
	}
	err = i.cfg.Ledger.Attest(ctx, ledger.Attestation{
		Asset: asset, Source: "chain/" + string(info.Chain), Amount: sum, Evidence: basis.At.Hash, Outflows: position.Outflows,
	})
	if err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	i.cfg.Log.InfoContext(ctx, "asset attested", "asset", asset, "amount", sum.String(), "height", basis.At.Height)
	return i.cfg.Store.SetAttested(ctx, info.Chain, asset, basis.At)
}

// Count asks a node, in bounded questions, how much of an asset lies at the
// addresses or in the coins of a basis.
func Count(ctx context.Context, adapter chainadapters.Adapter, contract string, basis custodydb.Basis) (money.Units, error) {
	var sum money.Units
	ask := func(q chainadapters.Holdings) error {
		q.Contract, q.At = contract, basis.At
		part, err := adapter.Holdings(ctx, q)
		if err != nil {
			return fmt.Errorf("ask for holdings: %w", err)
		}
		if sum, err = sum.Add(part); err != nil {
			return fmt.Errorf("add holdings up: %w", err)
		}
		return nil
	}
	for rest := basis.Addresses; len(rest) > 0; {
		n := min(len(rest), maxHolders)
		if err := ask(chainadapters.Holdings{Addresses: rest[:n]}); err != nil {
			return money.Units{}, err
		}
		rest = rest[n:]
	}
	for rest := basis.Coins; len(rest) > 0; {
		n := min(len(rest), maxHolders)
		if err := ask(chainadapters.Holdings{Coins: rest[:n]}); err != nil {
			return money.Units{}, err
		}
		rest = rest[n:]
	}
	return sum, nil
}
