package treasurypages

import (
	"fmt"
	"math/big"
	"strconv"

	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/vault"
)

// vaultsView is what is where.
type vaultsView struct {
	shell

	Sides  []side
	Drills []drill
}

// side is the vaults of one asset on one chain.
type side struct {
	Asset, Chain, Total string
	Vaults              []vaultLine
	Plan                []string // what should move now
	Held                []string // what should and cannot
}

type vaultLine struct {
	ID, Tier, Final, Free, Projected, In, Out, Open string
	Floor, Target, Cap                              string
	Scale                                           gauge
	State                                           string // "above its cap", "below its floor"
	Accepts                                         bool
}

// gauge is a vault's bar, in thousandths of its width.
type gauge struct{ Final, Projected, Floor, Target, Cap string }

type drill struct{ Vault, Last, Lapses, State string }

func (p *Pages) vaults(pg *page) error {
	rows, err := p.cfg.Vaults.Vaults(pg.Context())
	if err != nil {
		return err
	}
	v := vaultsView{shell: pg.at("vaults", "Vaults")}
	seen := map[string]bool{}
	for i := range rows {
		asset, chain := rows[i].Asset, rows[i].Chain
		if seen[asset+"\x00"+chain] {
			continue
		}
		seen[asset+"\x00"+chain] = true
		known, ok := p.cfg.Assets(asset)
		if !ok {
			return fmt.Errorf("%w: asset %s of vault %s", treasury.ErrUnknown, asset, rows[i].ID)
		}
		state, err := p.cfg.Vaults.State(pg.Context(), known, chain, p.cfg.Terms(asset))
		if err != nil {
			return err
		}
		if err := p.addSide(&v, &state); err != nil {
			return err
		}
	}
	return p.show(pg, "vaults.html", v)
}

// addSide is pure.
func (p *Pages) addSide(v *vaultsView, state *vault.State) error {
	balances, err := vault.Balances(state)
	if err != nil {
		return fmt.Errorf("balances of %s: %w", state.Asset.Code, err)
	}
	s := side{Asset: state.Asset.Code, Chain: state.Chain}
	var total money.Units
	vaults := make([]vault.Vault, len(balances))
	for i := range balances {
		if total, err = total.Add(balances[i].Final); err != nil {
			return fmt.Errorf("sum of %s: %w", state.Asset.Code, err)
		}
		vaults[i] = balances[i].Vault
		s.Vaults = append(s.Vaults, p.vaultLine(state.Asset.Code, &balances[i]))
	}
	s.Total = p.amount(s.Asset, total)
	for _, planner := range []func(*vault.State) (vault.Plan, error){vault.Sweeps, vault.Refills} {
		plan, err := planner(state)
		if err != nil {
			return fmt.Errorf("plan for %s: %w", s.Asset, err)
		}
		for _, m := range plan.Moves {
			s.Plan = append(s.Plan, fmt.Sprintf("%s of %s from %s to %s: %s", actionText(m.Kind), p.amount(m.Asset, m.Amount), m.From, m.To, m.Why))
		}
		for _, h := range plan.Held {
			s.Held = append(s.Held, fmt.Sprintf("%s of %s: %s", p.amount(s.Asset, h.Amount), h.Vault, h.Why))
		}
	}
	v.Sides = append(v.Sides, s)
	for _, d := range vault.Drills(vaults, state.Proofs, state.Now, drillSoon) {
		line := drill{Vault: d.Vault, Last: when(d.Last), Lapses: when(d.Lapses), State: "due soon"}
		if d.Overdue {
			line.State = "overdue: the vault takes nothing"
		}
		v.Drills = append(v.Drills, line)
	}
	return nil
}

func (p *Pages) vaultLine(code string, b *vault.Balance) vaultLine {
	amount := func(u money.Units) string {
		if u.IsZero() {
			return ""
		}
		return p.amount(code, u)
	}
	is := &b.Vault
	v := vaultLine{
		ID: is.ID, Tier: string(is.Tier), Final: p.amount(code, b.Final), Free: p.amount(code, b.Free), Projected: p.amount(code, b.Projected),
		In: amount(b.In), Out: amount(b.Out), Open: amount(b.Open), Floor: amount(is.Floor), Target: amount(is.Target), Cap: amount(is.Cap),
		Scale: gaugeOf(b), Accepts: b.Accepts,
	}
	switch {
	case !is.Cap.IsZero() && is.Cap.Less(b.Final):
		v.State = "above its cap"
	case b.Projected.Less(is.Floor):
		v.State = "below its floor"
	}
	return v
}

// gaugeOf scales a vault's figures to the largest of them.
func gaugeOf(b *vault.Balance) gauge {
	most := b.Final
	for _, u := range []money.Units{b.Projected, b.Vault.Cap, b.Vault.Target, b.Vault.Floor} {
		if most.Less(u) {
			most = u
		}
	}
	at := func(u money.Units) string {
		const width = 1000
		if most.IsZero() {
			return "0"
		}
		n, _ := new(big.Int).SetString(u.String(), 10)
		all, _ := new(big.Int).SetString(most.String(), 10)
		n.Mul(n, big.NewInt(width))
		return strconv.FormatInt(n.Div(n, all).Int64(), 10)
	}
	line := func(u money.Units) string {
		const last = "996" // a line there is still inside
		if u.IsZero() {
			return ""
		}
		if x := at(u); u != most {
			return x
		}
		return last
	}
	return gauge{Final: at(b.Final), Projected: at(b.Projected), Floor: line(b.Vault.Floor), Target: line(b.Vault.Target), Cap: line(b.Vault.Cap)}
}

// movesView is what moves between vaults, and what did.
type movesView struct {
	shell

	Moves []moveLine
}

type moveLine struct {
	ID, What, From, To, Amount, Fee, Why, Created, Changed, TxID, Outcome, State string
	Steps                                                                        []step
}

// step is one of the way that a move goes.
type step struct {
	Text       string
	Done, Here bool
}

func (p *Pages) moves(pg *page) error {
	rows, err := p.cfg.Vaults.Moves(pg.Context(), pg.URL.Query().Get("asset"), false)
	if err != nil {
		return err
	}
	return p.show(pg, "moves.html", p.viewMoves(pg.shell, rows))
}

func (p *Pages) viewMoves(s shell, rows []treasury.MoveRow) movesView {
	v := movesView{shell: s.at("moves", "Moves")}
	for i := range rows {
		r := &rows[i]
		line := moveLine{
			ID: r.ID, What: actionText(r.Kind), From: r.From, To: r.To, Amount: p.amount(r.Asset, r.Amount), Why: r.Why, Created: when(r.Created),
			Changed: when(r.Changed), TxID: r.TxID, Outcome: r.Outcome, State: string(r.State), Steps: steps(r.State),
		}
		if !r.Fee.IsZero() {
			line.Fee = p.amount(r.Asset, r.Fee)
		}
		v.Moves = append(v.Moves, line)
	}
	return v
}

// steps are the way to the end, or to where it ended otherwise.
func steps(at treasury.MoveState) []step {
	way := []treasury.MoveState{treasury.MoveProposed, treasury.MoveSigned, treasury.MoveSent, treasury.MoveFinal}
	switch at {
	case treasury.MoveRecalled:
		way = []treasury.MoveState{treasury.MoveProposed, treasury.MoveRecalled}
	case treasury.MoveFailed:
		way = []treasury.MoveState{treasury.MoveProposed, treasury.MoveSigned, treasury.MoveFailed}
	case treasury.MoveProposed, treasury.MoveSigned, treasury.MoveSent, treasury.MoveFinal:
	}
	list := make([]step, len(way))
	passed := true
	for i, s := range way {
		list[i] = step{Text: string(s), Done: passed, Here: s == at}
		passed = passed && s != at
	}
	return list
}
