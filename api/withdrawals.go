package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"strongroom/assets"
	"strongroom/custody"
	"strongroom/identity"
	"strongroom/money"
)

// Withdrawal is a withdrawal as it stands.
type Withdrawal struct {
	RequestedWithdrawal

	Reason        string    `json:"reason,omitempty" doc:"Where it ended badly or waits"`
	TxID          string    `json:"txid,omitempty" doc:"Newest attempt, or the one that was mined"`
	Height        int64     `json:"height,omitempty" doc:"Of the block that holds it"`
	BlockHash     string    `json:"blockHash,omitempty"`
	Confirmations int64     `json:"confirmations"`
	UpdatedAt     time.Time `json:"updatedAt"`
}

// RequestedWithdrawal is a withdrawal as it was taken: nothing in it changes
// later, so that every answer to one idempotency key is the same, byte for byte.
type RequestedWithdrawal struct {
	ID        string    `json:"id" example:"wdr_019a0000000070008000000000000001"`
	Asset     string    `json:"asset"`
	Chain     string    `json:"chain"`
	To        string    `json:"to" doc:"In canonical form"`
	Amount    string    `json:"amount" doc:"What arrives"`
	Fee       string    `json:"fee" doc:"What the customer pays besides, in the same asset"`
	State     string    `json:"state" doc:"held, screened, awaiting_approval, cooling_off, approved, reserved, signed, broadcast, unknown, confirming, reorged, stuck, replaced, final, posted, rejected, cancelled, expired, blocked, reverted"`
	Version   int64     `json:"version" doc:"Grows with each change of state"`
	CreatedAt time.Time `json:"createdAt"`
}

type newWithdrawalInput struct {
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" pattern:"^[!-~]+$" patternDescription:"1 to 255 visible ASCII characters"`
	Body           struct {
		Asset  string `json:"asset" pattern:"^[A-Z][A-Z0-9]{0,11}$" patternDescription:"an asset code such as BTC"`
		To     string `json:"to" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" patternDescription:"an address in ASCII"`
		Amount string `json:"amount" maxLength:"40" pattern:"^(0|[1-9][0-9]{0,29})(\\.[0-9]{1,18})?$" patternDescription:"a plain decimal string such as 0.05, without sign or exponent"`

		ConfirmDestination bool `json:"confirmDestination,omitempty" doc:"true where the address is meant although it begins and ends like one that you paid or were paid by"`
	}
}

type (
	newWithdrawalOutput struct {
		Replayed string `header:"Idempotency-Replayed" doc:"true where the key was used before with the same request"`
		Body     RequestedWithdrawal
	}
	withdrawalInput struct {
		ID string `path:"id" pattern:"^wdr_[0-9a-f]{32}$" patternDescription:"a withdrawal id: wdr_ and 32 hex digits"`
	}
	withdrawalOutput  struct{ Body Withdrawal }
	withdrawalsOutput struct {
		Body struct {
			Items      []Withdrawal `json:"items" nullable:"false"`
			NextCursor string       `json:"nextCursor,omitempty"`
		}
	}
)

func (s *Server) routeWithdrawals() {
	const tag = "Withdrawals"
	register(s, operation("create-withdrawal", http.MethodPost, "/v1/withdrawals", tag, "Withdraw to an outside address",
		"Amount and fee are held at once. The same Idempotency-Key with the same request gives the same answer and has one effect; with another request it is refused."),
		identity.Withdraw, s.createWithdrawal)
	register(s, operation("list-withdrawals", http.MethodGet, "/v1/withdrawals", tag, "List withdrawals", "Newest first."), identity.Read, s.listWithdrawals)
	register(s, operation("get-withdrawal", http.MethodGet, "/v1/withdrawals/{id}", tag, "Read a withdrawal", ""), identity.Read,
		func(ctx context.Context, in *withdrawalInput) (*withdrawalOutput, error) {
			w, err := s.cfg.WithdrawalLog.Withdrawal(ctx, principal(ctx).Customer, in.ID)
			return s.showWithdrawal(ctx, w, err)
		})
	op := operation("cancel-withdrawal", http.MethodPost, "/v1/withdrawals/{id}/cancel", tag, "Cancel a withdrawal",
		"Possible until it is signed; what was held is released.")
	op.DefaultStatus = http.StatusOK
	register(s, op, identity.Withdraw, func(ctx context.Context, in *withdrawalInput) (*withdrawalOutput, error) {
		w, err := s.cfg.Withdrawals.CancelWithdrawal(ctx, principal(ctx).Customer, in.ID)
		return s.showWithdrawal(ctx, w, err)
	})
}

func (s *Server) createWithdrawal(ctx context.Context, in *newWithdrawalInput) (*newWithdrawalOutput, error) {
	p := principal(ctx)
	if p.State == identity.Frozen {
		return nil, newProblem(codeFrozen, "the operator has frozen this customer")
	}
	a, err := s.cfg.Assets.ByCode(ctx, in.Body.Asset)
	if isNoAsset(err) {
		return nil, s.noAsset(ctx, in.Body.Asset)
	}
	if err != nil {
		return nil, err
	}
	units, err := a.Money().Parse(in.Body.Amount)
	if err == nil && units.IsZero() {
		err = errors.New("is zero")
	}
	if err != nil {
		return nil, badAmount(a, err)
	}
	if err := s.cfg.Gate.Check(ctx); err != nil {
		trailOf(ctx).cause = err
		return nil, newProblem(codeUnavailable, "withdrawals are not taken now: a part of the platform is down; nothing was held")
	}
	w, repeated, err := s.cfg.Withdrawals.CreateWithdrawal(ctx, custody.WithdrawalRequest{
		Customer: p.Customer, IdempotencyKey: in.IdempotencyKey, RequestHash: hashRequest(a.Code, in.Body.To, units),
		Asset: a.Code, To: in.Body.To, Amount: units, ConfirmDestination: in.Body.ConfirmDestination,
	})
	if errors.Is(err, custody.ErrAmount) {
		return nil, badAmount(a, err)
	}
	if err != nil {
		return nil, err
	}
	out := &newWithdrawalOutput{Body: asTaken(w, a.Money())}
	if repeated {
		out.Replayed = "true"
	}
	return out, nil
}

// hashRequest is the content that an idempotency key stands for: what is asked,
// not how it was spelled.
func hashRequest(asset, to string, units money.Units) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join([]string{"withdrawal", asset, to, units.String()}, "\n")))
}

// asTaken shows a withdrawal as it was when its request was taken.
func asTaken(w custody.Withdrawal, a money.Asset) RequestedWithdrawal {
	return RequestedWithdrawal{
		ID: w.ID, Asset: w.Asset, Chain: string(w.Chain), To: w.To, Amount: a.Format(w.Amount), Fee: a.Format(w.Fee),
		State: string(custody.WithdrawalHeld), Version: 1, CreatedAt: w.CreatedAt,
	}
}

func withdrawalOf(w custody.Withdrawal, format func(string, money.Units) string) Withdrawal {
	out := Withdrawal{
		RequestedWithdrawal: RequestedWithdrawal{
			ID: w.ID, Asset: w.Asset, Chain: string(w.Chain), To: w.To, Amount: format(w.Asset, w.Amount), Fee: format(w.Asset, w.Fee),
			State: string(w.State), Version: int64(w.Version), CreatedAt: w.CreatedAt, //nolint:gosec // a count of changes fits
		},
		Reason: w.Reason, TxID: w.TxID, BlockHash: w.Block.Hash, UpdatedAt: w.UpdatedAt,
	}
	out.Height, out.Confirmations = int64(w.Block.Height), int64(w.Confirmations) //nolint:gosec // heights fit
	return out
}

func (s *Server) showWithdrawal(ctx context.Context, w custody.Withdrawal, err error) (*withdrawalOutput, error) {
	if err != nil {
		return nil, err
	}
	format, err := s.formats(ctx)
	if err != nil {
		return nil, err
	}
	return &withdrawalOutput{withdrawalOf(w, format)}, nil
}

func (s *Server) listWithdrawals(ctx context.Context, in *Page) (*withdrawalsOutput, error) {
	customer := principal(ctx).Customer
	scope := scopeOf("withdrawals", customer)
	cursor, err := s.cursors.open(scope, in.Cursor)
	if err != nil {
		return nil, err
	}
	format, err := s.formats(ctx)
	if err != nil {
		return nil, err
	}
	list, next, err := s.cfg.WithdrawalLog.Withdrawals(ctx, customer, cursor, in.limit())
	if err != nil {
		return nil, err
	}
	out := &withdrawalsOutput{}
	out.Body.NextCursor = s.cursors.seal(scope, next)
	out.Body.Items = make([]Withdrawal, len(list))
	for i, w := range list {
		out.Body.Items[i] = withdrawalOf(w, format)
	}
	return out, nil
}

// badAmount names the bounds of the asset.
func badAmount(a assets.Asset, err error) *Problem {
	fix := fmt.Sprintf("send at least %s %s, with at most %d decimals", a.Money().Format(a.MinWithdrawal), a.Code, a.Scale)
	return newProblem(codeAmount, "body.amount: "+err.Error(), FieldProblem{"body.amount", err.Error(), fix})
}

func isNoAsset(err error) bool { return errors.Is(err, assets.ErrNotFound) }

// noAsset names the assets that there are.
func (s *Server) noAsset(ctx context.Context, code string) error {
	list, err := s.cfg.Assets.All(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(list))
	for i, a := range list {
		names[i] = a.Code
	}
	return newProblem(codeAsset, "body.asset: "+code+" is not an asset of this platform",
		FieldProblem{"body.asset", "is not an asset of this platform", "use one of " + strings.Join(names, ", ")})
}
