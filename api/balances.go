package api

import (
	"context"
	"net/http"
	"time"

	"strongroom/identity"
)

// AssetBalance is what a customer has of one asset.
type AssetBalance struct {
	Asset     string `json:"asset"`
	Available string `json:"available" doc:"May be withdrawn now"`
	Held      string `json:"held" doc:"Set aside for withdrawals under way"`
	Maturing  string `json:"maturing" doc:"Credited, waits for more confirmations before it may be withdrawn"`
	Debt      string `json:"debt" doc:"Owed after a reorganisation took a credited deposit back"`
	Trading   string `json:"trading,omitempty" doc:"May be traded with; where the platform trades"`
	Reserved  string `json:"reserved,omitempty" doc:"Set aside for open orders; where the platform trades"`
}

// LedgerEntry is one booking on a customer's account.
type LedgerEntry struct {
	ID        string    `json:"id" doc:"Id of the transfer"`
	Asset     string    `json:"asset"`
	Account   string    `json:"account" enum:"funding,maturing,debt"`
	Direction string    `json:"direction" enum:"debit,credit"`
	Kind      string    `json:"kind" enum:"single,pending,post,void"`
	Amount    string    `json:"amount"`
	BookedAt  time.Time `json:"bookedAt"`
	EventTime time.Time `json:"eventTime" doc:"When it happened outside"`
}

type balancesOutput struct {
	Body struct {
		Items []AssetBalance `json:"items" nullable:"false"`
	}
}

type entriesInput struct {
	Page
	Asset string `query:"asset" required:"true" pattern:"^[A-Z][A-Z0-9]{0,11}$" patternDescription:"an asset code such as BTC"`
	// Account is one of the customer's accounts in the asset.
	Account string `query:"account" enum:"funding,maturing,debt" default:"funding" doc:"funding: may be used; maturing: waits for confirmations; debt: owed"`
}

type entriesOutput struct {
	Body struct {
		Items      []LedgerEntry `json:"items" nullable:"false"`
		NextCursor string        `json:"nextCursor,omitempty"`
	}
}

func (s *Server) routeBalances() {
	register(s, operation("list-balances", http.MethodGet, "/v1/balances", "Balances", "Read balances", ""), identity.Read,
		func(ctx context.Context, _ *struct{}) (*balancesOutput, error) {
			list, err := s.cfg.Books.Balances(ctx, principal(ctx).Customer)
			if err != nil {
				return nil, err
			}
			format, err := s.formats(ctx)
			if err != nil {
				return nil, err
			}
			out := &balancesOutput{}
			out.Body.Items = make([]AssetBalance, len(list))
			for i, b := range list {
				out.Body.Items[i] = AssetBalance{
					Asset: b.Asset, Available: format(b.Asset, b.Available), Held: format(b.Asset, b.Held),
					Maturing: format(b.Asset, b.Maturing), Debt: format(b.Asset, b.Debt),
				}
			}
			return out, s.addTrading(ctx, principal(ctx).Customer, out)
		})
}

func (s *Server) routeEntries() {
	register(s, operation("list-entries", http.MethodGet, "/v1/ledger/entries", "Balances", "List bookings", "Newest first."), identity.Read, s.listEntries)
}

func (s *Server) listEntries(ctx context.Context, in *entriesInput) (*entriesOutput, error) {
	customer := principal(ctx).Customer
	scope := scopeOf("entries", customer, in.Asset, in.Account)
	cursor, err := s.cursors.open(scope, in.Cursor)
	if err != nil {
		return nil, err
	}
	a, err := s.cfg.Assets.ByCode(ctx, in.Asset)
	if isNoAsset(err) {
		return nil, newProblem(codeAsset, "query.asset: no asset "+in.Asset, FieldProblem{"query.asset", "is not an asset", "use a code that GET /v1/assets lists"})
	}
	if err != nil {
		return nil, err
	}
	list, next, err := s.cfg.Books.Entries(ctx, EntryQuery{Customer: customer, Asset: in.Asset, Account: in.Account, Cursor: cursor, Limit: in.limit()})
	if err != nil {
		return nil, err
	}
	out := &entriesOutput{}
	out.Body.NextCursor = s.cursors.seal(scope, next)
	out.Body.Items = make([]LedgerEntry, len(list))
	for i, e := range list {
		out.Body.Items[i] = LedgerEntry{
			ID: e.ID, Asset: in.Asset, Account: in.Account, Direction: e.Direction, Kind: e.Kind,
			Amount: a.Money().Format(e.Amount), BookedAt: e.BookedAt, EventTime: e.EventTime,
		}
	}
	return out, nil
}
