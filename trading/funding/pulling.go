package funding

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"strongroom/custody"
	"strongroom/ledger"
	"strongroom/matching/settle"
	"strongroom/money"
	"strongroom/trading"
)

// Withdrawals takes and cancels withdrawals; a *custodydb.Store does.
type Withdrawals interface {
	CreateWithdrawal(ctx context.Context, r custody.WithdrawalRequest) (w custody.Withdrawal, repeated bool, err error)
	CancelWithdrawal(ctx context.Context, customer, id string) (custody.Withdrawal, error)
}

// Balances tells what a customer may trade with; package trading/desk does.
type Balances interface {
	Balances(ctx context.Context, customer string) (list []trading.Balance, seq uint64, err error)
}

// Assets knows what a withdrawal costs.
type Assets interface {
	AssetByCode(code string) (custody.AssetInfo, bool)
}

// PullingConfig holds the collaborators of a Pulling; all are needed but Wait.
type PullingConfig struct {
	Store       *Store
	Withdrawals Withdrawals
	Balances    Balances
	Assets      Assets
	// Wait is how long a request waits for what it pulls; 8 s where zero.
	Wait time.Duration
}

// Pulling takes withdrawals, and pulls from trading what one lacks, by a transfer that
// belongs to its idempotency key. It is safe for concurrent use.
type Pulling struct {
	Withdrawals

	cfg PullingConfig
}

const (
	defaultWait = 8 * time.Second
	// maxPulls bounds the transfers that belong to one idempotency key: each but the last
	// was refused, or something else took what it brought.
	maxPulls = 16
	// maxTries bounds how often one request tries to withdraw.
	maxTries = 4
)

// NewPulling returns a Pulling.
func NewPulling(cfg PullingConfig) (*Pulling, error) {
	if cfg.Store == nil || cfg.Withdrawals == nil || cfg.Balances == nil || cfg.Assets == nil {
		return nil, errors.New("funding: pulling lacks a store, withdrawals, balances or assets")
	}
	if cfg.Wait <= 0 {
		cfg.Wait = defaultWait
	}
	return &Pulling{Withdrawals: cfg.Withdrawals, cfg: cfg}, nil
}

// CreateWithdrawal takes a withdrawal. Where funding does not cover it and the rest is
// available in trading, that is moved over first: the same request again goes on where
// this one ended, and nothing happens twice. Errors: those of the withdrawals, as they
// are where trading does not cover the rest either; trading.ErrUnavailable while the
// money is still on its way.
func (p *Pulling) CreateWithdrawal(ctx context.Context, r custody.WithdrawalRequest) (w custody.Withdrawal, repeated bool, err error) {
	ended := 0 // transfers of this key that had ended before we tried
	for range maxTries {
		w, repeated, err = p.Withdrawals.CreateWithdrawal(ctx, r)
		if !errors.Is(err, custody.ErrInsufficient) && !errors.Is(err, ledger.ErrInsufficient) {
			return w, repeated, err
		}
		pulled, failed := p.pull(ctx, r, &ended)
		if failed != nil {
			return custody.Withdrawal{}, false, failed
		}
		if !pulled {
			return w, repeated, err
		}
	}
	return w, repeated, err
}

// pull moves what a withdrawal lacks. It reports whether trying again is worth it: money
// has come since the transfers that had ended were counted, which it does anew.
func (p *Pulling) pull(ctx context.Context, r custody.WithdrawalRequest, ended *int) (bool, error) {
	came := false
	for n := 1; n <= maxPulls; n++ {
		t, err := p.cfg.Store.Transfer(ctx, r.Customer, ID(r.Customer, pullKey(r, n)))
		switch {
		case errors.Is(err, trading.ErrNotFound) && came:
			return true, nil // what the same request pulled at once, perhaps: try before more is pulled
		case errors.Is(err, trading.ErrNotFound):
			return p.more(ctx, r, pullKey(r, n))
		case err != nil:
			return false, err
		case t.State == trading.TransferPending:
			return p.await(ctx, t)
		}
		came = came || t.State == trading.TransferDone && n > *ended
		*ended = max(*ended, n)
	}
	return came, nil
}

// more begins the transfer of what a withdrawal lacks, and waits for it.
func (p *Pulling) more(ctx context.Context, r custody.WithdrawalRequest, key string) (bool, error) {
	missing, err := p.missing(ctx, r)
	if err != nil || missing.IsZero() {
		return err == nil, err // somebody paid meanwhile
	}
	t, err := p.begin(ctx, r, key, missing)
	if err != nil || t.ID == "" {
		return false, err
	}
	return p.await(ctx, t)
}

// pullKey is the key of the n-th transfer of a withdrawal. No idempotency key has a
// space.
func pullKey(r custody.WithdrawalRequest, n int) string {
	key := "withdrawal/" + r.IdempotencyKey
	if n > 1 {
		key += " " + strconv.Itoa(n)
	}
	return key
}

// await waits for the end of a transfer, and reports whether it brought money.
// trading.ErrUnavailable where that takes longer.
func (p *Pulling) await(ctx context.Context, t trading.Transfer) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, p.cfg.Wait)
	defer cancel()
	t, err := p.cfg.Store.Await(limited, t.Customer, t.ID)
	if err == nil && t.State == trading.TransferPending {
		err = fmt.Errorf("pull %s %s from trading: %w", t.Amount, t.Asset, trading.ErrUnavailable)
	}
	return t.State == trading.TransferDone, err
}

// begin makes the transfer of what a withdrawal lacks, where trading has that; else it
// returns an empty one.
func (p *Pulling) begin(ctx context.Context, r custody.WithdrawalRequest, key string, missing money.Units) (trading.Transfer, error) {
	if covered, err := p.covered(ctx, r, missing); err != nil || !covered {
		return trading.Transfer{}, err
	}
	t, _, err := p.cfg.Store.CreateTransfer(ctx, trading.NewTransfer{
		Customer: r.Customer, Key: key, Asset: r.Asset, Amount: missing, Direction: trading.ToFunding,
	})
	if errors.Is(err, trading.ErrIdempotency) { // the same request at once saw other funds: its transfer is ours
		return p.cfg.Store.Transfer(ctx, r.Customer, ID(r.Customer, key))
	}
	if _, refused := errors.AsType[*trading.Refusal](err); refused {
		return trading.Transfer{}, nil // of an asset that is not traded, say: the withdrawal's own error says enough
	}
	return t, err
}

// missing is what funding lacks of a withdrawal and its fee; zero where it lacks nothing
// by now.
func (p *Pulling) missing(ctx context.Context, r custody.WithdrawalRequest) (money.Units, error) {
	info, known := p.cfg.Assets.AssetByCode(r.Asset)
	if !known {
		return money.Units{}, fmt.Errorf("asset %.32q: %w", r.Asset, custody.ErrAsset)
	}
	needed, err := r.Amount.Add(info.WithdrawalFee)
	if err != nil {
		return money.Units{}, fmt.Errorf("%w: too large", custody.ErrAmount)
	}
	have, err := p.available(ctx, custody.FundingAccount(r.Customer, r.Asset))
	return needed.SubFloor(have), err
}

func (p *Pulling) available(ctx context.Context, account ledger.AccountID) (money.Units, error) {
	b, err := p.cfg.Store.cfg.Ledger.Balance(ctx, account)
	if errors.Is(err, ledger.ErrAccountUnknown) {
		return money.Units{}, nil
	}
	if err != nil {
		return money.Units{}, fmt.Errorf("read %s: %w", account, err)
	}
	return b.Available(), nil
}

// covered tells whether trading has an amount to spare. Where matching cannot say, the
// ledger can at least say that it has not.
func (p *Pulling) covered(ctx context.Context, r custody.WithdrawalRequest, amount money.Units) (bool, error) {
	list, _, err := p.cfg.Balances.Balances(ctx, r.Customer)
	if err == nil {
		for _, b := range list {
			if b.Asset == r.Asset {
				return !b.Available.Less(amount), nil
			}
		}
		return false, nil
	}
	booked, failed := p.available(ctx, settle.TradingAccount(p.cfg.Store.cfg.Shard, r.Customer, r.Asset))
	if failed != nil || booked.Less(amount) {
		return false, failed
	}
	return false, fmt.Errorf("%w: %w", trading.ErrUnavailable, err)
}
