package api

import (
	"context"
	"net/http"
	"time"

	"strongroom/custody"
	"strongroom/identity"
	"strongroom/money"
)

// DepositAddress is where a customer's deposits of one asset go.
type DepositAddress struct {
	Asset     string    `json:"asset"`
	Chain     string    `json:"chain"`
	Address   string    `json:"address"`
	CreatedAt time.Time `json:"createdAt"`
}

// Deposit is one arrival at a customer's address.
type Deposit struct {
	ID        string    `json:"id" example:"dep_019a0000000070008000000000000001"`
	Asset     string    `json:"asset"`
	Chain     string    `json:"chain"`
	Address   string    `json:"address"`
	TxID      string    `json:"txid"`
	Index     int64     `json:"index" doc:"Output number; for a token, its log counted within the transaction"`
	Amount    string    `json:"amount"`
	State     string    `json:"state" doc:"seen, confirming, credited, withdrawable, dust_held, quarantined, released, refunding, refunded, reorged, debited, suspense"`
	Height    int64     `json:"height" doc:"Of the block"`
	BlockHash string    `json:"blockHash"`
	Canonical bool      `json:"canonical" doc:"The block is on the chain as we see it"`
	SeenAt    time.Time `json:"seenAt"`
	UpdatedAt time.Time `json:"updatedAt"`
}

type newAddressInput struct {
	Body struct {
		Asset string `json:"asset" pattern:"^[A-Z][A-Z0-9]{0,11}$" patternDescription:"an asset code such as BTC"`
	}
}

type (
	addressOutput struct{ Body DepositAddress }
	depositOutput struct{ Body Deposit }
	depositInput  struct {
		ID string `path:"id" pattern:"^dep_[0-9a-f]{32}$" patternDescription:"a deposit id: dep_ and 32 hex digits"`
	}
	depositsOutput struct {
		Body struct {
			Items      []Deposit `json:"items" nullable:"false"`
			NextCursor string    `json:"nextCursor,omitempty"`
		}
	}
)

func (s *Server) routeAddresses() {
	op := operation("create-deposit-address", http.MethodPost, "/v1/deposit-addresses", "Deposits", "Ask for the deposit address of an asset",
		"There is one per customer and asset; asking again gives the same.")
	op.DefaultStatus = http.StatusOK
	register(s, op, identity.Read, s.depositAddress)
}

func (s *Server) depositAddress(ctx context.Context, in *newAddressInput) (*addressOutput, error) {
	a, err := s.cfg.Assets.ByCode(ctx, in.Body.Asset)
	if isNoAsset(err) {
		return nil, s.noAsset(ctx, in.Body.Asset)
	}
	if err != nil {
		return nil, err
	}
	if !a.Accepts() {
		return nil, newProblem(codeAsset, "deposits of "+a.Code+" are suspended",
			FieldProblem{"body.asset", "deposits are suspended", "wait until GET /v1/assets/" + a.Code + " says otherwise"})
	}
	d, err := s.cfg.Addresses.DepositAddress(ctx, principal(ctx).Customer, a.Code)
	if err != nil {
		return nil, err
	}
	return &addressOutput{DepositAddress{Asset: d.Asset, Chain: string(d.Chain), Address: d.Address, CreatedAt: d.CreatedAt}}, nil
}

func (s *Server) routeDeposits() {
	register(s, operation("list-deposits", http.MethodGet, "/v1/deposits", "Deposits", "List deposits", "Newest first."), identity.Read, s.listDeposits)
	register(s, operation("get-deposit", http.MethodGet, "/v1/deposits/{id}", "Deposits", "Read a deposit", ""), identity.Read,
		func(ctx context.Context, in *depositInput) (*depositOutput, error) {
			format, err := s.formats(ctx)
			if err != nil {
				return nil, err
			}
			d, err := s.cfg.Deposits.Deposit(ctx, principal(ctx).Customer, in.ID)
			if err != nil {
				return nil, err
			}
			return &depositOutput{depositOf(d, format)}, nil
		})
}

func (s *Server) listDeposits(ctx context.Context, in *Page) (*depositsOutput, error) {
	customer := principal(ctx).Customer
	scope := scopeOf("deposits", customer)
	cursor, err := s.cursors.open(scope, in.Cursor)
	if err != nil {
		return nil, err
	}
	format, err := s.formats(ctx)
	if err != nil {
		return nil, err
	}
	list, next, err := s.cfg.Deposits.Deposits(ctx, customer, cursor, in.limit())
	if err != nil {
		return nil, err
	}
	out := &depositsOutput{}
	out.Body.NextCursor = s.cursors.seal(scope, next)
	out.Body.Items = make([]Deposit, len(list))
	for i, d := range list {
		out.Body.Items[i] = depositOf(d, format)
	}
	return out, nil
}

func depositOf(d custody.Deposit, format func(string, money.Units) string) Deposit {
	return Deposit{
		ID: d.ID, Asset: d.Asset, Chain: string(d.Chain), Address: d.Address, TxID: d.TxID, Index: int64(d.Index),
		Amount: format(d.Asset, d.Amount), State: string(d.State), Height: int64(d.Block.Height), //nolint:gosec // a height fits
		BlockHash: d.Block.Hash, Canonical: d.Canonical, SeenAt: d.SeenAt, UpdatedAt: d.UpdatedAt,
	}
}
