package bitcoin

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/shopspring/decimal"

	"strongroom/chainadapters"
	"strongroom/money"
)

// Bounds of one question about holdings.
const (
	maxCoins      = 10_000
	maxLookBack   = 144 // blocks between the one asked for and the head
	maxHoldTrials = 3   // a chain that grows meanwhile is asked again
)

// errMoved reports that the chain changed while it was being read.
var errMoved = errors.New("the chain moved meanwhile")

// outView is what gettxout says of an unspent output.
type outView struct {
	BestBlock     string      `json:"bestblock"`
	Confirmations uint64      `json:"confirmations"`
	Value         json.Number `json:"value"`
	Script        struct {
		Hex string `json:"hex"`
	} `json:"scriptPubKey"`
}

// Holdings implements the port: the sum of those coins that existed, unspent, at
// the block asked for. Nodes answer for their head only, so what was spent since
// is read from the blocks since, at most maxLookBack of them. A node that tells
// another amount or address of a coin, or whose chain does not hold the block,
// is ErrIncomplete.
func (a *Adapter) Holdings(ctx context.Context, q chainadapters.Holdings) (money.Units, error) {
	if q.Contract != "" || len(q.Addresses) > 0 || len(q.Coins) > maxCoins {
		return money.Units{}, fmt.Errorf("%w: holdings are asked by coin, %d at most", chainadapters.ErrPlan, maxCoins)
	}
	if err := a.ensure(ctx); err != nil {
		return money.Units{}, err
	}
	for trial := 1; ; trial++ {
		total, err := a.holdings(ctx, q)
		if errors.Is(err, errMoved) && trial < maxHoldTrials {
			continue
		}
		if err != nil {
			return money.Units{}, fmt.Errorf("read holdings: %w", err)
		}
		return total, nil
	}
}

func (a *Adapter) holdings(ctx context.Context, q chainadapters.Holdings) (money.Units, error) {
	head, err := a.head(ctx)
	if err != nil {
		return money.Units{}, err
	}
	since, err := a.spentSince(ctx, q.At, head.Ref)
	if err != nil {
		return money.Units{}, err
	}
	var total money.Units
	for _, coin := range q.Coins {
		held, err := a.held(ctx, coin, q.At, head.Ref, since)
		if err != nil {
			return money.Units{}, fmt.Errorf("coin %s:%d: %w", coin.TxID, coin.Vout, err)
		}
		if !held {
			continue
		}
		if total, err = total.Add(coin.Amount); err != nil {
			return money.Units{}, fmt.Errorf("add coins: %w", err)
		}
	}
	now, err := a.head(ctx)
	if err == nil && now.Hash != head.Hash {
		err = fmt.Errorf("%w: %w", chainadapters.ErrIncomplete, errMoved)
	}
	if err != nil {
		return money.Units{}, err
	}
	return total, nil
}

// spentSince returns what the blocks after at, up to head, consumed.
func (a *Adapter) spentSince(ctx context.Context, at, head chainadapters.Ref) (map[chainadapters.Outpoint]bool, error) {
	if at.Height > head.Height || head.Height-at.Height > maxLookBack {
		return nil, fmt.Errorf("%w: block %d, and the head is %d", chainadapters.ErrIncomplete, at.Height, head.Height)
	}
	spent := map[chainadapters.Outpoint]bool{}
	// From the head down: parent hashes prove that the blocks are of one chain.
	for ref := head; ; {
		if ref.Height == at.Height {
			if ref.Hash != at.Hash {
				return nil, fmt.Errorf("%w: block %s is not on the chain", chainadapters.ErrIncomplete, at.Hash)
			}
			return spent, nil
		}
		block, err := a.Block(ctx, ref, nil)
		if err != nil {
			return nil, err
		}
		for _, s := range block.Spends {
			spent[s.Outpoint] = true
		}
		ref = chainadapters.Ref{Height: ref.Height - 1, Hash: block.Parent}
	}
}

// held reports whether a coin existed, unspent, at a block on the head's chain.
func (a *Adapter) held(ctx context.Context, coin chainadapters.Coin, at, head chainadapters.Ref, since map[chainadapters.Outpoint]bool) (bool, error) {
	if _, err := parseHash(coin.TxID); err != nil {
		return false, fmt.Errorf("%w: %w", chainadapters.ErrPlan, err)
	}
	if since[coin.Outpoint] {
		return a.madeBy(ctx, coin, at)
	}
	out, err := ask[outView](ctx, a.rpc, "gettxout", coin.TxID, coin.Vout, false)
	switch {
	case err != nil:
		return false, fmt.Errorf("read output: %w", err)
	case out == nil:
		return false, nil // spent before, or never mined
	case out.BestBlock != head.Hash:
		return false, fmt.Errorf("%w: %w", chainadapters.ErrIncomplete, errMoved)
	case out.Confirmations == 0 || out.Confirmations > head.Height+1:
		return false, fmt.Errorf("%w: %d confirmations", chainadapters.ErrIncomplete, out.Confirmations)
	}
	sats, ok := satoshi(out.Value)
	if !ok || !sats.Equal(decimal.NewFromBigInt(coin.Amount.Big(), 0)) || !a.pays(out.Script.Hex, coin.Address) {
		return false, fmt.Errorf("%w: the node tells another amount or address", chainadapters.ErrIncomplete)
	}
	return head.Height+1-out.Confirmations <= at.Height, nil
}

// madeBy reports whether a coin that is spent by now was there at a block.
func (a *Adapter) madeBy(ctx context.Context, coin chainadapters.Coin, at chainadapters.Ref) (bool, error) {
	tx, block, err := a.transaction(ctx, coin.TxID)
	if err != nil {
		return false, err
	}
	if block == nil || block.Hash == "" || int(coin.Vout) >= len(tx.TxOut) || !a.matches(tx.TxOut[coin.Vout], coin) {
		return false, fmt.Errorf("%w: a spent coin that was never made like this", chainadapters.ErrIncomplete)
	}
	return block.Height <= at.Height, nil
}

func (a *Adapter) matches(out *wire.TxOut, coin chainadapters.Coin) bool {
	address, known := a.params.Address(out.PkScript)
	return known && address == coin.Address && out.Value > 0 && money.FromUint64(uint64(out.Value)) == coin.Amount
}

func (a *Adapter) pays(script, address string) bool {
	raw, err := hex.DecodeString(script)
	if err != nil {
		return false
	}
	got, known := a.params.Address(raw)
	return known && got == address
}
