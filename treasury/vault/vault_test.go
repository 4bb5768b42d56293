package vault_test

import (
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"strongroom/money"
	"strongroom/treasury/intent"
	"strongroom/treasury/vault"
)

const proofDays = 30

func units(n uint64) money.Units { return money.FromUint64(n) }

func now() time.Time { return time.Date(2030, 5, 6, 12, 0, 0, 0, time.UTC) }

func hotVault() vault.Vault {
	return vault.Vault{
		ID: "hot-eth-1", Asset: "ETH", Chain: "eth", Tier: vault.Hot, Shard: 1, Address: "0xh1",
		Cap: units(1_000), Floor: units(200), Target: units(500), ProofDays: proofDays,
	}
}

func warmVault() vault.Vault {
	return vault.Vault{
		ID: "warm-eth", Asset: "ETH", Chain: "eth", Tier: vault.Warm, Address: "0xw",
		Cap: units(600), Floor: units(50), Target: units(300), ProofDays: proofDays,
	}
}

func coldVault() vault.Vault {
	return vault.Vault{ID: "cold-eth", Asset: "ETH", Chain: "eth", Tier: vault.Cold, Address: "0xc", ProofDays: proofDays}
}

// state is a house with one vault of each tier, all of them proven today.
func state(hot, warm, cold uint64) *vault.State {
	s := &vault.State{
		Asset: money.Asset{Code: "ETH"}, Chain: "eth", Now: now(),
		Terms: vault.Terms{Limit: units(400), Fee: units(1), FeeShare: 1_000, Least: units(20)},
		Holdings: []vault.Holding{
			{Vault: hotVault(), Final: units(hot)},
			{Vault: warmVault(), Final: units(warm)},
			{Vault: coldVault(), Final: units(cold)},
		},
	}
	for _, h := range s.Holdings {
		s.Proofs = append(s.Proofs, vault.Proof{Vault: h.Vault.ID, At: now().Unix()})
	}
	return s
}

// pay is a planned move in short.
type pay struct {
	kind     intent.Action
	from, to string
	parts    []uint64
}

func short(moves []vault.Move) []pay {
	var some []pay
	for _, m := range moves {
		p := pay{kind: m.Kind, from: m.From, to: m.To}
		for _, part := range m.Parts {
			n, _ := part.Uint64()
			p.parts = append(p.parts, n)
		}
		some = append(some, p)
	}
	return some
}

func sweepTo(to string, parts ...uint64) pay { return pay{intent.Sweep, "hot-eth-1", to, parts} }
func refillOf(from string, parts ...uint64) pay {
	return pay{intent.Refill, from, "hot-eth-1", parts}
}

func TestSweeps(t *testing.T) {
	for name, c := range map[string]struct {
		hot, warm uint64
		change    func(*vault.State)
		want      []pay
		held      uint64
	}{
		"at the cap":                     {hot: 1_000, warm: 300},
		"one above it":                   {hot: 1_001, warm: 300, want: []pay{sweepTo("cold-eth", 250, 249)}}, // 1001-500, less two fees
		"warm first up to its target":    {hot: 1_001, warm: 200, want: []pay{sweepTo("warm-eth", 100), sweepTo("cold-eth", 399)}},
		"what warm gets anyway":          {hot: 1_001, warm: 100, change: flow("", "warm-eth", 100, 0), want: []pay{sweepTo("warm-eth", 100), sweepTo("cold-eth", 399)}},
		"warm has more than cold":        {hot: 1_001, warm: 0, want: []pay{sweepTo("warm-eth", 300), sweepTo("cold-eth", 199)}},
		"no small change for cold":       {hot: 1_001, warm: 0, change: warmTarget(490), want: []pay{sweepTo("warm-eth", 239, 239), sweepTo("cold-eth", 20)}},
		"a warm vault with little room":  {hot: 1_001, warm: 285, want: []pay{sweepTo("cold-eth", 250, 249)}},
		"what withdrawals need stays":    {hot: 1_301, warm: 300, change: open(300, 0), want: []pay{sweepTo("cold-eth", 250, 249)}},
		"they count up to the cap":       {hot: 1_301, warm: 300, change: open(5_000, 0), want: []pay{sweepTo("cold-eth", 337)}}, // keeps 1000, less 17 fees and 20
		"what leaves already is gone":    {hot: 1_301, warm: 300, change: flow("hot-eth-1", "", 299, 2)},
		"what has not arrived stays":     {hot: 900, warm: 300, change: flow("", "hot-eth-1", 500, 0)},
		"not while a refill is open":     {hot: 1_301, warm: 300, change: flow("warm-eth", "hot-eth-1", 100, 1), held: 301},
		"not where one is open":          {hot: 2_000, warm: 300, change: flow("hot-eth-1", "cold-eth", 100, 1), held: 899},
		"not to who has lost their keys": {hot: 1_301, warm: 300, change: lapsed(2), held: 301},
		"to warm where cold takes none":  {hot: 1_301, warm: 200, change: lapsed(2), want: []pay{sweepTo("warm-eth", 100)}, held: 200},
		"a full cold vault":              {hot: 1_301, warm: 300, change: func(s *vault.State) { s.Holdings[2].Vault.Cap = units(100) }, want: []pay{sweepTo("cold-eth", 90)}, held: 210},
		"no limit of the policy":         {hot: 9_000, warm: 300, change: func(s *vault.State) { s.Terms.Limit = units(0) }, want: []pay{sweepTo("cold-eth", 8_499)}},
	} {
		s := state(c.hot, c.warm, 10)
		if c.change != nil {
			c.change(s)
		}
		p, err := vault.Sweeps(s)
		if err != nil || !reflect.DeepEqual(short(p.Moves), c.want) {
			t.Errorf("%s: %v, %v; want %v", name, short(p.Moves), err, c.want)
		}
		checkHeld(t, name, p.Held, c.held)
	}
}

func TestRefills(t *testing.T) {
	for name, c := range map[string]struct {
		hot, warm, cold uint64
		change          func(*vault.State)
		want            []pay
		held            uint64
	}{
		"at the floor":                     {hot: 200, warm: 300, cold: 900},
		"one below it":                     {hot: 199, warm: 600, cold: 900, want: []pay{refillOf("warm-eth", 301)}},
		"warm leaves its floor, then cold": {hot: 199, warm: 150, cold: 900, want: []pay{refillOf("warm-eth", 99), refillOf("cold-eth", 202)}},
		"parts of one size":                {hot: 0, warm: 0, cold: 900, want: []pay{refillOf("cold-eth", 250, 250)}},
		"an approved withdrawal":           {hot: 500, warm: 0, cold: 900, change: open(301, 301), want: []pay{refillOf("cold-eth", 301)}},
		"one that people judge":            {hot: 500, warm: 0, cold: 900, change: open(301, 0)},
		"never above the cap":              {hot: 500, warm: 0, cold: 9_000, change: open(5_000, 5_000), want: []pay{refillOf("cold-eth", 250, 250)}},
		"what is on its way counts":        {hot: 0, warm: 0, cold: 900, change: flow("", "hot-eth-1", 200, 0)},
		"what is promised is gone":         {hot: 300, warm: 0, cold: 900, change: flow("hot-eth-1", "", 150, 1), want: []pay{refillOf("cold-eth", 351)}},
		"not while a sweep is open":        {hot: 100, warm: 0, cold: 900, change: flow("hot-eth-1", "cold-eth", 50, 1), held: 151},
		"not where one is open":            {hot: 100, warm: 0, cold: 900, change: flow("cold-eth", "hot-eth-1", 50, 1), held: 50},
		"promised elsewhere":               {hot: 100, warm: 0, cold: 900, change: flow("cold-eth", "", 890, 0), held: 100},
		"not into lost keys":               {hot: 100, warm: 0, cold: 900, change: lapsed(0), held: 100},
		"as much as there is":              {hot: 0, warm: 0, cold: 101, want: []pay{refillOf("cold-eth", 100)}, held: 100},
		"nothing that is not worth it":     {hot: 0, warm: 0, cold: 20, held: 200},
	} {
		s := state(c.hot, c.warm, c.cold)
		if c.change != nil {
			c.change(s)
		}
		p, err := vault.Refills(s)
		if err != nil || !reflect.DeepEqual(short(p.Moves), c.want) {
			t.Errorf("%s: %v, %v; want %v", name, short(p.Moves), err, c.want)
		}
		checkHeld(t, name, p.Held, c.held)
	}
}

func checkHeld(t *testing.T, name string, held []vault.Held, want uint64) {
	t.Helper()
	var sum money.Units
	for _, h := range held {
		sum, _ = sum.Add(h.Amount)
		if h.Why == "" {
			t.Errorf("%s: nothing says why %s is held", name, h.Amount)
		}
	}
	if sum != units(want) {
		t.Errorf("%s: %s is held, want %d: %+v", name, sum, want, held)
	}
}

func open(all, approved uint64) func(*vault.State) {
	return func(s *vault.State) { s.Holdings[0].Open, s.Holdings[0].Approved = units(all), units(approved) }
}

func flow(from, to string, amount, fee uint64) func(*vault.State) {
	return func(s *vault.State) {
		s.Flows = append(s.Flows, vault.Flow{ID: "f" + from + to, From: from, To: to, Amount: units(amount), Fee: units(fee), Stage: vault.Proposed})
	}
}

func warmTarget(n uint64) func(*vault.State) {
	return func(s *vault.State) { s.Holdings[1].Vault.Target = units(n) }
}

func lapsed(i int) func(*vault.State) {
	return func(s *vault.State) { s.Proofs[i].At -= proofDays * 24 * 3600 }
}

// TestWhoCannotPayComesFirst: of two shards that run low the one with an approved
// withdrawal is served first where there is not enough for both.
func TestWhoCannotPayComesFirst(t *testing.T) {
	s := state(100, 0, 500)
	second := vault.Holding{Vault: hotVault(), Final: units(100), Open: units(250), Approved: units(250)}
	second.Vault.ID, second.Vault.Shard = "hot-eth-2", 2
	s.Holdings = append(s.Holdings, second)
	s.Proofs = append(s.Proofs, vault.Proof{Vault: "hot-eth-2", At: now().Unix()})
	p, err := vault.Refills(s)
	if err != nil || len(p.Moves) != 1 || p.Moves[0].To != "hot-eth-2" || len(p.Held) != 1 || p.Held[0].Vault != "hot-eth-1" {
		t.Fatalf("%+v, %v", p, err)
	}
}

// TestAPlanHasABound: no more transactions than MaxParts are under way to refill or to
// sweep one vault, whoever is at the other side.
func TestAPlanHasABound(t *testing.T) {
	for name, c := range map[string]struct {
		hot  uint64
		plan func(*vault.State) (vault.Plan, error)
	}{"sweep": {9_000, vault.Sweeps}, "refill": {0, vault.Refills}} {
		s := state(c.hot, 0, 9_000)
		s.Terms.Limit = units(40)
		s.Holdings[1].Vault.Target, s.Holdings[1].Vault.Floor = units(500), units(0) // 13 parts
		open(500, 500)(s)
		if name == "refill" {
			s.Holdings[1].Final = units(500)
		}
		p, err := c.plan(s)
		if err != nil || len(p.Moves) != 2 || len(p.Moves[0].Parts)+len(p.Moves[1].Parts) != vault.MaxParts {
			t.Fatalf("%s: %v, %v", name, short(p.Moves), err)
		}
		another := vault.Holding{Vault: coldVault(), Final: units(9_000)}
		another.Vault.ID = "cold-eth-2"
		s.Holdings = append(s.Holdings, another)
		s.Proofs = append(s.Proofs, vault.Proof{Vault: another.Vault.ID, At: now().Unix()})
		for i, m := range p.Moves {
			s.Flows = append(s.Flows, m.Flows("move "+strconv.Itoa(i))...)
		}
		if p, err = c.plan(s); err != nil || len(p.Moves) != 0 || len(p.Held) != 1 {
			t.Errorf("%s: again: %v, %+v, %v", name, short(p.Moves), p.Held, err)
		}
	}
}

func TestRecalls(t *testing.T) {
	for name, c := range map[string]struct {
		hot    uint64
		change []func(*vault.State)
		want   []string
	}{
		"a sweep that can be spared":        {hot: 900, change: []func(*vault.State){flow("hot-eth-1", "cold-eth", 400, 1)}},
		"one that cannot":                   {hot: 900, change: []func(*vault.State){flow("hot-eth-1", "cold-eth", 700, 1)}, want: []string{"fhot-eth-1cold-eth"}},
		"one that withdrawals need":         {hot: 900, change: []func(*vault.State){flow("hot-eth-1", "cold-eth", 400, 1), open(300, 300)}, want: []string{"fhot-eth-1cold-eth"}},
		"only as many as it takes":          {hot: 900, change: []func(*vault.State){flow("hot-eth-1", "cold-eth", 400, 1), flow("hot-eth-1", "warm-eth", 400, 1)}, want: []string{"fhot-eth-1cold-eth"}},
		"a refill that fits":                {hot: 600, change: []func(*vault.State){flow("cold-eth", "hot-eth-1", 400, 1)}},
		"one that is too much now":          {hot: 601, change: []func(*vault.State){flow("cold-eth", "hot-eth-1", 400, 1)}, want: []string{"fcold-ethhot-eth-1"}},
		"one to keys that may be lost":      {hot: 900, change: []func(*vault.State){flow("hot-eth-1", "cold-eth", 400, 1), lapsed(2)}, want: []string{"fhot-eth-1cold-eth"}},
		"nothing that is signed":            {hot: 900, change: []func(*vault.State){flow("hot-eth-1", "cold-eth", 700, 1), func(s *vault.State) { s.Flows[0].Stage = vault.Signed }}},
		"not what customers are being paid": {hot: 900, change: []func(*vault.State){flow("hot-eth-1", "", 800, 1)}},
	} {
		s := state(c.hot, 300, 1_000)
		for _, change := range c.change {
			change(s)
		}
		some, err := vault.Recalls(s)
		if err != nil {
			t.Fatal(name, err)
		}
		var ids []string
		for _, r := range some {
			ids = append(ids, r.Flow)
		}
		if !reflect.DeepEqual(ids, c.want) {
			t.Errorf("%s: %v, want %v", name, some, c.want)
		}
	}
}

// TestBadStateNamesTheField: whatever contradicts itself is refused in words.
func TestBadStateNamesTheField(t *testing.T) {
	for want, spoil := range map[string]func(*vault.State){
		"id":                                     func(s *vault.State) { s.Holdings[0].Vault.ID = "Hot" },
		"id: it is there twice":                  func(s *vault.State) { s.Holdings[1] = s.Holdings[2] },
		"asset, chain: name both":                func(s *vault.State) { s.Holdings[0].Vault.Chain = "" },
		"this is about ETH on eth":               func(s *vault.State) { s.Holdings[0].Vault.Chain = "btc" },
		"tier":                                   func(s *vault.State) { s.Holdings[0].Vault.Tier = "luke" },
		"only hot vaults":                        func(s *vault.State) { s.Holdings[1].Vault.Shard = 1 },
		"another hot vault":                      func(s *vault.State) { s.Holdings[1].Vault = hotVault(); s.Holdings[1].Vault.ID = "hot-2" },
		"give one of them":                       func(s *vault.State) { s.Holdings[0].Vault.Descriptor = "wsh()" },
		"printable ASCII":                        func(s *vault.State) { s.Holdings[0].Vault.Address = "0x h" },
		"floor, target, cap: floor":              func(s *vault.State) { s.Holdings[0].Vault.Target = units(1_000) },
		"floor, target, cap: a warm":             func(s *vault.State) { s.Holdings[1].Vault.Cap = units(299) },
		"target: a cold":                         func(s *vault.State) { s.Holdings[2].Vault.Target = units(1) },
		"floor, cap":                             func(s *vault.State) { s.Holdings[2].Vault.Floor, s.Holdings[2].Vault.Cap = units(2), units(1) },
		"proofDays":                              func(s *vault.State) { s.Holdings[2].Vault.ProofDays = 367 },
		"approved":                               open(1, 2),
		"open":                                   func(s *vault.State) { s.Holdings[1].Open = units(1) },
		"flow \"fhot-eth-1hot-eth-1\": from, to": flow("hot-eth-1", "hot-eth-1", 1, 0),
		"a vault of this asset":                  flow("hot-eth-1", "cold-btc", 1, 0),
		"amount: above zero":                     flow("hot-eth-1", "", 0, 0),
		"id: each has one": func(s *vault.State) {
			flow("hot-eth-1", "", 1, 0)(s)
			s.Flows = append(s.Flows, s.Flows[0])
		},
		"stage":           func(s *vault.State) { flow("hot-eth-1", "", 1, 0)(s); s.Flows[0].Stage = "" },
		"feeShare":        func(s *vault.State) { s.Terms.FeeShare = 0 },
		"limit: at least": func(s *vault.State) { s.Terms.Limit = units(39) },
		"64":              func(s *vault.State) { s.Holdings = make([]vault.Holding, vault.MaxVaults+1) },
	} {
		s := state(500, 300, 1_000)
		spoil(s)
		_, sweeps := vault.Sweeps(s)
		_, refills := vault.Refills(s)
		_, recalls := vault.Recalls(s)
		_, balances := vault.Balances(s)
		for _, err := range []error{sweeps, refills, recalls, balances} {
			if !errors.Is(err, vault.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", want, err)
			}
		}
	}
}

func TestBalances(t *testing.T) {
	s := state(900, 300, 1_000)
	flow("hot-eth-1", "cold-eth", 400, 1)(s)
	flow("", "hot-eth-1", 50, 0)(s)
	lapsed(2)(s)
	all, err := vault.Balances(s)
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	cold, hot := all[0], all[1]
	if hot.Free != units(499) || hot.Projected != units(549) || hot.Out != units(401) || !hot.Accepts {
		t.Errorf("hot: %+v", hot)
	}
	if cold.Free != units(1_000) || cold.Projected != units(1_400) || cold.Accepts {
		t.Errorf("cold: %+v", cold)
	}
}
