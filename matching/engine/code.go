package engine

// Code says why a command was refused or an order ended. Codes are stable: they are
// part of the wire format and of the log.
type Code uint8

// Codes: refusals of input first, then ends of orders, then reasons of states.
const (
	CodeNone Code = iota
	CodeUnknownOp
	CodeUnknownMarket
	CodeUnknownAccount
	CodeUnknownAsset
	CodeUnknownOrder // not waiting, or another account's
	CodeMarketState  // the market's state does not allow it
	CodeBadPrice     // not positive, or given where none belongs
	CodeBadQty       // not positive, below or above the market's bounds
	CodeBadTrigger
	CodeBadOffset
	CodeBadDisplay
	CodeBadExpiry
	CodeBadType // a combination that the rules do not know
	CodeBadAmount
	CodeNotional // below or above the market's bounds
	CodeOverflow
	CodeBeyondBand
	CodeInsufficient
	CodeWouldTake
	CodeWouldTrigger
	CodeWouldNotFill
	CodeNoLiquidity
	CodeNoReference
	CodeKilled
	CodeProtected
	CodeTooManyOrders
	CodeTooManyKeys
	CodeDuplicate // answered with the first result
	CodeBadConfig

	CodeByClient
	CodeByMassCancel
	CodeByKill
	CodeByDisconnect
	CodeByProtection
	CodeBySibling // the other half of an OCO
	CodeSelfTrade
	CodeExpired
	CodeUnfilled // what an IOC or market order left
	CodeByHalt
	CodeByMarket // the market was closed for good

	CodeByOperator
	CodeDynamicBand
	CodeBreaker
	CodeAuctionEnd
	CodeHaltEnd
)
