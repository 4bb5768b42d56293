package trading

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"strongroom/matching/engine"
)

// ClientKey is what the engine calls an order that a customer calls clientID.
func ClientKey(customer, clientID string) engine.Key {
	sum := sha256.Sum256([]byte("order\x00" + customer + "\x00" + clientID))
	k := engine.Key{Hi: binary.BigEndian.Uint64(sum[:]), Lo: binary.BigEndian.Uint64(sum[8:])}
	if k == (engine.Key{}) {
		k.Lo = 1 // zero is none
	}
	return k
}

// OrderIDText is an order's id as customers see it.
func OrderIDText(id engine.OrderID) string { return strconv.FormatUint(uint64(id), 10) }

// ParseOrderID is the inverse of OrderIDText; ok is false for what it does not write.
func ParseOrderID(text string) (id engine.OrderID, ok bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != text {
		return 0, false
	}
	return engine.OrderID(n), true
}

// SideName is a side as customers write it.
func SideName(s engine.Side) string {
	if s == engine.Sell {
		return "sell"
	}
	return "buy"
}

// TypeOf is a type of orders as customers write it, empty for one that the engine does
// not have.
func TypeOf(t engine.Type) OrderType {
	switch t {
	case engine.Limit:
		return TypeLimit
	case engine.Market:
		return TypeMarket
	case engine.MarketQuote:
		return TypeMarketQuote
	case engine.Stop:
		return TypeStop
	case engine.StopLimit:
		return TypeStopLimit
	case engine.Trailing:
		return TypeTrailing
	case engine.Peg:
		return TypePeg
	case engine.OCO:
		return TypeOCO
	}
	return ""
}

// StateName is a market's state in snake case.
func StateName(s engine.State) string {
	names := [...]string{
		engine.Closed: "closed", engine.Auction: "auction", engine.Open: "open", engine.PostOnlyState: "post_only",
		engine.CancelOnly: "cancel_only", engine.Halted: "halted",
	}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// CodeName is an engine's code in snake case, as docs/matching.md writes it; empty for
// none.
func CodeName(c engine.Code) string {
	if names := codeNames(); int(c) < len(names) {
		return names[c]
	}
	return "code_" + strconv.Itoa(int(c))
}

func codeNames() [engine.CodeHaltEnd + 1]string {
	return [...]string{
		engine.CodeNone: "", engine.CodeUnknownOp: "unknown_op", engine.CodeUnknownMarket: "unknown_market",
		engine.CodeUnknownAccount: "unknown_account", engine.CodeUnknownAsset: "unknown_asset", engine.CodeUnknownOrder: "unknown_order",
		engine.CodeMarketState: "market_state", engine.CodeBadPrice: "bad_price", engine.CodeBadQty: "bad_quantity",
		engine.CodeBadTrigger: "bad_trigger", engine.CodeBadOffset: "bad_offset", engine.CodeBadDisplay: "bad_display",
		engine.CodeBadExpiry: "bad_expiry", engine.CodeBadType: "bad_type", engine.CodeBadAmount: "bad_amount",
		engine.CodeNotional: "notional", engine.CodeOverflow: "overflow", engine.CodeBeyondBand: "beyond_band",
		engine.CodeInsufficient: "insufficient", engine.CodeWouldTake: "would_take", engine.CodeWouldTrigger: "would_trigger",
		engine.CodeWouldNotFill: "would_not_fill", engine.CodeNoLiquidity: "no_liquidity", engine.CodeNoReference: "no_reference",
		engine.CodeKilled: "killed", engine.CodeProtected: "protected", engine.CodeTooManyOrders: "too_many_orders",
		engine.CodeTooManyKeys: "too_many_keys", engine.CodeDuplicate: "duplicate", engine.CodeBadConfig: "bad_config",
		engine.CodeByClient: "by_client", engine.CodeByMassCancel: "by_mass_cancel", engine.CodeByKill: "by_kill",
		engine.CodeByDisconnect: "by_disconnect", engine.CodeByProtection: "by_protection", engine.CodeBySibling: "by_sibling",
		engine.CodeSelfTrade: "self_trade", engine.CodeExpired: "expired", engine.CodeUnfilled: "unfilled",
		engine.CodeByHalt: "by_halt", engine.CodeByMarket: "by_market", engine.CodeByOperator: "by_operator",
		engine.CodeDynamicBand: "dynamic_band", engine.CodeBreaker: "breaker", engine.CodeAuctionEnd: "auction_end",
		engine.CodeHaltEnd: "halt_end",
	}
}
