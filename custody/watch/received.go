package watch

import (
	"context"
	"fmt"
	"slices"

	"strongroom/chainadapters"
	"strongroom/custody/custodydb"
	"strongroom/money"
)

// Bounds of comparing balances where a node cannot trace.
const (
	maxCompared  = 10_000 // addresses of a chain
	compareGroup = 100    // addresses in one question
)

// received corrects what a block claims by what balances show: token events say
// what their contract likes, and a node that cannot trace does not say what
// contracts sent on. UTXO chains need neither.
func (w *Watcher) received(ctx context.Context, b chainadapters.Block, own []chainadapters.TxStatus) (chainadapters.Block, error) {
	if w.cfg.Adapter.Family() != chainadapters.Account {
		return b, nil
	}
	fees := make(map[string]money.Units, len(own))
	for _, st := range own {
		fees[st.TxID] = st.Fee
	}
	var untold []chainadapters.Movement
	var err error
	if b.Untraced {
		if b.Movements, err = w.byVaults(ctx, b.Movements, own); err != nil {
			return b, err
		}
	}
	if b.Untraced && b.Height > 0 {
		if untold, err = w.compare(ctx, b, fees); err != nil {
			return b, err
		}
	}
	if b.Movements, err = w.verified(ctx, b, fees); err != nil {
		return b, err
	}
	b.Movements = append(b.Movements, untold...)
	return b, nil
}

// byVaults adds what vaults paid by transactions of ours that succeeded: native value that
// contracts send is not told by a node that cannot trace, and this we know ourselves.
func (w *Watcher) byVaults(ctx context.Context, told []chainadapters.Movement, own []chainadapters.TxStatus) ([]chainadapters.Movement, error) {
	var done []string
	for _, st := range own {
		if st.State == chainadapters.Mined && st.Success {
			done = append(done, st.TxID)
		}
	}
	if len(done) == 0 {
		return told, nil
	}
	paid, err := w.cfg.Store.VaultPayments(ctx, w.cfg.Chain, done)
	return append(slices.Clip(told), paid...), err
}

// verified puts what arrived in the place of what token events claim.
func (w *Watcher) verified(ctx context.Context, b chainadapters.Block, fees map[string]money.Units) ([]chainadapters.Movement, error) {
	var receivers []string
	for i := range b.Movements {
		if b.Movements[i].Contract != "" {
			receivers = append(receivers, b.Movements[i].To)
		}
	}
	if len(receivers) == 0 {
		return b.Movements, nil
	}
	found, err := w.cfg.Store.OursAmong(ctx, w.cfg.Chain, receivers)
	if err != nil || len(found) == 0 {
		return b.Movements, err
	}
	ours := func(address string) bool { _, is := found[address]; return is }
	movements, doubts, err := chainadapters.Received(ctx, w.cfg.Adapter, b, ours, fees)
	if err != nil {
		return nil, nodeFault("compare what events of block "+b.Hash+" claim with balances", err)
	}
	for _, d := range doubts {
		w.cfg.Log.WarnContext(ctx, "token brought less than its event says", "chain", w.cfg.Chain, "contract", d.Claimed.Contract,
			"txid", d.Claimed.TxID, "index", d.Claimed.Index, "to", d.Claimed.To,
			"claimed", d.Claimed.Amount.String(), "received", d.Received.String(), "error", d.Err)
	}
	return movements, nil
}

// compare finds native value that arrived at our addresses and that the block
// does not tell. Nobody says in which transaction it came: the movement carries
// the block's hash in the place of a txid, and the key's index as its own.
func (w *Watcher) compare(ctx context.Context, b chainadapters.Block, fees map[string]money.Units) ([]chainadapters.Movement, error) {
	all, err := w.cfg.Store.HouseAddresses(ctx, w.cfg.Chain)
	if err != nil {
		return nil, err
	}
	if len(all) > maxCompared {
		return nil, fmt.Errorf("%w: it cannot trace block %d, and %d addresses are too many to compare balances", errNode, b.Height, len(all))
	}
	told := map[string]money.Units{}
	for _, m := range b.Movements {
		if _, ours := fees[m.TxID]; ours || m.Contract != "" {
			continue
		}
		if told[m.To], err = told[m.To].Add(m.Amount); err != nil {
			return nil, nodeFault("add up block "+b.Hash, err)
		}
	}
	var found []chainadapters.Movement
	for rest := all; len(rest) > 0; {
		n := min(len(rest), compareGroup)
		part, err := w.compareGroup(ctx, b, rest[:n], told, fees)
		if err != nil {
			return nil, err
		}
		found, rest = append(found, part...), rest[n:]
	}
	return found, nil
}

// compareGroup compares a group's balances with what the block tells of it, and
// halves the group where they differ.
func (w *Watcher) compareGroup(ctx context.Context, b chainadapters.Block, group []custodydb.HouseAddress, told, fees map[string]money.Units) ([]chainadapters.Movement, error) {
	addresses := make([]string, len(group))
	var known money.Units
	var err error
	for i := range group {
		addresses[i] = group[i].Address
		if known, err = known.Add(told[group[i].Address]); err != nil {
			return nil, nodeFault("add up block "+b.Hash, err)
		}
	}
	grown, err := chainadapters.Grown(ctx, w.cfg.Adapter, b, "", addresses, fees)
	if err != nil {
		return nil, nodeFault("compare balances of block "+b.Hash, err)
	}
	untold := grown.SubFloor(known)
	switch {
	case untold.IsZero():
		return nil, nil
	case len(group) == 1:
		return []chainadapters.Movement{{TxID: b.Hash, Index: untoldIndex(group[0].Path), To: group[0].Address, Amount: untold}}, nil
	}
	half := len(group) / 2
	first, err := w.compareGroup(ctx, b, group[:half], told, fees)
	if err != nil {
		return nil, err
	}
	second, err := w.compareGroup(ctx, b, group[half:], told, fees)
	return append(first, second...), err
}

// untoldIndex is a place of its own for each receiving key of the house.
func untoldIndex(path chainadapters.KeyPath) uint32 {
	if path.Account == chainadapters.DepositAccount {
		return chainadapters.InternalIndex + path.Index
	}
	return path.Index
}
