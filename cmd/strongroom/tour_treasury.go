package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"strongroom/internal/devstack/people"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/vault"
)

// tourTreasury plays the people of the house of a development stack.
type tourTreasury struct {
	*treasuryHouse

	e   *env
	dir string
}

// openTourTreasury opens the desk; nil where nobody is asked.
func (b *tourBooks) openTourTreasury(e *env, vars map[string]string) (*tourTreasury, error) {
	file := vars["STRONGROOM_TREASURY_FILE"]
	house, err := openTreasuryDesk(e, file, workerEnvironment, b.pool)
	if house == nil || err != nil {
		return nil, err
	}
	if house.assets, err = newAssetView(e.ctx, b.registry, e.log); err != nil {
		return nil, err
	}
	return &tourTreasury{house, e, filepath.Dir(file)}, nil
}

// agree has as many people as it takes agree, the first with a passkey and the others by
// a program's key.
func (t *tourTreasury) agree(ctx context.Context, withdrawal string) ([]string, error) {
	var lines []string
	for n, person := range people.Names() {
		page, err := t.desk.List(ctx, treasury.Filter{Person: person, Limit: treasury.MaxPage})
		if err != nil {
			return lines, err
		}
		for i := range page.Requests {
			r := &page.Requests[i]
			if r.Intent.ID != withdrawal {
				continue
			}
			line, err := t.say(ctx, r, person, []string{"passkey", "api"}[min(n, 1)])
			if err != nil {
				return lines, err
			}
			lines = append(lines, line)
		}
	}
	return lines, nil
}

func (t *tourTreasury) say(ctx context.Context, r *treasury.Request, person, with string) (string, error) {
	key, err := readKey(people.KeyFile(t.dir, person, with))
	if err != nil {
		return "", err
	}
	yes, err := key.Say(&r.Intent, consent.Approval{Person: person, Verdict: consent.Approve, At: t.e.clock().Unix()})
	if err != nil {
		return "", err
	}
	is, err := t.desk.Sign(ctx, r.ID, yes)
	if err != nil {
		return "", err
	}
	line := fmt.Sprintf("%s agrees with %s to %s: %s", person, key.Public().ID, is.Hash.Short(), is.State)
	if is.Missing != "" {
		line += " for " + is.Missing
	}
	return line, nil
}

// swept lists the sweeps that are final, and says whether nothing is above its cap.
func (t *tourTreasury) swept(ctx context.Context) (lines []string, calm bool, err error) {
	moves, err := t.desk.Moves(ctx, "", false)
	if err != nil {
		return nil, false, err
	}
	calm = true
	for i := range moves {
		m := &moves[i]
		calm = calm && !m.State.Open()
		if m.State == treasury.MoveFinal {
			lines = append(lines, fmt.Sprintf("%-4s %s %s moved from %s to %s in %s", m.Asset, strings.ToLower(string(m.Kind)), t.text(m.Asset, m.Amount), m.From, m.To, m.TxID))
		}
	}
	rows, err := t.desk.Vaults(ctx)
	if err != nil {
		return lines, false, err
	}
	for i := range rows {
		v := &rows[i]
		has, err := t.holds(ctx, v)
		if err != nil {
			return lines, false, err
		}
		calm = calm && (v.Tier != vault.Hot || !v.Cap.Less(has))
	}
	return lines, calm, nil
}
