package api

import (
	"context"
	"net/http"

	"strongroom/assets"
	"strongroom/money"
)

// Asset is an asset as answers show it.
type Asset struct {
	Code          string `json:"code" example:"BTC"`
	Name          string `json:"name"`
	Chain         string `json:"chain"`
	Contract      string `json:"contract,omitempty"`
	Scale         int    `json:"scale" doc:"Decimals of one whole"`
	MinDeposit    string `json:"minDeposit" doc:"Smaller arrivals are recorded, not credited"`
	MinWithdrawal string `json:"minWithdrawal"`
	WithdrawalFee string `json:"withdrawalFee"`
	DailyLimit    string `json:"dailyLimit" doc:"Most that a customer may withdraw in 24 hours; 0 for no limit"`
	Tiers         []Tier `json:"tiers" nullable:"false" doc:"Confirmations by amount"`
	State         string `json:"state" enum:"listed,deposits_only,suspended"`
	// Traits warn of what the token may do.
	Traits []string `json:"traits" nullable:"false" doc:"How a token departs from the standard: fee_on_transfer, rebasing, rebasing_accepted, pausable"`
}

// Tier is the confirmations that amounts up to a bound need.
type Tier struct {
	UpTo              string `json:"upTo,omitempty" doc:"Absent: any amount"`
	CreditDepth       int64  `json:"creditDepth"`
	WithdrawableDepth int64  `json:"withdrawableDepth"`
}

func assetOf(a assets.Asset) Asset {
	format := a.Money().Format
	out := Asset{
		Code: a.Code, Name: a.Name, Chain: string(a.Chain), Contract: a.Contract, Scale: int(a.Scale),
		MinDeposit: format(a.MinDeposit), MinWithdrawal: format(a.MinWithdrawal), WithdrawalFee: format(a.WithdrawalFee),
		DailyLimit: format(a.DailyLimit), State: string(a.State), Tiers: make([]Tier, len(a.Tiers)),
		Traits: make([]string, len(a.Traits)),
	}
	for i, t := range a.Traits {
		out.Traits[i] = string(t)
	}
	for i, t := range a.Tiers {
		out.Tiers[i] = Tier{CreditDepth: int64(t.CreditDepth), WithdrawableDepth: int64(t.WithdrawableDepth)} //nolint:gosec // depths are at most 10,000
		if !t.UpTo.IsZero() {
			out.Tiers[i].UpTo = format(t.UpTo)
		}
	}
	return out
}

type assetCode struct {
	Code string `path:"code" pattern:"^[A-Z][A-Z0-9]{0,11}$" patternDescription:"an asset code such as BTC"`
}

type (
	assetOutput  struct{ Body Asset }
	assetsOutput struct {
		Body struct {
			Items []Asset `json:"items" nullable:"false"`
		}
	}
)

func (s *Server) routeAssets() {
	const tag = "Assets"
	register(s, operation("list-assets", http.MethodGet, "/v1/assets", tag, "List assets", "Needs no signature."), "",
		func(ctx context.Context, _ *struct{}) (*assetsOutput, error) {
			list, err := s.cfg.Assets.All(ctx)
			if err != nil {
				return nil, err
			}
			out := &assetsOutput{}
			out.Body.Items = make([]Asset, len(list))
			for i, a := range list {
				out.Body.Items[i] = assetOf(a)
			}
			return out, nil
		})
	register(s, operation("get-asset", http.MethodGet, "/v1/assets/{code}", tag, "Read an asset", "Needs no signature."), "",
		func(ctx context.Context, in *assetCode) (*assetOutput, error) {
			a, err := s.asset(ctx, in.Code)
			if err != nil {
				return nil, err
			}
			return &assetOutput{assetOf(a)}, nil
		})
}

// asset returns an asset that a path names: its absence is a 404.
func (s *Server) asset(ctx context.Context, code string) (assets.Asset, error) {
	a, err := s.cfg.Assets.ByCode(ctx, code)
	if isNoAsset(err) {
		return assets.Asset{}, newProblem(codeNotFound, "no asset "+code)
	}
	return a, err
}

// formats returns how to write amounts of each asset. An asset that the registry
// lost is shown in base units rather than not at all.
func (s *Server) formats(ctx context.Context) (func(code string, u money.Units) string, error) {
	list, err := s.cfg.Assets.All(ctx)
	if err != nil {
		return nil, err
	}
	byCode := make(map[string]money.Asset, len(list))
	for _, a := range list {
		byCode[a.Code] = a.Money()
	}
	return func(code string, u money.Units) string { return byCode[code].Format(u) }, nil
}
