package desk

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"strongroom/matching/engine"
	"strongroom/trading"
)

// maxClientID bounds a client id, in characters.
const maxClientID = 64

// draft is an order on its way into a command; the first fault stays.
type draft struct {
	order   trading.NewOrder
	market  *trading.Market
	command engine.Command
	err     *trading.Refusal
}

// kindRules say what a type of orders takes, by the names of fields, behind what each
// must have.
type kindRules struct {
	kind      engine.Type
	needs     string
	may       string
	immediate bool // may be IOC; a limit order may be FOK too
	waits     bool // may be GTD or DAY
}

func rulesOf(t trading.OrderType) (kindRules, bool) {
	switch t {
	case trading.TypeLimit:
		return kindRules{engine.Limit, "price quantity", "display postOnly takeProfit stopLoss stopLossLimit", true, true}, true
	case trading.TypeMarket:
		return kindRules{engine.Market, "quantity", "offset takeProfit stopLoss stopLossLimit", true, false}, true
	case trading.TypeMarketQuote:
		return kindRules{engine.MarketQuote, "quoteAmount", "offset", true, false}, true
	case trading.TypeStop:
		return kindRules{engine.Stop, "stopPrice quantity", "", false, true}, true
	case trading.TypeStopLimit:
		return kindRules{engine.StopLimit, "stopPrice price quantity", "", false, true}, true
	case trading.TypeTrailing:
		return kindRules{engine.Trailing, "offset quantity", "", false, true}, true
	case trading.TypePeg:
		return kindRules{engine.Peg, "price quantity", "offset pegTo", false, true}, true
	case trading.TypeOCO:
		return kindRules{engine.OCO, "price stopPrice quantity", "stopLimit", false, true}, true
	}
	return kindRules{}, false
}

const allTypes = "limit, market, market_quote, stop, stop_limit, trailing, peg or oco"

// convert makes the command of an order; its account and key are the caller's.
func convert(catalog *trading.Catalog, o *trading.NewOrder) (*trading.Market, engine.Command, error) {
	d := &draft{order: *o, command: engine.Command{Op: engine.OpNew}}
	d.names(catalog)
	rules, ok := rulesOf(o.Type)
	if !ok {
		d.fail("bad_type", "type", fmt.Sprintf("there is no type of orders %.20q", o.Type), "use "+allTypes)
	}
	if d.err == nil {
		d.command.Market, d.command.Type = d.market.ID, rules.kind
		d.presence(rules)
		d.timing(rules)
		d.modes()
		d.values()
		d.bracket()
	}
	if d.err != nil {
		return nil, engine.Command{}, d.err
	}
	return d.market, d.command, nil
}

func (d *draft) fail(code, field, text, fix string) {
	if d.err == nil {
		d.err = &trading.Refusal{Code: code, Field: field, Text: text, Fix: fix}
	}
}

// names looks at client id, market and side.
func (d *draft) names(catalog *trading.Catalog) {
	if err := checkClientID(d.order.ClientID); err != nil {
		d.err = err
	}
	if d.market = catalog.Market(d.order.Market); d.market == nil && d.err == nil {
		d.err = noMarket(catalog, d.order.Market)
	}
	side, ok := sideOf(d.order.Side)
	if !ok && d.err == nil {
		d.err = badSide(d.order.Side)
	}
	d.command.Side = side
}

func noMarket(catalog *trading.Catalog, name string) *trading.Refusal {
	return &trading.Refusal{Code: "unknown_market", Field: "market", Text: fmt.Sprintf("there is no market %.40q", name), Fix: "use one of " + catalog.Names()}
}

func badSide(name string) *trading.Refusal {
	return &trading.Refusal{Code: "bad_side", Field: "side", Text: fmt.Sprintf("an order cannot %.20q", name), Fix: "use buy or sell"}
}

func checkClientID(id string) *trading.Refusal {
	printable := utf8.ValidString(id) && strings.IndexFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
	if n := utf8.RuneCountInString(id); n < 1 || n > maxClientID || !printable {
		return &trading.Refusal{
			Code: "bad_client_id", Field: "clientOrderId", Text: "the client id is no name",
			Fix: fmt.Sprintf("give 1 to %d printable characters, other ones for each order", maxClientID),
		}
	}
	return nil
}

func sideOf(name string) (engine.Side, bool) {
	switch name {
	case "buy":
		return engine.Buy, true
	case "sell":
		return engine.Sell, true
	}
	return 0, false
}

// given is an optional field and whether it is there.
type given struct {
	field string
	is    bool
}

func (d *draft) given() []given {
	o := &d.order
	return []given{
		{"price", o.Price != ""},
		{"quantity", o.Quantity != ""},
		{"quoteAmount", o.QuoteAmount != ""},
		{"stopPrice", o.StopPrice != ""},
		{"stopLimit", o.StopLimit != ""},
		{"offset", o.Offset != ""},
		{"display", o.Display != ""},
		{"postOnly", o.PostOnly != ""},
		{"pegTo", o.PegTo != ""},
		{"takeProfit", o.TakeProfit != ""},
		{"stopLoss", o.StopLoss != ""},
		{"stopLossLimit", o.StopLossLimit != ""},
	}
}

// presence refuses what is missing and what the type does not take.
func (d *draft) presence(rules kindRules) {
	needs, may := strings.Fields(rules.needs), strings.Fields(rules.may)
	for _, g := range d.given() {
		switch needed := has(needs, g.field); {
		case needed && !g.is:
			d.fail("missing_field", g.field, fmt.Sprintf("a %s order needs %s", d.order.Type, g.field), "give it as a decimal number")
		case !needed && g.is && !has(may, g.field):
			d.fail("superfluous_field", g.field, fmt.Sprintf("a %s order takes no %s", d.order.Type, g.field), "leave it out")
		}
	}
}

func has(list []string, s string) bool {
	return slices.Contains(list, s)
}

// timing looks at how long the order may wait.
func (d *draft) timing(rules kindRules) {
	allowed := "gtc"
	switch {
	case rules.kind == engine.Limit:
		allowed = "gtc ioc fok gtd day"
	case rules.immediate:
		allowed = "gtc ioc"
	case rules.waits:
		allowed = "gtc gtd day"
	}
	name := d.order.TimeInForce
	if name == "" {
		name = "gtc"
	}
	if !has(strings.Fields(allowed), name) {
		d.fail("bad_type", "timeInForce", fmt.Sprintf("a %s order cannot be %.20q", d.order.Type, name), "use one of "+strings.ReplaceAll(allowed, " ", ", "))
		return
	}
	d.command.TIF = map[string]engine.TimeInForce{"gtc": engine.GTC, "ioc": engine.IOC, "fok": engine.FOK, "gtd": engine.GTD, "day": engine.DAY}[name]
	d.expiry()
	if d.command.TIF != engine.IOC && d.command.TIF != engine.FOK {
		return
	}
	if d.order.PostOnly != "" {
		d.fail("bad_type", "postOnly", "an order that trades at once or never cannot wait as a maker", "leave it out, or use gtc")
	}
	if d.order.Display != "" {
		d.fail("bad_display", "display", "an order that does not wait shows nothing", "leave it out, or use gtc")
	}
}

// Years in which an order may end, so that their nanoseconds can be counted.
const firstYear, lastYear = 1970, 2200

func (d *draft) expiry() {
	expires := d.order.ExpiresAt
	if d.command.TIF != engine.GTD {
		if !expires.IsZero() {
			d.fail("superfluous_field", "expiresAt", "only an order that is good till a date has one", "leave it out, or use gtd")
		}
		return
	}
	if y := expires.UTC().Year(); y < firstYear || y > lastYear {
		d.fail("bad_expiry", "expiresAt", "an order that is good till a date has none that can be", "give a time to come")
		return
	}
	d.command.Expires = expires.UnixNano()
}

// modes looks at what is chosen out of a list.
func (d *draft) modes() {
	o, c := &d.order, &d.command
	c.Flags |= d.choose("postOnly", o.PostOnly, map[string]engine.Flags{"": 0, "reject": engine.PostOnly, "slide": engine.PostOnly | engine.Slide}, "reject or slide")
	c.Flags |= d.choose("pegTo", o.PegTo, map[string]engine.Flags{"": 0, "primary": 0, "mid": engine.PegMid}, "primary or mid")
	if o.Protected {
		c.Flags |= engine.MMP
	}
	stp, ok := map[string]engine.STP{
		"": engine.STPCancelTaker, "none": engine.STPNone, "cancel_taker": engine.STPCancelTaker,
		"cancel_maker": engine.STPCancelMaker, "cancel_both": engine.STPCancelBoth, "decrement": engine.STPDecrement,
	}[o.SelfTrade]
	if !ok {
		d.fail("bad_value", "selfTrade", fmt.Sprintf("there is no mode %.20q", o.SelfTrade), "use none, cancel_taker, cancel_maker, cancel_both or decrement")
	}
	c.STP = stp
}

func (d *draft) choose(field, value string, of map[string]engine.Flags, names string) engine.Flags {
	flags, ok := of[value]
	if !ok {
		d.fail("bad_value", field, fmt.Sprintf("%s cannot be %.20q", field, value), "use "+names)
	}
	return flags
}
