package desk

import (
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/trading"
)

// saying is what a refusal of the engine means to a customer.
type saying struct{ field, text, fix string }

// refused turns a refusal of the engine into one that names field and fix.
func refused(m *trading.Market, code engine.Code) *trading.Refusal {
	s, ok := sayings(m)[code]
	if !ok {
		s = saying{text: "matching refuses", fix: "tell the operator this code"}
	}
	return &trading.Refusal{Code: trading.CodeName(code), Field: s.field, Text: s.text, Fix: s.fix}
}

// sayings are of all codes with which a command can be refused. Where m is nil, the
// command was of no one market.
func sayings(m *trading.Market) map[engine.Code]saying {
	market, base, bounds, notional := "the market", "the base asset", "the market's bounds", "the market's bounds"
	if m != nil {
		market, base = m.Name, m.Base.Code
		bounds = m.Quantity(m.Config.MinQty) + " to " + m.Quantity(m.Config.MaxQty)
		notional = notionalBounds(m)
	}
	return map[engine.Code]saying{ //nolint:exhaustive // the others end orders or explain states
		engine.CodeUnknownOp:      {"", "the shard does not know what was asked", "tell the operator: versions differ"},
		engine.CodeUnknownMarket:  {"market", market + " does not trade yet", "wait until it is opened, or use another"},
		engine.CodeUnknownAccount: {"", "there is nothing to trade with yet", "transfer something to trading first"},
		engine.CodeUnknownAsset:   {"", "the shard does not know this asset", "use another asset"},
		engine.CodeUnknownOrder:   {"id", "no such order waits", "look at the order: it may have ended"},
		engine.CodeMarketState:    {"market", "the market's state does not allow this now", "wait until it is open; cancels are always taken"},
		engine.CodeBadPrice:       {"price", "the price cannot be", "give a multiple of the tick above zero"},
		engine.CodeBadQty:         {"quantity", "the quantity is outside the bounds", "give " + bounds + " " + base},
		engine.CodeBadTrigger:     {"stopPrice", "stop prices do not fit each other", "put stop and limit, loss and profit on opposite sides"},
		engine.CodeBadOffset:      {"offset", "the offset leads to no price", "give a smaller one above zero"},
		engine.CodeBadDisplay:     {"display", "what is shown is too little or too much", "give at least the least quantity and a thousandth of the order"},
		engine.CodeBadExpiry:      {"expiresAt", "the time has passed", "give a time to come"},
		engine.CodeBadType:        {"type", "this kind of order cannot do that", "see the types of orders"},
		engine.CodeBadAmount:      {"quoteAmount", "the amount cannot be", "give one above zero"},
		engine.CodeNotional:       {"quantity", "price times quantity is outside the bounds", "have it come to " + notional},
		engine.CodeOverflow:       {"quantity", "price times quantity is too large to count", "give less"},
		engine.CodeBeyondBand:     {"price", "the price is outside the market's limits", "give one nearer to the market"},
		engine.CodeInsufficient:   {"", "there is not enough available to trade with", "transfer more to trading, cancel other orders, or give less"},
		engine.CodeWouldTake:      {"price", "a post-only order would trade at once", "give a price behind the best opposite one, or use slide"},
		engine.CodeWouldTrigger:   {"stopPrice", "the last trade has passed the stop price", "give one that is not reached, or a market order"},
		engine.CodeWouldNotFill:   {"quantity", "not all of it would trade at once", "give less, a better price, or use ioc"},
		engine.CodeNoLiquidity:    {"market", "nobody stands on the other side", "use a limit order"},
		engine.CodeNoReference:    {"type", "there was no trade to follow yet", "use a stop order"},
		engine.CodeKilled:         {"", "trading is stopped for this account", "ask the operator to lift it"},
		engine.CodeProtected:      {"protected", "market-maker protection has tripped", "reset it first"},
		engine.CodeTooManyOrders:  {"market", "too many orders wait", "cancel some, or try again later"},
		engine.CodeTooManyKeys:    {"clientOrderId", "the shard remembers as many client ids as it can", "try again later"},
		engine.CodeDuplicate:      {"clientOrderId", "the client id was used before", "look at that order, or use another id"},
		engine.CodeBadConfig:      {"", "the settings cannot be", "see the bounds of each"},
	}
}

func notionalBounds(m *trading.Market) string {
	text := "at least " + m.Quote.Format(settle.UnitsOf(m.Config.MinNotional))
	if !m.Config.MaxNotional.IsZero() {
		text += " and at most " + m.Quote.Format(settle.UnitsOf(m.Config.MaxNotional))
	}
	return text + " " + m.Quote.Code
}
