package chainadapters

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"strongroom/money"
)

// Doubt is a token movement whose event claims more than arrived.
type Doubt struct {
	Claimed  Movement    // as the event says
	Received money.Units // what arrived; zero where the token does not tell
	Err      error       // why the token does not tell: wraps ErrContract; nil where it does
}

// maxAtOnce bounds the balances that are compared at the same time: two questions
// each, together no more than an adapter has connections for.
const maxAtOnce = 4

// purse is what an address has of a token.
type purse struct{ contract, address string }

// share is by how much a purse grew.
type share struct {
	left money.Units
	err  error // why the token does not tell: wraps ErrContract
}

// Received replaces what token events of a block claim by what arrived. A token
// can keep a fee, or lie: what counts is by how much the balance of the receiver
// grew between the block's parent and the block. Several movements to one address
// share that in their order, none more than it claims; what got nothing is left
// out. Movements in transactions of ours (own: txid to the fee that it paid) are
// ours to know and stay as they are; movements to addresses for which ours is
// false are not looked at. Errors are the node's: a token that does not answer is
// a Doubt. Where the node fails for one balance, there is no answer at all.
func Received(ctx context.Context, a Adapter, b Block, ours func(address string) bool, own map[string]money.Units) ([]Movement, []Doubt, error) {
	looked := make([]bool, len(b.Movements))
	var purses []purse
	shares := map[purse]*share{}
	for i, m := range b.Movements {
		_, is := own[m.TxID]
		looked[i] = !is && m.Contract != "" && b.Height > 0 && ours(m.To)
		if p := (purse{m.Contract, m.To}); looked[i] && shares[p] == nil {
			shares[p] = &share{}
			purses = append(purses, p)
		}
	}
	if err := growth(ctx, a, b, purses, shares, own); err != nil {
		return nil, nil, err
	}
	var doubts []Doubt
	kept := make([]Movement, 0, len(b.Movements))
	for i, m := range b.Movements {
		if !looked[i] {
			kept = append(kept, m)
			continue
		}
		s := shares[purse{m.Contract, m.To}]
		got := money.Min(m.Amount, s.left)
		s.left = s.left.SubFloor(got)
		if got != m.Amount {
			doubts = append(doubts, Doubt{Claimed: m, Received: got, Err: s.err})
		}
		if m.Amount = got; !got.IsZero() {
			kept = append(kept, m)
		}
	}
	return kept, doubts, nil
}

// growth fills in the share of each purse, maxAtOnce at the same time. The first
// failure of the node ends it.
func growth(ctx context.Context, a Adapter, b Block, purses []purse, shares map[purse]*share, own map[string]money.Units) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(purses), maxAtOnce) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(purses)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				s := shares[purses[i]] // nobody else has this one
				s.left, s.err = Grown(ctx, a, b, purses[i].contract, []string{purses[i].address}, own)
				if s.err != nil && !errors.Is(s.err, ErrContract) {
					cancel(s.err) // the first one counts
				}
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("compare balances: %w", context.Cause(ctx))
	}
	return nil
}

// Grown returns how much of an asset (contract empty: the native one) addresses
// of the house got from outside in a block: what they have after it, less what
// they had after its parent, without what transactions of ours (own: txid to fee)
// moved and paid. Zero where they have less. ErrContract where the token does not
// tell; other errors are the node's.
func Grown(ctx context.Context, a Adapter, b Block, contract string, addresses []string, own map[string]money.Units) (money.Units, error) {
	none := money.Units{}
	before, after, err := balances(ctx, a, b, contract, addresses)
	if err != nil {
		return none, err
	}
	out, in, err := moved(b, contract, addresses, own)
	if err != nil {
		return none, err
	}
	after, err = after.Add(out)
	if err == nil {
		before, err = before.Add(in)
	}
	if err != nil {
		return none, fmt.Errorf("%w: balances beyond any number: %w", ErrContract, err)
	}
	return after.SubFloor(before), nil
}

// balances asks for both balances at the same time: neither depends on the other.
func balances(ctx context.Context, a Adapter, b Block, contract string, addresses []string) (before, after money.Units, err error) {
	var wg sync.WaitGroup
	var afterErr error
	wg.Go(func() {
		after, afterErr = a.Holdings(ctx, Holdings{Contract: contract, Addresses: addresses, At: b.Ref})
	})
	before, err = a.Holdings(ctx, Holdings{Contract: contract, Addresses: addresses, At: Ref{Height: b.Height - 1, Hash: b.Parent}})
	wg.Wait()
	if err != nil {
		return before, after, fmt.Errorf("read balance before block %d: %w", b.Height, err)
	}
	if afterErr != nil {
		return before, after, fmt.Errorf("read balance after block %d: %w", b.Height, afterErr)
	}
	return before, after, nil
}

// moved adds up what transactions of ours took from addresses, fees included, and
// brought to them.
func moved(b Block, contract string, addresses []string, own map[string]money.Units) (out, in money.Units, err error) {
	if len(own) == 0 {
		return out, in, nil
	}
	ours := make(map[string]bool, len(addresses))
	for _, address := range addresses {
		ours[address] = true
	}
	add := func(sum *money.Units, counts bool, amount money.Units) {
		if counts && err == nil {
			*sum, err = sum.Add(amount)
		}
	}
	for _, m := range b.Movements {
		if _, is := own[m.TxID]; is && m.Contract == contract {
			add(&out, ours[m.From], m.Amount)
			add(&in, ours[m.To], m.Amount)
		}
	}
	for _, s := range b.Spends {
		fee, is := own[s.TxID]
		add(&out, is && contract == "" && ours[s.From], fee)
	}
	if err != nil {
		return out, in, fmt.Errorf("%w: amounts beyond any number: %w", ErrContract, err)
	}
	return out, in, nil
}
