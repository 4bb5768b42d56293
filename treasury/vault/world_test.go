package vault_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"strongroom/money"
	"strongroom/treasury/intent"
	"strongroom/treasury/vault"
)

// world is a house whose money moves late, by chance and in any order, and that does
// what the planner says.
type world struct {
	t    *rapid.T
	s    *vault.State
	dice *rand.Rand
	due  map[string]int // flow → step at which it is final
	asks []ask
	step int

	in, out, fees, start uint64 // of the house, for conservation
	last                 map[string]*mark
	moves, names         int
}

// ask is an open withdrawal, with the most that its fee may be.
type ask struct {
	hot      string
	amount   uint64
	approved bool
}

// mark is what happened to a hot vault since its last planned move.
type mark struct {
	kind     intent.Action
	plain    bool   // the cap had room for all that was open
	gap      uint64 // that must have moved before the opposite makes sense
	asked    uint64 // by withdrawals since
	received uint64 // by deposits and unspent fees since
}

func number(u money.Units) uint64 {
	n, fits := u.Uint64()
	if !fits {
		panic("larger than the world is")
	}
	return n
}

func newWorld(t *rapid.T, seed uint64) *world {
	s := state(700, 200, 20_000)
	second := hotVault()
	second.ID, second.Shard = "hot-eth-2", 2
	second.Cap, second.Floor, second.Target = units(3_000), units(100), units(600)
	s.Holdings = append(s.Holdings, vault.Holding{Vault: second, Final: units(300)})
	s.Proofs = append(s.Proofs, vault.Proof{Vault: second.ID, At: now().Unix()})
	w := &world{t: t, s: s, dice: rand.New(rand.NewPCG(seed, 7)), due: map[string]int{}, last: map[string]*mark{}}
	for _, h := range s.Holdings {
		w.start += number(h.Final)
	}
	return w
}

func (w *world) holding(id string) *vault.Holding {
	for i := range w.s.Holdings {
		if w.s.Holdings[i].Vault.ID == id {
			return &w.s.Holdings[i]
		}
	}
	return nil
}

func (w *world) add(f vault.Flow) {
	w.names++
	f.ID = fmt.Sprintf("%s#%d", f.ID, w.names)
	w.s.Flows = append(w.s.Flows, f)
	w.due[f.ID] = w.step + 1 + w.dice.IntN(40)
}

// happen is one thing that nobody planned.
func (w *world) happen() {
	hot := []string{"hot-eth-1", "hot-eth-2"}[w.dice.IntN(2)]
	amount := 1 + w.dice.Uint64N(600)
	switch w.dice.IntN(8) {
	case 0:
		w.add(vault.Flow{ID: "deposit", To: hot, Amount: units(amount), Stage: vault.Sent})
		w.since(hot, 0, amount)
	case 1, 2:
		w.asks = append(w.asks, ask{hot: hot, amount: amount})
		w.since(hot, amount, 0)
	case 3, 4:
		if n := len(w.asks); n > 0 {
			w.asks[w.dice.IntN(n)].approved = true
		}
	case 5:
		w.reject()
	case 6:
		if w.dice.IntN(4) == 0 {
			w.proofs(int64(w.dice.IntN(2 * proofDays)))
		}
	}
	w.pay()
	w.pass(false)
}

func (w *world) since(hot string, asked, received uint64) {
	if m := w.last[hot]; m != nil {
		m.asked, m.received = m.asked+asked, m.received+received
	}
}

// proofs makes one vault's proof of control that many days old.
func (w *world) proofs(days int64) {
	w.s.Proofs[w.dice.IntN(len(w.s.Proofs))].At = now().Unix() - days*24*3600
}

// reject takes a proposed move back, as people may.
func (w *world) reject() {
	i := slices.IndexFunc(w.s.Flows, func(f vault.Flow) bool { return f.Stage == vault.Proposed })
	if i >= 0 {
		w.s.Flows = slices.Delete(w.s.Flows, i, i+1)
	}
}

// pay signs approved withdrawals that their vault has the money for.
func (w *world) pay() {
	free := map[string]money.Units{"hot-eth-1": w.balance("hot-eth-1").Free, "hot-eth-2": w.balance("hot-eth-2").Free}
	w.asks = slices.DeleteFunc(w.asks, func(a ask) bool {
		if !a.approved {
			return false
		}
		if a.amount <= 2 { // eaten by its fee
			return true
		}
		left, err := free[a.hot].Sub(units(a.amount))
		if err != nil {
			return false
		}
		free[a.hot] = left
		w.add(vault.Flow{ID: "withdrawal", From: a.hot, Amount: units(a.amount - 2), Fee: units(2), Stage: vault.Signed})
		return true
	})
	for i := range w.s.Holdings {
		h := &w.s.Holdings[i]
		var all, approved uint64
		for _, a := range w.asks {
			if a.hot != h.Vault.ID {
				continue
			}
			if all += a.amount; a.approved {
				approved += a.amount
			}
		}
		h.Open, h.Approved = units(all), units(approved)
	}
}

// pass lets time go by: flows come further, and those that are due are final.
func (w *world) pass(all bool) {
	w.step++
	w.s.Flows = slices.DeleteFunc(w.s.Flows, func(f vault.Flow) bool {
		if !all && w.due[f.ID] > w.step {
			return false
		}
		fee := uint64(0)
		if most := number(f.Fee); most > 0 {
			fee = w.dice.Uint64N(most + 1)
		}
		if from := w.holding(f.From); from != nil {
			left, err := from.Final.Sub(units(number(f.Amount) + fee))
			if err != nil {
				w.t.Fatalf("step %d: %s pays what it does not hold", w.step, f.From)
			}
			from.Final = left
			w.fees += fee
			w.since(f.From, 0, number(f.Fee)-fee)
		} else {
			w.in += number(f.Amount)
		}
		if to := w.holding(f.To); to != nil {
			to.Final, _ = to.Final.Add(f.Amount)
		} else {
			w.out += number(f.Amount)
		}
		return true
	})
	for i := range w.s.Flows {
		if left := w.due[w.s.Flows[i].ID] - w.step; left < 20 && w.s.Flows[i].Stage == vault.Proposed {
			w.s.Flows[i].Stage = vault.Signed
		} else if left < 10 {
			w.s.Flows[i].Stage = vault.Sent
		}
	}
}

func (w *world) balance(id string) vault.Balance {
	all, err := vault.Balances(w.s)
	if err != nil {
		w.t.Fatal(err)
	}
	return all[slices.IndexFunc(all, func(b vault.Balance) bool { return b.Vault.ID == id })]
}

// cycle does what the planner says, and holds it to what it promises.
func (w *world) cycle() int {
	recalls, err := vault.Recalls(w.s)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range recalls {
		w.s.Flows = slices.DeleteFunc(w.s.Flows, func(f vault.Flow) bool { return f.ID == r.Flow })
	}
	moves := 0
	for _, plan := range []func(*vault.State) (vault.Plan, error){vault.Sweeps, vault.Refills} {
		p, err := plan(w.s)
		if err != nil {
			w.t.Fatal(err)
		}
		for i := range p.Moves {
			w.judge(&p.Moves[i])
			moves++
		}
		again, err := plan(w.s)
		if err != nil || len(again.Moves) > 0 {
			w.t.Fatalf("step %d: planned again while pending: %v, %v, after %v", w.step, short(again.Moves), err, short(p.Moves))
		}
		for _, h := range again.Held {
			if h.Why == "" || h.Amount.IsZero() {
				w.t.Fatalf("held without a reason: %+v", h)
			}
		}
	}
	if some, err := vault.Recalls(w.s); err != nil || len(some) > 0 {
		w.t.Fatalf("step %d: recalls what was just planned: %+v, %v", w.step, some, err)
	}
	w.moves += moves
	return moves
}

// judge holds one planned move to the rules, then makes it.
func (w *world) judge(m *vault.Move) {
	from, to := w.balance(m.From), w.balance(m.To)
	var sum uint64
	for _, part := range m.Parts {
		if w.s.Terms.Limit.Less(part) || part.Less(w.s.Terms.Least) {
			w.t.Fatalf("a part of %s: %+v", part, m)
		}
		sum += number(part)
	}
	cost := sum + uint64(len(m.Parts))*number(m.Fee)
	if sum != number(m.Amount) || from.Free.Less(units(cost)) || !to.Accepts {
		w.t.Fatalf("step %d: %s has %s free, %s accepts: %v; %+v", w.step, m.From, from.Free, m.To, to.Accepts, m)
	}
	for _, f := range w.s.Flows {
		if f.From == m.From && f.To == m.To && !strings.HasPrefix(f.ID, "just") || f.From == m.To && f.To == m.From {
			w.t.Fatalf("step %d: %s is open between the two: %+v", w.step, f.ID, m)
		}
	}
	left := number(from.Free) - cost
	if m.Kind == intent.Sweep {
		w.judgeSweep(m, from, to, left, sum)
	} else {
		w.judgeRefill(m, from, to, left, sum)
	}
	for _, f := range m.Flows("move") {
		w.add(f)
	}
}

func (w *world) judgeSweep(m *vault.Move, from, to vault.Balance, left, sum uint64) {
	room := number(from.Vault.Cap) - 17*number(w.s.Terms.Fee) - number(w.s.Terms.Least)
	stays := number(from.Vault.Target) + number(from.Open)
	if left < min(stays, room) || to.Vault.Tier == vault.Warm && number(to.Projected)+sum > number(to.Vault.Target) {
		w.t.Fatalf("step %d: leaves %d in %s: %+v", w.step, left, from.Vault.ID, m)
	}
	if last := w.last[m.From]; last != nil && last.kind == intent.Refill && last.received <= last.gap {
		w.t.Fatalf("step %d: swept after a refill, and only %d came since (gap %d): %+v", w.step, last.received, last.gap, m)
	}
	w.last[m.From] = &mark{kind: intent.Sweep, plain: stays <= room, gap: number(from.Vault.Target) - number(from.Vault.Floor)}
}

func (w *world) judgeRefill(m *vault.Move, from, to vault.Balance, left, sum uint64) {
	has := number(to.Projected) + sum
	if left < number(from.Vault.Floor) || has > number(to.Vault.Cap) {
		w.t.Fatalf("step %d: leaves %d in %s, %d in %s: %+v", w.step, left, m.From, has, m.To, m)
	}
	if last := w.last[m.To]; last != nil && last.kind == intent.Sweep && last.plain && last.asked <= last.gap {
		w.t.Fatalf("step %d: refilled after a sweep, and only %d was asked for since (gap %d): %+v", w.step, last.asked, last.gap, m)
	}
	w.last[m.To] = &mark{kind: intent.Refill, gap: number(to.Vault.Cap) - has}
}

// conserve holds what there is to what came and went.
func (w *world) conserve() {
	var sum uint64
	for _, h := range w.s.Holdings {
		sum += number(h.Final)
	}
	if want := w.start + w.in - w.out - w.fees; sum != want {
		w.t.Fatalf("step %d: the house holds %d, and should %d", w.step, sum, want)
	}
}
