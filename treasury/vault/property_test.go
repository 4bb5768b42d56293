package vault_test

import (
	"testing"

	"pgregory.net/rapid"

	"strongroom/money"
	"strongroom/treasury/vault"
)

const (
	worldSteps = 1_000
	calmEvery  = 100
	calmCycles = 40
)

// TestAThousandSteps: over chance flows that are final late, nothing moves that is
// not there, nothing moves twice or to and fro, all is conserved, and when the flows
// come to rest each hot vault is at or under its cap.
func TestAThousandSteps(t *testing.T) {
	moves := 0
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"))
		if rapid.Bool().Draw(t, "no limit") {
			w.s.Terms.Limit = units(0)
		}
		w.s.Terms.Fee = units(rapid.Uint64Range(0, 2).Draw(t, "fee"))
		limited := !w.s.Terms.Limit.IsZero()
		if !limited { // the world's own checks want a figure
			w.s.Terms.Limit = units(1 << 40)
		}
		for w.step < worldSteps {
			w.happen()
			w.cycle()
			w.conserve()
			if w.step%calmEvery == 0 {
				calm(t, w)
			}
		}
		moves += w.moves
	})
	if moves == 0 {
		t.Fatal("nothing was ever moved")
	}
	t.Logf("%d moves", moves)
}

// calm lets all flows end while everybody can prove control of their keys.
func calm(t *rapid.T, w *world) {
	for i := range w.s.Proofs {
		w.s.Proofs[i].At = now().Unix()
	}
	for range calmCycles {
		w.pass(true)
		w.pay()
		if w.cycle() == 0 && len(w.s.Flows) == 0 {
			break
		}
	}
	w.conserve()
	if len(w.s.Flows) > 0 {
		t.Fatalf("step %d: it does not come to rest", w.step)
	}
	for _, h := range w.s.Holdings {
		if h.Vault.Tier == vault.Hot && h.Vault.Cap.Less(h.Final) {
			t.Fatalf("step %d: %s holds %s, its cap is %s", w.step, h.Vault.ID, h.Final, h.Vault.Cap)
		}
	}
}

// TestAgainstSearch compares amounts with what a search through all amounts finds,
// for one hot and one cold vault.
func TestAgainstSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := func(name string, most uint64) uint64 { return rapid.Uint64Range(0, most).Draw(t, name) }
		s := state(n("hot", 4_000), 0, n("cold", 2_000))
		s.Holdings = append(s.Holdings[:1], s.Holdings[2])
		s.Terms = vault.Terms{Fee: units(n("fee", 8)), FeeShare: 1 + n("share", 9_999), Least: units(n("least", 40))}
		s.Holdings[1].Vault.Floor = units(n("floor", 200))
		if bound := n("bound", 3_000); bound > 200 {
			s.Holdings[1].Vault.Cap = units(bound)
		}
		asked := n("open", 1_500)
		s.Holdings[0].Open, s.Holdings[0].Approved = units(asked), units(n("approved", asked))
		if amount := n("leaves", 800); amount > 0 {
			flow("hot-eth-1", "", amount, 1)(s)
		}
		if amount := n("comes", 400); amount > 0 {
			s.Flows = append(s.Flows, vault.Flow{ID: "comes", To: "hot-eth-1", Amount: units(amount), Stage: vault.Sent})
		}
		worth, err := s.Terms.Worth()
		if err != nil {
			t.Fatal(err)
		}
		if limit := n("limit", 500); limit > 0 {
			s.Terms.Limit = units(limit + 2*number(worth))
		}
		sweeps, err := vault.Sweeps(s)
		if err != nil {
			t.Fatal(err)
		}
		refills, err := vault.Refills(s)
		if err != nil {
			t.Fatal(err)
		}
		wantSweep, wantRefill := search(s)
		if total(sweeps) != wantSweep || total(refills) != wantRefill {
			t.Fatalf("sweeps %d, refills %d; the search finds %d and %d: %+v", total(sweeps), total(refills), wantSweep, wantRefill, s)
		}
	})
}

func total(p vault.Plan) (sum uint64) {
	for _, m := range p.Moves {
		sum += number(m.Amount)
	}
	return sum
}

// search tries all amounts.
func search(s *vault.State) (sweep, refill uint64) {
	hot, cold := s.Holdings[0], s.Holdings[1]
	var in, out uint64
	for _, f := range s.Flows {
		if f.To == hot.Vault.ID {
			in += number(f.Amount)
		} else {
			out += number(f.Amount) + number(f.Fee)
		}
	}
	final, limit, fee := int64(number(hot.Final)), int64(number(s.Terms.Limit)), int64(number(s.Terms.Fee))
	free, projected := max(0, final-int64(out)), max(0, final+int64(in)-int64(out))
	limitCap, target, floor := int64(number(hot.Vault.Cap)), int64(number(hot.Vault.Target)), int64(number(hot.Vault.Floor))
	worth := max(1, int64(number(s.Terms.Least)), (fee*10_000+int64(s.Terms.FeeShare)-1)/int64(s.Terms.FeeShare))
	room := max(0, limitCap-17*fee-worth)
	coldFinal, coldFloor, coldCap := int64(number(cold.Final)), int64(number(cold.Vault.Floor)), int64(number(cold.Vault.Cap))
	for x := int64(1); x <= 5_000; x++ {
		n := int64(1)
		if limit > 0 {
			n = (x + limit - 1) / limit
		}
		if n > vault.MaxParts || x < worth {
			continue
		}
		if free > limitCap && free-x-n*fee >= min(target+int64(number(hot.Open)), room) && (coldCap == 0 || coldFinal+x <= coldCap) {
			sweep = uint64(x)
		}
		approved := int64(number(hot.Approved))
		if projected < min(floor+approved, room) && projected+x <= min(target+approved, limitCap) && coldFinal-x-n*fee >= coldFloor {
			refill = uint64(x)
		}
	}
	return sweep, refill
}

// TestHugeAmounts: at the edge of 256 bits there is an error or a plan that its vault
// can pay, never a wrapped number.
func TestHugeAmounts(t *testing.T) {
	huge := rapid.Custom(func(t *rapid.T) money.Units {
		var b [32]byte
		copy(b[:], rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 127, 255}), 32, 32).Draw(t, "bytes"))
		if rapid.Bool().Draw(t, "small") {
			copy(b[:30], make([]byte, 30))
		}
		return money.FromBytes32(b)
	})
	rapid.Check(t, func(t *rapid.T) {
		s := state(0, 0, 0)
		for i := range s.Holdings {
			h := &s.Holdings[i]
			h.Final = huge.Draw(t, "final")
			if i == 0 {
				h.Vault.Cap, h.Open = huge.Draw(t, "cap"), huge.Draw(t, "open")
				h.Approved = money.Min(h.Open, huge.Draw(t, "approved"))
			}
		}
		s.Terms.Fee, s.Terms.Limit = huge.Draw(t, "fee"), huge.Draw(t, "limit")
		s.Flows = []vault.Flow{{ID: "f", From: "hot-eth-1", Amount: huge.Draw(t, "amount"), Fee: huge.Draw(t, "its fee"), Stage: vault.Sent}}
		for _, plan := range []func(*vault.State) (vault.Plan, error){vault.Sweeps, vault.Refills} {
			p, err := plan(s)
			if err != nil {
				continue
			}
			all, err := vault.Balances(s)
			if err != nil {
				t.Fatal(err)
			}
			spent := map[string]money.Units{}
			for _, m := range p.Moves {
				for _, part := range m.Parts {
					spent[m.From], err = money.Sum(spent[m.From], part, m.Fee)
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			for _, b := range all {
				if b.Free.Less(spent[b.Vault.ID]) {
					t.Fatalf("%s has %s free and is to pay %s", b.Vault.ID, b.Free, spent[b.Vault.ID])
				}
			}
		}
	})
}
