package funding

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"strongroom/ledger"
	"strongroom/matching/settle"
	"strongroom/trading"
)

// maxKey bounds the key of a transfer, in bytes.
const maxKey = 300

// idBytes is how much of a hash an id holds: the engine's key.
const idBytes = 16

// ID is the transfer that a customer means by a key.
func ID(customer, key string) string {
	sum := sha256.Sum256([]byte("transfer\x00" + customer + "\x00" + key))
	return "fnd_" + hex.EncodeToString(sum[:idBytes])
}

// CreateTransfer implements trading.Transfers. To trading, the ledger has booked the
// amount when it returns; to funding, nothing has moved yet. Further errors:
// *trading.Refusal of the fields "key", "asset", "amount" and "direction"; what the guard
// refuses with.
func (s *Store) CreateTransfer(ctx context.Context, n trading.NewTransfer) (t trading.Transfer, repeated bool, err error) {
	return s.create(ctx, n)
}

// create takes a transfer in, with rows that join its own.
func (s *Store) create(ctx context.Context, n trading.NewTransfer, with ...ledger.Attachment) (t trading.Transfer, repeated bool, err error) {
	if err := s.check(n); err != nil {
		return t, false, err
	}
	id := ID(n.Customer, n.Key)
	if t, err = s.earlier(ctx, id, n); !errors.Is(err, trading.ErrNotFound) {
		return t, err == nil, err
	}
	var ours atomic.Bool // attachments may run in the ledger's goroutine after we have gone
	request := func(ctx context.Context, tx pgx.Tx) error {
		fresh, err := s.insert(ctx, tx, id, n)
		if err != nil || !fresh {
			return err
		}
		ours.Store(true)
		return s.cfg.Start(ctx, tx, id)
	}
	move := settle.Transfer{ID: id, Shard: s.cfg.Shard, Customer: n.Customer, Asset: n.Asset, Amount: n.Amount}
	book := s.transfers.Credit
	if n.Direction == trading.ToFunding {
		book = s.transfers.Announce
	}
	failed := book(ctx, move, append([]ledger.Attachment{request}, with...)...)
	// Another request with this key may have been faster, or only our answer was lost.
	t, err = s.earlier(ctx, id, n)
	switch {
	case err == nil:
		return t, !ours.Load(), nil
	case failed == nil || errors.Is(err, trading.ErrIdempotency):
		return trading.Transfer{}, false, err
	case errors.Is(failed, ledger.ErrAccountUnknown): // who has no account has no money
		return trading.Transfer{}, false, fmt.Errorf("%w: %w", ledger.ErrInsufficient, failed)
	}
	return trading.Transfer{}, false, failed
}

// check says what is wrong with a request.
func (s *Store) check(n trading.NewTransfer) error {
	_, over := settle.AmountOf(n.Amount)
	switch {
	case n.Customer == "":
		return errors.New("create transfer: of nobody")
	case n.Key == "" || len(n.Key) > maxKey || strings.ContainsFunc(n.Key, func(r rune) bool { return r < ' ' || r > '~' }):
		return &trading.Refusal{
			Code: "invalid_key", Field: "key", Text: "the key of a transfer is missing, too long or not printable",
			Fix: fmt.Sprintf("1 to %d printable ASCII characters", maxKey),
		}
	case n.Direction != trading.ToTrading && n.Direction != trading.ToFunding:
		return &trading.Refusal{
			Code: "invalid_direction", Field: "direction", Text: fmt.Sprintf("%.20q is no direction", n.Direction),
			Fix: fmt.Sprintf("%s or %s", trading.ToTrading, trading.ToFunding),
		}
	case !slices.Contains(s.cfg.Assets, n.Asset):
		return &trading.Refusal{
			Code: "unknown_asset", Field: "asset", Text: fmt.Sprintf("%.20q is not traded here", n.Asset), Fix: strings.Join(s.cfg.Assets, ", "),
		}
	case n.Amount.IsZero() || over != nil:
		return &trading.Refusal{Code: "bad_amount", Field: "amount", Text: "the amount is zero or too large", Fix: "from 1 to below 2^128 base units"}
	}
	return nil
}

// insert adds the row of a request, where nothing is against it; fresh is false where it
// is there.
func (s *Store) insert(ctx context.Context, tx pgx.Tx, id string, n trading.NewTransfer) (fresh bool, err error) {
	if s.cfg.Guard != nil && n.Direction == trading.ToTrading {
		if err := s.cfg.Guard(ctx, tx, n.Customer); err != nil {
			return false, err
		}
	}
	tag, err := tx.Exec(ctx, `INSERT INTO funding.request (id, customer, key, asset, amount, direction, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (id) DO NOTHING`, id, n.Customer, n.Key, n.Asset, n.Amount, n.Direction, s.cfg.Clock())
	if err != nil {
		return false, fmt.Errorf("insert request %s: %w", id, err)
	}
	return tag.RowsAffected() == 1, nil
}

// earlier returns the transfer that was taken under an id: trading.ErrNotFound where
// there is none, trading.ErrIdempotency where it is another one.
func (s *Store) earlier(ctx context.Context, id string, n trading.NewTransfer) (trading.Transfer, error) {
	t, err := s.load(ctx, id)
	if err != nil {
		return t, err
	}
	if t.Customer != n.Customer || t.Asset != n.Asset || t.Amount != n.Amount || t.Direction != n.Direction {
		return trading.Transfer{}, fmt.Errorf("transfer of %s %s under key %.80q: %w", n.Amount, n.Asset, n.Key, trading.ErrIdempotency)
	}
	return t, nil
}
