package intake

import (
	"strconv"

	"strongroom/custody/custodydb"
	"strongroom/ledger"
	"strongroom/money"
)

// booking is a ledger transaction of a deposit in the making.
type booking struct{ tx ledger.Transaction }

// newBooking names the transaction: "dep/dep_…/credit/1". round tells apart the
// credits of a deposit that left the chain and came back.
func newBooking(d custodydb.DepositRow, act string, round int) *booking {
	return &booking{ledger.Transaction{
		ID:        "dep/" + d.ID + "/" + act + "/" + strconv.Itoa(round),
		EventTime: d.SeenAt,
		Metadata:  map[string]string{"deposit": d.ID, "txid": d.TxID, "block": d.Block.Hash},
	}}
}

// leg adds a movement; nothing is added for nothing.
func (b *booking) leg(name string, debit, credit ledger.AccountID, amount money.Units) {
	if amount.IsZero() {
		return
	}
	b.tx.Legs = append(b.tx.Legs, ledger.Transfer{
		ID: ledger.TransferID(b.tx.ID + "/" + name), Kind: ledger.Single, Debit: debit, Credit: credit, Amount: amount,
	})
}
