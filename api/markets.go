package api

import (
	"context"
	"math/big"
	"net/http"
	"time"

	"strongroom/feed"
	"strongroom/identity"
	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

// Bounds of what one answer shows of a market.
const (
	defaultDepth   = 50
	maxDepth       = 1000
	defaultCandles = 300
	maxCandles     = 1000
)

// Ticker is a market over the last 24 hours. What there was not is missing.
type Ticker struct {
	Last        string `json:"last,omitempty" doc:"Price of the newest trade of these 24 hours"`
	Bid         string `json:"bid,omitempty" doc:"Best price of a buyer"`
	Ask         string `json:"ask,omitempty" doc:"Best price of a seller"`
	Open        string `json:"open,omitempty"`
	High        string `json:"high,omitempty"`
	Low         string `json:"low,omitempty"`
	Change      string `json:"change,omitempty" doc:"Last less open; with a minus sign where it fell"`
	BaseVolume  string `json:"baseVolume"`
	QuoteVolume string `json:"quoteVolume"`
	Trades      int64  `json:"trades"`
}

// Fee is what a side pays of what it receives: 0.001 is a tenth of a percent.
type Fee struct {
	Tier  int    `json:"tier"`
	Maker string `json:"maker"`
	Taker string `json:"taker"`
}

// Market is a market's terms and how it stands.
type Market struct {
	Name        string     `json:"name" example:"BTC-USDC"`
	Base        string     `json:"base"`
	Quote       string     `json:"quote"`
	Tick        string     `json:"tick" doc:"Prices are multiples of it"`
	Lot         string     `json:"lot" doc:"Quantities are multiples of it"`
	MinQuantity string     `json:"minQuantity"`
	MaxQuantity string     `json:"maxQuantity"`
	MinNotional string     `json:"minNotional,omitempty" doc:"Least price times quantity"`
	MaxNotional string     `json:"maxNotional,omitempty"`
	LowPrice    string     `json:"lowPrice,omitempty"`
	HighPrice   string     `json:"highPrice,omitempty"`
	MaxSlippage string     `json:"maxSlippage" doc:"How far from the best price a market order may go"`
	Fees        []Fee      `json:"fees" nullable:"false"`
	State       string     `json:"state" doc:"closed, auction, open, post_only, cancel_only, halted"`
	Until       *time.Time `json:"until,omitempty" doc:"When the state ends by itself"`
	Live        bool       `json:"live" doc:"false where market data is not being heard: it is as old as it is"`
	Ticker      Ticker     `json:"ticker"`
}

// level is a price and the quantity that waits there.
type level = []string

// Book is a market by price, best first: each level is price and quantity.
type Book struct {
	Market string     `json:"market"`
	Seq    uint64     `json:"seq" doc:"Of the newest event in it; the stream's book goes on from it"`
	Time   *time.Time `json:"time,omitempty"`
	Bids   []level    `json:"bids" nullable:"false"`
	Asks   []level    `json:"asks" nullable:"false"`
}

// Trade is a trade as everybody may see it.
type Trade struct {
	Seq      uint64    `json:"seq"`
	Time     time.Time `json:"time"`
	Price    string    `json:"price"`
	Quantity string    `json:"quantity"`
	Side     string    `json:"side" enum:"buy,sell" doc:"Of who took"`
}

// Candle is what was traded in an interval.
type Candle struct {
	Start    time.Time `json:"start"`
	Open     string    `json:"open"`
	High     string    `json:"high"`
	Low      string    `json:"low"`
	Close    string    `json:"close"`
	Volume   string    `json:"volume" doc:"Of the base asset"`
	Turnover string    `json:"turnover" doc:"Of the quote asset"`
	Trades   int64     `json:"trades"`
}

// CustomerFee is what the caller pays on a market.
type CustomerFee struct {
	Market string `json:"market"`
	Maker  string `json:"maker"`
	Taker  string `json:"taker"`
}

// MarketPath is the part of a path that names a market.
type MarketPath struct {
	Market string `path:"market" pattern:"^[A-Z0-9]{1,16}-[A-Z0-9]{1,16}$" patternDescription:"a market such as BTC-USDC"`
}

type (
	bookInput struct {
		MarketPath

		Depth int `query:"depth" minimum:"1" maximum:"1000" default:"50" doc:"Levels of each side"`
	}
	tradesInput struct {
		MarketPath

		Limit int `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"The newest so many"`
	}
	candlesInput struct {
		MarketPath

		Interval string    `query:"interval" required:"true" enum:"1s,1m,5m,15m,1h,4h,1d"`
		From     time.Time `query:"from" doc:"Candles that begin here or later; limit intervals before to where missing"`
		To       time.Time `query:"to" doc:"Candles that begin before; now where missing"`
		Limit    int       `query:"limit" minimum:"1" maximum:"1000" default:"300" doc:"The oldest so many of them"`
	}
	marketOutput  struct{ Body Market }
	marketsOutput struct {
		Body struct {
			Items []Market `json:"items" nullable:"false"`
		}
	}
	bookOutput   struct{ Body Book }
	tradesOutput struct {
		Body struct {
			Items []Trade `json:"items" nullable:"false"`
		}
	}
	candlesOutput struct {
		Body struct {
			Items []Candle `json:"items" nullable:"false"`
		}
	}
	feesOutput struct {
		Body struct {
			Tier  int           `json:"tier"`
			Items []CustomerFee `json:"items" nullable:"false"`
		}
	}
)

func (s *Server) routeMarkets() {
	const tag = "Markets"
	register(s, operation("list-markets", http.MethodGet, "/v1/markets", tag, "List markets", "Terms, state and the last 24 hours of each."), "", s.listMarkets)
	register(s, operation("get-market", http.MethodGet, "/v1/markets/{market}", tag, "Read a market", ""), "",
		func(_ context.Context, in *MarketPath) (*marketOutput, error) {
			m, err := s.market(in.Market)
			if err != nil {
				return nil, err
			}
			return &marketOutput{s.marketView(m)}, nil
		})
	register(s, operation("get-book", http.MethodGet, "/v1/markets/{market}/book", tag, "Read the order book", "By price, best first. GET /v1/stream tells each change."), "", s.getBook)
	register(s, operation("list-trades", http.MethodGet, "/v1/markets/{market}/trades", tag, "List trades", "Newest first."), "", s.listTrades)
	register(s, operation("list-candles", http.MethodGet, "/v1/markets/{market}/candles", tag, "List candles",
		"Oldest first. An interval without trades has none. The newest may still change."), "", s.listCandles)
}

func (s *Server) routeFees() {
	register(s, operation("list-fees", http.MethodGet, "/v1/fees", "Markets", "Read the caller's fees", "By the caller's tier, of what a side receives."), identity.Read,
		func(ctx context.Context, _ *struct{}) (*feesOutput, error) {
			out := &feesOutput{}
			if s.cfg.Trading.Tiers != nil {
				tier, err := s.cfg.Trading.Tiers.Tier(ctx, principal(ctx).Customer)
				if err != nil {
					return nil, err
				}
				out.Body.Tier = min(max(tier, 0), engine.Tiers-1)
			}
			out.Body.Items = []CustomerFee{}
			for _, m := range s.cfg.Trading.Catalog.All() {
				f := m.Config.Tiers[out.Body.Tier]
				out.Body.Items = append(out.Body.Items, CustomerFee{Market: m.Name, Maker: share(f.Maker), Taker: share(f.Taker)})
			}
			return out, nil
		})
}

// share writes parts per million as a decimal.
func share(ppm uint32) string {
	return money.Asset{Code: "a share", Scale: 6}.Format(money.FromUint64(uint64(ppm)))
}

func (s *Server) listMarkets(context.Context, *struct{}) (*marketsOutput, error) {
	out := &marketsOutput{}
	out.Body.Items = []Market{}
	for _, m := range s.cfg.Trading.Catalog.All() {
		out.Body.Items = append(out.Body.Items, s.marketView(m))
	}
	return out, nil
}

func (s *Server) marketView(m *trading.Market) Market {
	c := &m.Config
	out := Market{
		Name: m.Name, Base: m.Base.Code, Quote: m.Quote.Code, Tick: m.Price(1), Lot: m.Quantity(1),
		MinQuantity: m.Quantity(c.MinQty), MaxQuantity: m.Quantity(c.MaxQty), MaxSlippage: m.Price(c.MaxSlippage),
		MinNotional: notional(m, c.MinNotional), MaxNotional: notional(m, c.MaxNotional),
		LowPrice: priceText(m, c.StaticLow), HighPrice: priceText(m, c.StaticHigh), State: trading.StateName(engine.Closed),
	}
	for i, f := range c.Tiers {
		out.Fees = append(out.Fees, Fee{Tier: i, Maker: share(f.Maker), Taker: share(f.Taker)})
	}
	live := s.cfg.Trading.Data.Feed(m.Name)
	if live == nil {
		return out
	}
	_, out.Live = s.cfg.Trading.Data.Behind()
	now := live.Whole()
	out.State, out.Until = trading.StateName(now.State), moment(now.Until)
	out.Ticker = tickerOf(m, &now.Day, first(now.Bids), first(now.Asks))
	return out
}

func notional(m *trading.Market, a engine.Amount) string {
	if a.IsZero() {
		return ""
	}
	units, err := money.FromBig(new(big.Int).Or(new(big.Int).Lsh(new(big.Int).SetUint64(a.Hi), 64), new(big.Int).SetUint64(a.Lo)))
	if err != nil {
		return ""
	}
	return m.Quote.Format(units)
}

func priceText(m *trading.Market, ticks int64) string {
	if ticks == 0 {
		return ""
	}
	return m.Price(ticks)
}

func first(levels []feed.Level) int64 {
	if len(levels) == 0 {
		return 0
	}
	return levels[0].Price
}

func tickerOf(m *trading.Market, day *feed.Candle, bid, ask int64) Ticker {
	out := Ticker{
		Bid: priceText(m, bid), Ask: priceText(m, ask), Trades: day.Trades,
		BaseVolume: m.Quantity(day.Volume), QuoteVolume: turnover(m, day.Turnover),
	}
	if day.Trades == 0 {
		return out
	}
	out.Last, out.Open, out.High, out.Low = m.Price(day.Close), m.Price(day.Open), m.Price(day.High), m.Price(day.Low)
	if out.Change = m.Price(max(day.Close-day.Open, day.Open-day.Close)); day.Close < day.Open {
		out.Change = "-" + out.Change
	}
	return out
}

// turnover writes ticks times lots in the quote asset. What does not fit 256 bits is no
// sum of trades.
func turnover(m *trading.Market, sum engine.Amount) string {
	units, err := m.Turnover(sum, 1)
	if err != nil {
		return ""
	}
	return m.Quote.Format(units)
}

// live finds a market and its data.
func (s *Server) live(name string) (*trading.Market, *feed.Market, error) {
	m, err := s.market(name)
	if err != nil {
		return nil, nil, err
	}
	live := s.cfg.Trading.Data.Feed(name)
	if live == nil {
		return nil, nil, newProblem(codeUnavailable, "there is no data of this market yet")
	}
	return m, live, nil
}
