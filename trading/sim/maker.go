package sim

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"

	"strongroom/api/client"
)

// What the maker does in one turn on one market.
const (
	makerActions = 3  // requests that change something
	lookEvery    = 12 // turns between two looks at what really rests
)

// maker keeps a ladder on one market.
type maker struct {
	grid
	*walk

	account Account
	name    func() string // a new client order id
	orders  []resting
	turns   int
	lost    bool // what is in orders may not be so
	fresh   int  // placed or moved in all
}

func newMaker(g grid, account Account, rng *rand.Rand, name func() string) *maker {
	return &maker{grid: g, walk: newWalk(rng, g.reference), account: account, name: name, lost: true}
}

// turn brings the ladder nearer to where the price has drifted. The error is of a platform
// that is not there; a refusal is none.
func (m *maker) turn(ctx context.Context) error {
	if m.turns++; m.lost || m.turns%lookEvery == 0 {
		if err := m.look(ctx); err != nil {
			return err
		}
	}
	for _, a := range plan(m.orders, m.step(), m.level, makerActions) {
		if err := m.do(ctx, a); err != nil {
			m.lost = true
			return err
		}
	}
	return nil
}

// look reads what rests.
func (m *maker) look(ctx context.Context) error {
	list, err := m.account.Open(ctx, m.market)
	if err != nil {
		return err
	}
	m.orders = m.orders[:0]
	for _, o := range list {
		r, err := m.read(o)
		if err != nil {
			return err
		}
		m.orders = append(m.orders, r)
	}
	m.lost = false
	return nil
}

func (m *maker) do(ctx context.Context, a action) error {
	var answer Order
	var err error
	switch {
	case a.id == "":
		answer, err = m.account.Place(ctx, Order{
			ClientID: m.name(), Market: m.market, Side: sideOf(a.sell), Type: "limit",
			Price: m.price(a.price), Quantity: m.quantity(a.lots), PostOnly: "reject",
		})
	case a.lots == 0:
		err = m.account.Cancel(ctx, a.id)
	default:
		answer, err = m.account.Amend(ctx, a.id, m.price(a.price), m.quantity(a.lots))
	}
	if refused(err) { // it was filled, or would have traded
		m.lost = true
		return nil
	}
	if err != nil {
		return err
	}
	m.orders = slices.DeleteFunc(m.orders, func(o resting) bool { return o.id == a.id })
	if a.lots > 0 && answer.State == "open" {
		m.fresh++
		m.orders = append(m.orders, resting{id: answer.ID, sell: a.sell, price: a.price, lots: a.lots})
	}
	return nil
}

func sideOf(isSell bool) string {
	if isSell {
		return sell
	}
	return buy
}

// refused reports an answer by which the platform is well and the request is not.
func refused(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && p.Status >= 400 && p.Status < 500 && p.Status != 429 && p.Status != 401
}

// names makes client order ids that begin alike: from a moment, counted.
func names(prefix string, moment int64) func() string {
	n := 0
	return func() string {
		n++
		return prefix + "-" + strconv.FormatInt(moment, 36) + "-" + strconv.Itoa(n)
	}
}
