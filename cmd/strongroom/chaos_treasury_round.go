//go:build chaos

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"strongroom/api/client"
	"strongroom/internal/chaos"
	"strongroom/internal/devstack/people"
	"strongroom/treasury"
	"strongroom/treasury/intent"
)

// treasuryLeg is an asset and what is done with it: enough comes in that the hot wallet is
// swept, and enough goes out that it is refilled.
type treasuryLeg struct {
	chaos.Asset

	customer *chaos.Customer
	hot      string   // its vault
	times    int      // how many withdrawals of Payout a round has
	orders   []string // outside addresses, one for each withdrawal
}

// openLegs makes the customer.
func (r *treasuryRun) openLegs(e *env, vars map[string]string) error {
	var moves []chaos.Asset
	times := map[string]int{"LTC": 2} // one that large is above the signer's limit
	for _, want := range []struct{ code, deposit, payout string }{
		{"BTC", "6", "2.8"}, {"LTC", "700", "140"}, {"ETH", "60", "27"}, {"USDC", "250000", "95000"},
	} {
		a, err := r.books.assetOf(e.ctx, want.code)
		if err != nil {
			return err
		}
		moves = append(moves, chaos.Asset{Asset: a.Money(), Deposit: want.deposit, Payout: want.payout})
	}
	customers, err := r.enroll(e, vars, r.world, moves)
	if err != nil {
		return err
	}
	for _, a := range moves {
		r.legs = append(r.legs, &treasuryLeg{Asset: a, customer: &customers[0], hot: "hot-" + strings.ToLower(a.Code), times: max(1, times[a.Code])})
	}
	return nil
}

// round brings money in until it is swept, has it paid out, and has what lacks refilled.
func (r *treasuryRun) round(e *env, n int) error {
	ctx, end := context.WithTimeout(e.ctx, time.Duration(r.cmd.Rest)*time.Minute)
	defer end()
	began := e.clock()
	var payments []func() error
	for _, leg := range r.legs {
		units, err := leg.Parse(leg.Deposit)
		if err != nil {
			return err
		}
		payments = append(payments, func() error {
			_, err := r.world.Pay(ctx, leg.Code, leg.customer.Addresses[leg.Code], units)
			return err
		})
	}
	if err := atOnce(payments); err != nil {
		return err
	}
	if err := r.until(ctx, fmt.Sprintf("sweeps of round %d", n), func() (bool, error) { return r.moved(ctx, intent.Sweep, n) }); err != nil {
		return err
	}
	swept := e.clock()
	for _, leg := range r.legs {
		for range leg.times {
			if err := r.withdraw(ctx, leg); err != nil {
				return err
			}
		}
	}
	if err := r.until(ctx, fmt.Sprintf("payments and refills of round %d", n), func() (bool, error) { return r.moved(ctx, intent.Refill, n) }); err != nil {
		return err
	}
	if err := r.until(ctx, fmt.Sprintf("rest of round %d", n), func() (bool, error) { return r.resting(ctx) }); err != nil {
		return err
	}
	e.printf("round %d: swept in %s, paid and refilled in %s\n", n, swept.Sub(began).Round(time.Second), e.clock().Sub(swept).Round(time.Second))
	return nil
}

// until has the staff work until something is so.
func (r *treasuryRun) until(ctx context.Context, what string, so func() (bool, error)) error {
	var last error
	for ctx.Err() == nil {
		err := r.work(ctx)
		done, notYet := so()
		if last = errors.Join(err, notYet); last == nil && done {
			return nil
		}
		pause(ctx, look)
	}
	return errors.Join(fmt.Errorf("%w: %s: not done in time", errChaos, what), last)
}

// moved reports whether each asset has had so many moves of a kind, and the hot wallets are
// at or under their caps.
func (r *treasuryRun) moved(ctx context.Context, kind intent.Action, n int) (bool, error) {
	for _, leg := range r.legs {
		rows, err := r.staff.desk.Moves(ctx, leg.Code, false)
		if err != nil {
			return false, err
		}
		final := 0
		for i := range rows {
			if rows[i].Kind == kind && rows[i].State == treasury.MoveFinal {
				final++
			}
		}
		if final < n {
			return false, nil
		}
		under, err := r.underCap(ctx, leg)
		if err != nil || !under {
			return false, err
		}
	}
	return true, nil
}

// underCap reports whether a hot wallet holds no more than its cap.
func (r *treasuryRun) underCap(ctx context.Context, leg *treasuryLeg) (bool, error) {
	vaults, err := r.staff.desk.Vaults(ctx)
	if err != nil {
		return false, err
	}
	for i := range vaults {
		if vaults[i].ID != leg.hot {
			continue
		}
		has, err := r.staff.holds(ctx, &vaults[i])
		return !vaults[i].Cap.Less(has), err
	}
	return false, fmt.Errorf("%w: there is no vault %s", errChaos, leg.hot)
}

// resting reports whether nothing moves and nobody is asked any more.
func (r *treasuryRun) resting(ctx context.Context) (bool, error) {
	open := 0
	err := r.books.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM treasury.request WHERE state IN ('waiting', 'approved') AND amount > 0 AND action IN ('refill', 'withdrawal') AND requirement <> '')
		+ (SELECT count(*) FROM treasury.move WHERE state IN ('proposed', 'signed', 'sent'))
		+ (SELECT count(*) FROM custody.house_intent WHERE state NOT IN ('posted', 'cancelled', 'reverted', 'rejected', 'expired', 'blocked'))
		+ (SELECT count(*) FROM custody.withdrawal WHERE state NOT IN ('posted', 'rejected', 'cancelled', 'expired', 'blocked', 'reverted'))`).Scan(&open)
	if err != nil {
		return false, fmt.Errorf("look for open work: %w", err)
	}
	return open == 0, nil
}

// withdraw asks until somebody answers.
func (r *treasuryRun) withdraw(ctx context.Context, leg *treasuryLeg) error {
	key := fmt.Sprintf("%s-%d", leg.Code, len(leg.orders)+1)
	to, err := r.world.Address(leg.Code, key)
	if err != nil {
		return err
	}
	leg.orders = append(leg.orders, to)
	return r.until(ctx, "withdrawal "+key, func() (bool, error) {
		err := leg.customer.Client.Do(ctx, http.MethodPost, "/v1/withdrawals",
			map[string]string{"asset": leg.Code, "to": to, "amount": leg.Payout}, nil, client.IdempotencyKey(key))
		return err == nil, err
	})
}

// work is what people of the house do: agree to what waits, and sign for vaults.
func (r *treasuryRun) work(ctx context.Context) error {
	page, err := r.staff.desk.List(ctx, treasury.Filter{States: []treasury.State{treasury.Waiting, treasury.Approved}, Limit: treasury.MaxPage})
	if err != nil {
		return err
	}
	for i := range page.Requests {
		q := &page.Requests[i]
		switch {
		case q.State == treasury.Waiting:
			r.agree(ctx, q)
		case q.Intent.Action == intent.Refill:
			r.bring(ctx, q)
		}
	}
	return nil
}

// agree has those say yes who have not. What fails is tried again.
func (r *treasuryRun) agree(ctx context.Context, q *treasury.Request) {
	for n, person := range people.Names() {
		key := people.KeyFile(r.staff.dir, person, []string{"api", "passkey", "api"}[n%3])
		_, _ = r.command(ctx, "treasury", "approve", q.ID, "--person", person, "--key", key, "--hash", q.Hash.String())
	}
}

var comparedHash = regexp.MustCompile(`this transaction is (\w+)`)

// bring has two cosigners sign, each in a folder of their own, and hands over what they
// signed. What fails is tried again.
func (r *treasuryRun) bring(ctx context.Context, q *treasury.Request) {
	asset := q.Intent.Asset
	if asset == "USDC" { // it is in the Safe that ether is in
		asset = "ETH"
	}
	for _, person := range people.Names()[:people.Threshold] {
		dir := r.file("cosigner-" + person)
		offered, signed := filepath.Join(dir, q.ID), filepath.Join(dir, q.ID+".signed")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return
		}
		if _, err := os.Stat(offered); err != nil {
			if _, err := r.command(ctx, "treasury", "psbt", q.ID, "--out", offered); err != nil {
				return // it is offered soon
			}
		}
		if _, err := os.Stat(signed); err != nil {
			sign := []string{
				"cold", "sign", "--vault", people.VaultFile(r.staff.dir, asset), "--key", people.ColdKey(r.staff.dir, person),
				"--passphrase-file", people.ColdPassphrase(r.staff.dir, person), "--out", signed, offered,
			}
			shown, _ := r.command(ctx, append(sign, "--yes-i-have-compared", "nothing")...)
			hash := comparedHash.FindStringSubmatch(shown)
			if hash == nil {
				return
			}
			if _, err := r.command(ctx, append(sign, "--yes-i-have-compared", hash[1])...); err != nil {
				return
			}
		}
		if _, err := os.Stat(signed + ".brought"); err == nil {
			continue
		}
		if _, err := r.command(ctx, "treasury", "bring", q.ID, signed); err == nil {
			_ = os.WriteFile(signed+".brought", nil, 0o600) // where that fails it is brought again
		}
	}
}

// wrong lists what did not happen exactly once.
func (r *treasuryRun) wrong(e *env) ([]string, error) {
	var list []string
	for _, leg := range r.legs {
		want, err := leg.Parse(leg.Payout)
		if err != nil {
			return nil, err
		}
		for n, to := range leg.orders {
			got, err := r.world.Balance(e.ctx, leg.Code, to)
			if err != nil {
				return nil, err
			}
			if got != want {
				list = append(list, fmt.Sprintf("withdrawal %d of %s: the destination has %s, not %s", n+1, leg.Code, got, want))
			}
		}
	}
	for what, sql := range map[string]string{
		"moves without one intent each":              `SELECT count(*) FROM treasury.move m WHERE (SELECT count(*) FROM custody.house_intent i WHERE i.id IN ('swp_' || replace(substr(m.id, 5), '/', 'n'), 'rfl_' || replace(substr(m.id, 5), '/', 'n'))) <> 1`,
		"intents of sweeps and refills beside moves": `SELECT abs((SELECT count(*) FROM custody.house_intent WHERE kind IN ('sweep', 'refill')) - (SELECT count(*) FROM treasury.move))`,
		"moves whose amount is not the intent's":     `SELECT count(*) FROM treasury.move m JOIN custody.house_intent i ON i.id IN ('swp_' || replace(substr(m.id, 5), '/', 'n'), 'rfl_' || replace(substr(m.id, 5), '/', 'n')) WHERE m.amount <> i.amount`,
		"requests asked twice at once":               `SELECT count(*) FROM (SELECT intent_id FROM treasury.request WHERE state IN ('approved', 'done') GROUP BY 1 HAVING count(*) > 1) twice`,
		"people who said yes twice":                  `SELECT count(*) FROM (SELECT request, person FROM treasury.approval WHERE verdict = 'approve' GROUP BY 1, 2 HAVING count(*) > 1) twice`,
		"moves that did not end well":                `SELECT count(*) FROM treasury.move WHERE state NOT IN ('final', 'recalled')`,
		"moves with the same transaction":            `SELECT count(*) FROM (SELECT txid FROM treasury.move WHERE txid <> '' GROUP BY 1 HAVING count(*) > 1) twice`,
		"large payments without two people":          `SELECT count(*) FROM treasury.request q WHERE q.state = 'done' AND q.requirement <> '' AND q.action IN ('withdrawal', 'refill') AND (SELECT count(DISTINCT person) FROM treasury.approval a WHERE a.request = q.id AND a.verdict = 'approve') < 2`,
	} {
		n := 0
		if err := r.books.pool.QueryRow(e.ctx, sql).Scan(&n); err != nil {
			return nil, fmt.Errorf("count %s: %w", what, err)
		}
		if n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, what))
		}
	}
	return list, nil
}

// staffCommand is one command of a person of the house.
func staffCommand(ctx context.Context, self string, args []string) *exec.Cmd {
	return exec.CommandContext(ctx, self, args...) //nolint:gosec // this program
}
