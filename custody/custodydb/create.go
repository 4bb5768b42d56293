package custodydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
	"strongroom/internal/crash"
	"strongroom/internal/id"
	"strongroom/internal/planted"
	"strongroom/ledger"
	"strongroom/money"
)

// maxKeyLength bounds an idempotency key, in bytes.
const maxKeyLength = 128

// errKeyUsed ends an attempt to create what was created meanwhile.
var errKeyUsed = errors.New("idempotency key was used meanwhile")

// CreateWithdrawal records a customer's order and holds amount and fee, in one
// transaction with its idempotency key, its use of the limit and the message that
// starts its workflow. The same request again answers with the same withdrawal,
// as it was then, and repeated set.
//
// Errors: custody.ErrAsset, ErrAmount, ErrDestination, ErrFrozen, ErrLimit,
// ErrInsufficient, ErrIdempotency. Where it refuses, nothing is held or written.
func (s *Store) CreateWithdrawal(ctx context.Context, req custody.WithdrawalRequest) (w custody.Withdrawal, repeated bool, err error) {
	if req.Customer == "" || req.IdempotencyKey == "" || len(req.IdempotencyKey) > maxKeyLength {
		return w, false, fmt.Errorf("create withdrawal: customer or key missing, or key too long: %w", custody.ErrIdempotency)
	}
	if w, err = s.earlier(ctx, req); !errors.Is(err, custody.ErrNotFound) {
		return w, err == nil, err
	}
	asset, w, err := s.draft(ctx, req)
	if err != nil {
		return custody.Withdrawal{}, false, err
	}
	if err := s.hold(ctx, req, asset, w); err != nil {
		// Another request with this key may have taken the funds: its answer is ours.
		if first, readErr := s.earlier(ctx, req); !errors.Is(readErr, custody.ErrNotFound) {
			return first, readErr == nil, readErr
		}
		return custody.Withdrawal{}, false, refusal(err)
	}
	return w, false, nil
}

// draft checks all that can be checked without taking anything.
func (s *Store) draft(ctx context.Context, req custody.WithdrawalRequest) (custody.AssetInfo, custody.Withdrawal, error) {
	var none custody.Withdrawal
	asset, ok := s.cfg.Assets.AssetByCode(req.Asset)
	if !ok || asset.State != custody.AssetListed {
		return asset, none, fmt.Errorf("asset %.32q: %w", req.Asset, custody.ErrAsset)
	}
	adapter, ok := s.cfg.Adapters[asset.Chain]
	if !ok {
		return asset, none, fmt.Errorf("chain %s of asset %s is not served: %w", asset.Chain, asset.Code, custody.ErrAsset)
	}
	least := asset.MinWithdrawal
	if asset.IsNative() && least.Less(adapter.Dust()) {
		least = adapter.Dust()
	}
	if req.Amount.IsZero() || req.Amount.Less(least) {
		return asset, none, fmt.Errorf("%w: the least is %s %s", custody.ErrAmount, asset.Format(least), asset.Code)
	}
	if _, err := req.Amount.Add(asset.WithdrawalFee); err != nil {
		return asset, none, fmt.Errorf("%w: too large", custody.ErrAmount)
	}
	to, err := adapter.ParseAddress(req.To)
	if err != nil {
		return asset, none, fmt.Errorf("%w: %w", custody.ErrDestination, err)
	}
	now := s.now()
	w := custody.Withdrawal{
		ID: id.New("wdr"), Customer: req.Customer, Asset: asset.Code, Chain: asset.Chain, To: to,
		Amount: req.Amount, Fee: asset.WithdrawalFee, State: custody.WithdrawalHeld, Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.screen(ctx, s.pool, w); err != nil || req.ConfirmDestination {
		return asset, w, err
	}
	return asset, w, s.lookAlike(ctx, w)
}

// screen returns why a withdrawal must not be paid: custody.ErrDestination or
// custody.ErrFrozen. The reasons may change at any time before it is reserved.
func (s *Store) screen(ctx context.Context, q queryer, w custody.Withdrawal) error {
	var own, blocked, frozen bool
	err := q.QueryRow(ctx, `SELECT
		EXISTS (SELECT FROM custody.address WHERE chain = $1 AND address = $2),
		EXISTS (SELECT FROM custody.blocked_address WHERE chain = $1 AND address = $2),
		EXISTS (SELECT FROM custody.frozen WHERE customer = $3)`, w.Chain, w.To, w.Customer).Scan(&own, &blocked, &frozen)
	switch {
	case err != nil:
		return fmt.Errorf("screen withdrawal: %w", err)
	case own:
		return fmt.Errorf("%w: it is an address of this platform", custody.ErrDestination)
	case blocked:
		return fmt.Errorf("%w: payments to it are refused", custody.ErrDestination)
	case frozen:
		return custody.ErrFrozen
	}
	return nil
}

// hold books the hold and writes the rows that go with it.
func (s *Store) hold(ctx context.Context, req custody.WithdrawalRequest, asset custody.AssetInfo, w custody.Withdrawal) error {
	if err := s.openHouse(ctx, asset); err != nil {
		return err
	}
	_, err := s.cfg.Ledger.Post(ctx, holdTransaction(w), func(ctx context.Context, tx pgx.Tx) error {
		if err := lockCustomer(ctx, tx, w.Customer); err != nil {
			return err
		}
		if claimed, err := s.claimKey(ctx, tx, req, w.ID); err != nil {
			return err
		} else if !claimed && !planted.Live(planted.Unguarded) {
			return errKeyUsed
		}
		if err := s.screen(ctx, tx, w); err != nil {
			return err
		}
		if err := s.useLimit(ctx, tx, w, asset.DailyLimit); err != nil {
			return err
		}
		if err := s.insertWithdrawal(ctx, tx, asset, w); err != nil {
			return err
		}
		crash.At(crash.HoldBefore)
		return nil
	})
	if err != nil {
		return fmt.Errorf("hold %s: %w", w.ID, err)
	}
	crash.At(crash.HoldAfter)
	return nil
}

func (s *Store) insertWithdrawal(ctx context.Context, tx pgx.Tx, asset custody.AssetInfo, w custody.Withdrawal) error {
	hash := s.IntentOf(w, asset).Hash()
	_, err := tx.Exec(ctx, `INSERT INTO custody.withdrawal
		(id, customer, asset, chain, destination, amount, fee, state, version, payload_hash, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)`,
		w.ID, w.Customer, w.Asset, w.Chain, w.To, w.Amount, w.Fee, w.State, w.Version, hash[:], w.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert withdrawal: %w", err)
	}
	start := OutboxRow{Key: w.ID + "/start", Topic: TopicWithdrawal, Kind: KindStart, Subject: w.ID}
	if err := PutOutbox(ctx, tx, start); err != nil {
		return err
	}
	return s.PutEvent(ctx, tx, w.Customer, "withdrawal."+string(w.State), w.ID, w)
}

// IntentOf returns what a withdrawal means to do, in canonical form.
func (s *Store) IntentOf(w custody.Withdrawal, asset custody.AssetInfo) custody.Intent {
	return custody.Intent{
		Environment: s.cfg.Environment, ID: w.ID, Kind: custody.IntentWithdrawal, Chain: w.Chain,
		Asset: w.Asset, Contract: asset.Contract, To: w.To, Amount: w.Amount,
	}
}

// refusal names a ledger's refusal in custody's words.
func refusal(err error) error {
	if errors.Is(err, ledger.ErrInsufficient) || errors.Is(err, ledger.ErrAccountUnknown) {
		return fmt.Errorf("%w: %w", custody.ErrInsufficient, err)
	}
	return err
}

// holdTransaction takes amount and fee out of what the customer may use.
func holdTransaction(w custody.Withdrawal) ledger.Transaction {
	tx := ledger.Transaction{ID: bookID(w.ID, "hold"), Metadata: map[string]string{"withdrawal": w.ID}}
	leg := func(name string, to ledger.AccountID, amount money.Units) {
		tx.Legs = append(tx.Legs, ledger.Transfer{
			ID: transferID(w.ID, "hold", name), Kind: ledger.Pending,
			Debit: custody.FundingAccount(w.Customer, w.Asset), Credit: to, Amount: amount,
		})
	}
	leg("amount", custody.ClearingAccount(w.Chain, w.Asset), w.Amount)
	if !w.Fee.IsZero() {
		leg("fee", custody.WithdrawalFeesAccount(w.Asset), w.Fee)
	}
	return tx
}
