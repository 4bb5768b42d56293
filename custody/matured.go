package custody

import "strongroom/money"

// Matured is what the maturity of a deposit brought its customer, after debts.
type Matured struct {
	Deposit  string // dep_…
	Customer string
	Asset    string
	Round    int         // how often the deposit has been credited: it may leave the chain and come back
	Amount   money.Units // booked to funding; zero for nothing
}
