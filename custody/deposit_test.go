package custody_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"strongroom/custody"
	"strongroom/money"
)

// world is a customer's deposits on a chain, moved by custody's rules: what the
// database and the ledger do, in memory.
type world struct {
	t                                testing.TB
	deposits                         []*row
	funding, maturing, debt, equity  money.Units
	spent                            money.Units
	credits, matures, takeBacks, dry int
	open                             bool
	height                           uint64
}

type row struct {
	amount, own   money.Units
	state         custody.DepositState
	canonical     bool
	at            uint64
	house         bool
	listed        bool // a sender is sanctioned
	let           bool // and an operator let it pass
	credit, fully uint64
	round         int
}

func (w *world) facts(d *row) custody.DepositFacts {
	f := custody.DepositFacts{
		Canonical: d.canonical, CreditDepth: d.credit, WithdrawDepth: d.fully, Open: w.open, House: d.house,
		Listed: d.listed && !d.let,
	}
	if d.canonical {
		f.Confirmations = custody.Confirmations(d.at, w.height)
	}
	return f
}

// step advances one deposit by one step, booking what the rules say.
func (w *world) step(d *row) bool {
	next, err := custody.StepDeposit(d.state, w.facts(d))
	if err != nil {
		w.t.Fatal(err)
	}
	switch next.Act {
	case custody.ActCredit:
		w.credits++
		d.round++
		w.credit(d)
	case custody.ActMature:
		w.matures++
		repaid, rest := custody.SplitCredit(d.own, w.debt)
		w.debt, w.maturing, w.funding = less(w.debt, repaid), less(w.maturing, d.own), more(w.funding, rest)
		d.own = money.Units{}
	case custody.ActTakeBack:
		w.takeBacks++
		w.takeBack(d)
	case custody.ActNone:
	}
	if next.Act == custody.ActCredit && d.listed && !d.let {
		w.t.Fatalf("credited what is listed: %+v", d)
	}
	moved := next.State != d.state
	d.state = next.State
	return moved
}

func (w *world) credit(d *row) {
	if d.house {
		w.equity = more(w.equity, d.amount)
		return
	}
	repaid, matures := custody.SplitCredit(d.amount, w.debt)
	w.debt, w.maturing, d.own = less(w.debt, repaid), more(w.maturing, matures), matures
}

func (w *world) takeBack(d *row) {
	if d.house {
		w.equity = less(w.equity, d.amount)
		return
	}
	back := custody.SplitTakeBack(d.amount, d.own, w.maturing, w.funding)
	w.maturing, w.funding = less(w.maturing, back.Maturing), less(w.funding, back.Funding)
	w.debt, d.own = more(w.debt, back.Debt), money.Units{}
	if !back.Debt.IsZero() {
		w.dry++
	}
}

// expected is the reference: what a deposit must be once nothing moves any more,
// told from what happened to it and not from how it got there.
func expected(w *world, d *row) custody.DepositState {
	depth := uint64(0)
	if d.canonical {
		depth = custody.Confirmations(d.at, w.height)
	}
	early, late := max(d.credit, 1), max(d.credit, d.fully, 1)
	switch {
	case !d.canonical && (d.state == custody.DepositQuarantined || d.state == custody.DepositReleased):
		return d.state // only an operator moves it, or a block
	case !d.canonical && d.round == 0:
		return custody.DepositReorged
	case !d.canonical && d.state == custody.DepositReorged:
		return custody.DepositReorged // it came back and left again before it was credited
	case !d.canonical:
		return custody.DepositDebited
	case d.listed && !d.let:
		return custody.DepositQuarantined
	case w.open && depth >= late:
		return custody.DepositWithdrawable
	case w.open && depth >= early && !d.house:
		return custody.DepositCredited
	}
	return "" // it waits: any state that it had reached before
}

// TestMillionCommands throws random histories at the rules. Invariants after
// every command: nothing below zero, and what the customer has, less what they
// owe, is what is booked less what they spent.
func TestMillionCommands(t *testing.T) {
	commands := 1_000_000
	if testing.Short() {
		commands /= 10
	}
	var total world
	for seed := uint64(0); commands > 0; seed++ {
		rng := rand.New(rand.NewPCG(seed, 7))
		w := &world{t: t, open: true, height: 10}
		for range min(250, commands) {
			w.command(rng)
			w.check(seed)
			commands--
		}
		w.settle()
		w.check(seed)
		total.credits += w.credits
		total.matures += w.matures
		total.takeBacks += w.takeBacks
		total.dry += w.dry
	}
	if total.credits == 0 || total.matures == 0 || total.takeBacks == 0 || total.dry == 0 {
		t.Fatalf("the histories never reached some rule: %+v", total)
	}
	t.Logf("credits %d, maturities %d, taken back %d, of which into debt %d", total.credits, total.matures, total.takeBacks, total.dry)
}

func (w *world) command(rng *rand.Rand) {
	const maxDeposits = 12
	if len(w.deposits) < maxDeposits && rng.IntN(8) == 0 {
		w.deposits = append(w.deposits, &row{
			amount: money.FromUint64(1 + rng.Uint64N(1000)), state: custody.DepositSeen, canonical: true,
			at: w.height, house: rng.IntN(6) == 0, listed: rng.IntN(5) == 0, credit: rng.Uint64N(4), fully: rng.Uint64N(7),
		})
		return
	}
	if len(w.deposits) == 0 {
		w.height++
		return
	}
	d := w.deposits[rng.IntN(len(w.deposits))]
	switch rng.IntN(12) {
	case 0, 1, 2:
		w.height++
	case 3:
		w.reorg(rng.Uint64N(6))
	case 4:
		if !d.canonical {
			d.canonical, d.at = true, w.height
		}
	case 5:
		w.open = rng.IntN(5) != 0
		if d.state == custody.DepositQuarantined && rng.IntN(3) == 0 {
			d.state, d.let = custody.DepositReleased, true
		}
	case 6, 7: // a withdrawal: frozen while there is debt
		if w.debt.IsZero() && !w.funding.IsZero() {
			part := money.FromUint64(1 + rng.Uint64N(500))
			part = money.Min(part, w.funding)
			w.funding, w.spent = less(w.funding, part), more(w.spent, part)
		}
	default:
		w.step(d)
	}
}

// reorg takes the newest depth blocks away and puts as many empty ones there.
func (w *world) reorg(depth uint64) {
	for _, d := range w.deposits {
		if d.canonical && d.at+depth > w.height {
			d.canonical = false
		}
	}
}

func (w *world) settle() {
	for _, d := range w.deposits {
		steps := 0
		for ; w.step(d); steps++ {
			if steps >= custody.MaxDepositSteps {
				w.t.Fatalf("deposit does not come to rest: %+v", d)
			}
		}
		if want := expected(w, d); want != "" && d.state != want {
			w.t.Fatalf("deposit %+v at height %d, want %s", d, w.height, want)
		}
	}
}

func (w *world) check(seed uint64) {
	var booked, own, house money.Units
	for _, d := range w.deposits {
		own = more(own, d.own)
		switch {
		case d.house && d.state.Booked():
			house = more(house, d.amount)
		case d.state.Booked():
			booked = more(booked, d.amount)
		}
		if !d.canonical && d.state == custody.DepositConfirming && d.round == 0 && d.own != (money.Units{}) {
			w.t.Fatalf("seed %d: value in maturing without a credit: %+v", seed, d)
		}
	}
	has := more(more(w.funding, w.maturing), w.spent)
	if has != more(booked, w.debt) {
		w.t.Fatalf("seed %d: funding %s + maturing %s + spent %s is not booked %s + debt %s", seed, w.funding, w.maturing, w.spent, booked, w.debt)
	}
	if w.maturing != own || w.equity != house {
		w.t.Fatalf("seed %d: maturing %s, its parts %s; equity %s, its parts %s", seed, w.maturing, own, w.equity, house)
	}
}

func less(a, b money.Units) money.Units {
	r, err := a.Sub(b)
	if err != nil {
		panic(a.String() + " - " + b.String() + " is below zero")
	}
	return r
}

func more(a, b money.Units) money.Units {
	r, err := a.Add(b)
	if err != nil {
		panic(err)
	}
	return r
}

func TestNothingIsCreditedWithoutABlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := custody.DepositFacts{
			Canonical:   rapid.Bool().Draw(t, "canonical"),
			CreditDepth: rapid.Uint64Range(0, 5).Draw(t, "credit"), WithdrawDepth: rapid.Uint64Range(0, 9).Draw(t, "withdraw"),
			Confirmations: rapid.Uint64Range(0, 12).Draw(t, "confirmations"),
			Open:          rapid.Bool().Draw(t, "open"), House: rapid.Bool().Draw(t, "house"), Listed: rapid.Bool().Draw(t, "listed"),
		}
		state := rapid.SampledFrom([]custody.DepositState{
			custody.DepositSeen, custody.DepositConfirming, custody.DepositCredited,
			custody.DepositWithdrawable, custody.DepositReorged, custody.DepositDebited, custody.DepositDust, custody.DepositQuarantined, custody.DepositReleased,
		}).Draw(t, "state")
		next, err := custody.StepDeposit(state, f)
		if err != nil {
			t.Fatal(err)
		}
		if next.Act == custody.ActCredit || next.Act == custody.ActMature {
			if !f.Open || !f.Canonical || f.Confirmations == 0 || f.Confirmations < f.CreditDepth {
				t.Fatalf("%s with %+v gives %+v", state, f, next)
			}
		}
		if next.Act == custody.ActCredit && (state == custody.DepositQuarantined || f.Listed && state != custody.DepositReleased) {
			t.Fatalf("%s with %+v is credited", state, f)
		}
		if (next.Act == custody.ActTakeBack) != (state.Booked() && !f.Canonical) {
			t.Fatalf("%s with %+v gives %+v", state, f, next)
		}
		if state.Booked() != next.State.Booked() && next.Act == custody.ActNone {
			t.Fatalf("%s to %s books nothing", state, next.State)
		}
	})
}

func TestStatesThatWaitForAPerson(t *testing.T) {
	for _, state := range []custody.DepositState{custody.DepositUnattributed, custody.DepositRefunded, "nonsense"} {
		if _, err := custody.StepDeposit(state, custody.DepositFacts{Canonical: true, Open: true}); !errors.Is(err, custody.ErrIllegal) {
			t.Errorf("%s: %v", state, err)
		}
	}
}

func TestDustIsNeverCredited(t *testing.T) {
	minimum := money.FromUint64(1000)
	if got := custody.FirstDepositState(money.FromUint64(999), minimum, false); got != custody.DepositDust {
		t.Errorf("below the minimum: %s", got)
	}
	if got := custody.FirstDepositState(money.FromUint64(1000), minimum, false); got != custody.DepositSeen {
		t.Errorf("at the minimum: %s", got)
	}
	if got := custody.FirstDepositState(money.FromUint64(1), minimum, true); got != custody.DepositSeen {
		t.Errorf("the house's own: %s", got)
	}
	next, err := custody.StepDeposit(custody.DepositDust, custody.DepositFacts{Canonical: true, Confirmations: 99, Open: true})
	if err != nil || next != (custody.DepositStep{State: custody.DepositDust}) {
		t.Errorf("dust after 99 confirmations: %+v, %v", next, err)
	}
}

func TestTakeBackAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) money.Units {
			return money.FromUint64(rapid.Uint64Range(0, 50).Draw(t, name))
		}
		amount, own, maturing, funding := draw("amount"), draw("own"), draw("maturing"), draw("funding")
		got := custody.SplitTakeBack(amount, own, maturing, funding)
		sum, err := money.Sum(got.Maturing, got.Funding, got.Debt)
		if err != nil || sum != amount {
			t.Fatalf("%+v adds up to %s, not %s", got, sum, amount)
		}
		if maturing.Less(got.Maturing) || own.Less(got.Maturing) || funding.Less(got.Funding) {
			t.Fatalf("%+v takes more than there is", got)
		}
		if !got.Debt.IsZero() && got.Funding != funding {
			t.Fatalf("%+v makes debt while %s is available", got, funding)
		}
	})
}
