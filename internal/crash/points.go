// Package crash marks the moments at which the death of a process hurts most:
// before and after each commit, each signature, each byte that leaves. In a product
// build At is an empty function and the package imports nothing, so that nothing of
// it is left after inlining. With the build tag chaos a process ends itself or
// pauses at a point, where its plan says so. It decides nothing and is never part of
// what is shipped.
package crash

// Point names one moment. The names are what a plan and a report say.
type Point string

// The points, in the order in which money passes them. "before" a commit is inside
// its SQL transaction, with everything written; "after" is once the server said yes
// and before anybody was told.
const (
	HoldBefore       Point = "hold-before-commit"
	HoldAfter        Point = "hold-after-commit"
	OutboxBeforeSend Point = "outbox-before-send"
	OutboxBeforeMark Point = "outbox-before-mark"
	OutboxAfterMark  Point = "outbox-after-mark"
	ReserveBefore    Point = "reserve-before-commit"
	ReserveAfter     Point = "reserve-after-commit"
	SignBeforeAsk    Point = "sign-before-request"
	JournalBefore    Point = "journal-before-sync"
	JournalAfter     Point = "journal-after-sync"
	SignBeforeReply  Point = "sign-before-reply"
	SignedBefore     Point = "signed-before-commit"
	SignedAfter      Point = "signed-after-commit"
	SendBeforeMark   Point = "send-before-mark"
	BroadcastBefore  Point = "broadcast-before"
	BroadcastAfter   Point = "broadcast-after"
	SentAfter        Point = "sent-after-commit"
	BlockBefore      Point = "block-before-commit"
	BlockAfter       Point = "block-after-commit"
	RewindBefore     Point = "rewind-before-commit"
	RewindAfter      Point = "rewind-after-commit"
	CreditBefore     Point = "credit-before-commit"
	CreditAfter      Point = "credit-after-commit"
	SettleBefore     Point = "settle-before-commit"
	SettleAfter      Point = "settle-after-commit"
	LedgerBefore     Point = "ledger-before-commit"
	LedgerAfter      Point = "ledger-after-commit"
)

// The points of trading, which the house of custody does not pass.
const (
	TradesBefore Point = "trades-before-commit"
	TradesAfter  Point = "trades-after-commit"
)

// The points of treasury, in the order in which a payment that asks people, a sweep or a
// refill passes them. Words and copies come in by whoever hands them over.
const (
	PlannedBefore  Point = "planned-before-commit"
	PlannedAfter   Point = "planned-after-commit"
	OpenedBefore   Point = "opened-before-commit"
	OpenedAfter    Point = "opened-after-commit"
	AskedBefore    Point = "asked-before-commit"
	AskedAfter     Point = "asked-after-commit"
	WordBefore     Point = "word-before-commit"
	WordAfter      Point = "word-after-commit"
	OfferedBefore  Point = "offered-before-commit"
	OfferedAfter   Point = "offered-after-commit"
	BroughtBefore  Point = "brought-before-commit"
	BroughtAfter   Point = "brought-after-commit"
	AdvancedBefore Point = "advanced-before-commit"
	AdvancedAfter  Point = "advanced-after-commit"
)

// TreasuryPoints returns the points of treasury, in order.
func TreasuryPoints() []Point {
	return []Point{
		PlannedBefore, PlannedAfter, OpenedBefore, OpenedAfter, AskedBefore, AskedAfter, WordBefore, WordAfter,
		OfferedBefore, OfferedAfter, BroughtBefore, BroughtAfter, AdvancedBefore, AdvancedAfter,
	}
}

// TradingPoints returns the points of trading, in order.
func TradingPoints() []Point { return []Point{TradesBefore, TradesAfter} }

// Points returns every point of custody, in order.
func Points() []Point {
	return []Point{
		HoldBefore, HoldAfter, OutboxBeforeSend, OutboxBeforeMark, OutboxAfterMark, ReserveBefore, ReserveAfter,
		SignBeforeAsk, JournalBefore, JournalAfter, SignBeforeReply, SignedBefore, SignedAfter,
		SendBeforeMark, BroadcastBefore, BroadcastAfter, SentAfter, BlockBefore, BlockAfter, RewindBefore, RewindAfter,
		CreditBefore, CreditAfter, SettleBefore, SettleAfter, LedgerBefore, LedgerAfter,
	}
}

// The environment of a process built with the tag chaos.
const (
	// PlanVariable holds the rules of a Plan.
	PlanVariable = "STRONGROOM_CRASH_PLAN"
	// HitsVariable names the file to which each hit is appended: one line "point\n".
	HitsVariable = "STRONGROOM_CRASH_HITS"
)
