package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"strongroom/identity"
	"strongroom/money"
	"strongroom/trading"
)

// Transfer is a move of money between funding and trading.
type Transfer struct {
	ID        string    `json:"id" example:"fnd_019a0000000070008000000000000001"`
	Asset     string    `json:"asset"`
	Amount    string    `json:"amount"`
	Direction string    `json:"direction" enum:"to_trading,to_funding"`
	State     string    `json:"state" enum:"pending,done,refused"`
	Reason    string    `json:"reason,omitempty" doc:"Why it was refused; what was booked is back"`
	CreatedAt time.Time `json:"createdAt"`
}

func transferOf(t *trading.Transfer, format func(string, money.Units) string) Transfer {
	return Transfer{
		ID: t.ID, Asset: t.Asset, Amount: format(t.Asset, t.Amount), Direction: string(t.Direction), State: string(t.State),
		Reason: t.Reason, CreatedAt: t.CreatedAt,
	}
}

func tradingBalancesOf(list []trading.Balance, format func(string, money.Units) string) []TradingBalance {
	out := make([]TradingBalance, len(list))
	for i, b := range list {
		out[i] = TradingBalance{Asset: b.Asset, Available: format(b.Asset, b.Available), Reserved: format(b.Asset, b.Reserved)}
	}
	return out
}

// Preferences are how a customer wants it.
type Preferences struct {
	DepositsToTrading bool `json:"depositsToTrading" doc:"Deposits flow on to trading once they may be withdrawn"`
}

type (
	newTransferInput struct {
		IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" pattern:"^[!-~]+$" patternDescription:"1 to 255 visible ASCII characters"`
		Body           struct {
			Asset     string `json:"asset" pattern:"^[A-Z][A-Z0-9]{0,11}$" patternDescription:"an asset code such as BTC"`
			Amount    string `json:"amount" maxLength:"40" pattern:"^(0|[1-9][0-9]{0,29})(\\.[0-9]{1,18})?$" patternDescription:"a plain decimal string such as 0.05, without sign or exponent"`
			Direction string `json:"direction" enum:"to_trading,to_funding"`
		}
	}
	newTransferOutput struct {
		Replayed string `header:"Idempotency-Replayed" doc:"true where the key was used before with the same request"`
		Body     Transfer
	}
	transferInput struct {
		ID string `path:"id" pattern:"^fnd_[0-9a-f]{32}$" patternDescription:"a transfer id: fnd_ and 32 hex digits"`
	}
	transferOutput  struct{ Body Transfer }
	transfersOutput struct {
		Body struct {
			Items      []Transfer `json:"items" nullable:"false"`
			NextCursor string     `json:"nextCursor,omitempty"`
		}
	}
	preferencesInput  struct{ Body Preferences }
	preferencesOutput struct{ Body Preferences }
)

func (s *Server) routeTransfers() {
	const tag = "Transfers"
	register(s, operation("create-transfer", http.MethodPost, "/v1/transfers", tag, "Move money to trading or back",
		"The same Idempotency-Key with the same request is the same transfer; with another request it is refused. Read it until its state is done or refused."),
		identity.Trade, s.createTransfer)
	register(s, operation("list-transfers", http.MethodGet, "/v1/transfers", tag, "List transfers", "Newest first."), identity.Read, s.listTransfers)
	register(s, operation("get-transfer", http.MethodGet, "/v1/transfers/{id}", tag, "Read a transfer", ""), identity.Read,
		func(ctx context.Context, in *transferInput) (*transferOutput, error) {
			t, err := s.cfg.Trading.Transfers.Transfer(ctx, principal(ctx).Customer, in.ID)
			if err != nil {
				return nil, err
			}
			format, err := s.formats(ctx)
			if err != nil {
				return nil, err
			}
			return &transferOutput{transferOf(&t, format)}, nil
		})
	const path = "/v1/trading/preferences"
	register(s, operation("get-trading-preferences", http.MethodGet, path, tag, "Read preferences", ""), identity.Read,
		func(ctx context.Context, _ *struct{}) (*preferencesOutput, error) {
			on, err := s.cfg.Trading.Transfers.Preference(ctx, principal(ctx).Customer)
			if err != nil {
				return nil, err
			}
			return &preferencesOutput{Preferences{DepositsToTrading: on}}, nil
		})
	register(s, operation("set-trading-preferences", http.MethodPut, path, tag, "Set preferences", ""), identity.Trade,
		func(ctx context.Context, in *preferencesInput) (*preferencesOutput, error) {
			if err := s.cfg.Trading.Transfers.SetPreference(ctx, principal(ctx).Customer, in.Body.DepositsToTrading); err != nil {
				return nil, err
			}
			return &preferencesOutput{in.Body}, nil
		})
}

func (s *Server) createTransfer(ctx context.Context, in *newTransferInput) (*newTransferOutput, error) {
	p := principal(ctx)
	if err := mayTrade(p); err != nil {
		return nil, err
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
		return nil, newProblem(codeAmount, "body.amount: "+err.Error(), FieldProblem{"body.amount", err.Error(), "send an amount above zero within the asset's decimals"})
	}
	if err := s.cfg.Gate.Check(ctx); err != nil {
		trailOf(ctx).cause = err
		return nil, newProblem(codeUnavailable, "transfers are not taken now: a part of the platform is down; nothing was moved")
	}
	t, repeated, err := s.cfg.Trading.Transfers.CreateTransfer(ctx, trading.NewTransfer{
		Customer: p.Customer, Key: in.IdempotencyKey, Asset: a.Code, Amount: units, Direction: trading.Direction(in.Body.Direction),
	})
	if err != nil {
		return nil, err
	}
	out := &newTransferOutput{Body: transferOf(&t, func(_ string, u money.Units) string { return a.Money().Format(u) })}
	if repeated {
		out.Replayed = "true"
	}
	return out, nil
}

func (s *Server) listTransfers(ctx context.Context, in *Page) (*transfersOutput, error) {
	customer := principal(ctx).Customer
	scope := scopeOf("transfers", customer)
	cursor, err := s.cursors.open(scope, in.Cursor)
	if err != nil {
		return nil, err
	}
	format, err := s.formats(ctx)
	if err != nil {
		return nil, err
	}
	list, next, err := s.cfg.Trading.Transfers.Transfers(ctx, customer, cursor, in.limit())
	if err != nil {
		return nil, err
	}
	out := &transfersOutput{}
	out.Body.NextCursor = s.cursors.seal(scope, next)
	out.Body.Items = make([]Transfer, len(list))
	for i := range list {
		out.Body.Items[i] = transferOf(&list[i], format)
	}
	return out, nil
}
