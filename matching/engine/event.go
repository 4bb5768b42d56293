package engine

// EventKind is what happened.
type EventKind uint8

// Events. The fields that each fills are named behind it.
const (
	EventNone       EventKind = iota
	EventAccepted             // Market, Account, Order, Key, Side, Type, Price, Qty: an order came in
	EventRejected             // Market, Account, Order, Key, Code: a command changed nothing
	EventRested               // Market, Order, Account, Side, Price, Qty, Shown: it waits in the book
	EventTrade                // Market, Price, Qty, taker's and maker's order, account and fee
	EventReduced              // Market, Order, Account, Side, Price, Qty, Shown (zero for a taker): what remains after an amend or a decrement
	EventReplaced             // as Rested, for an order that lost its place: amended, re-shown, re-pegged (unseen: price and shown zero)
	EventCancelled            // Market, Order, Account, Key, Side, Price (limit; trigger of a stop), Qty, Code: what remained, and why; Amount of a quote amount
	EventTriggered            // Market, Order, Account, Side, Price, Qty: a stop became an order with this limit
	EventTransfer             // Account, Asset, Amount, Key, Balance; Code where refused
	EventState                // Market, State, Code: why, Until
	EventAuction              // Market, Price, Qty: what an auction traded
	EventAccount              // Account: made or changed; Market: protection; Qty: orders ended
	EventCheckpoint           // Digest (of what has its turn), Balances
)

// Event is one thing that happened. Seq is dense over the shard: the first event
// after the engine was made is 1.
type Event struct {
	Seq  uint64
	Time int64
	Key  Key
	// Order, Account: whom it is about; in a trade the taker's.
	Order        OrderID
	Maker        OrderID
	Price        int64
	Qty          int64
	Shown        int64 // quantity that others may see
	Left         int64 // trade: what remains of the maker's order; TakerLeft of the taker's
	TakerLeft    int64
	Amount       Amount // transfer; trade: what the taker pays in fee
	Balance      Amount // transfer: available afterwards; trade: what the maker pays in fee
	Until        int64
	Digest       uint64
	Balances     uint64 // checkpoint: the digest of the balances alone (BalanceHash)
	Account      AccountID
	MakerAccount AccountID
	Market       MarketID
	Asset        AssetID
	Kind         EventKind
	Code         Code
	Side         Side // in a trade the taker's
	Type         Type
	State        State
}
