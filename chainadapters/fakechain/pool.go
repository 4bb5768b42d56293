package fakechain

import (
	"errors"
	"fmt"
	"slices"

	"strongroom/chainadapters"
	"strongroom/money"
)

// maxPool bounds what waits.
const maxPool = 5_000

// replacePercent is how much more than a pooled transaction its replacement must
// pay, in percent of it.
const replacePercent = 110

// errKnown says that the pool has these very bytes.
var errKnown = errors.New("already known")

// accept takes a raw transaction into the pool, or says in the node's words why
// not.
func (c *Chain) accept(raw []byte) error {
	tx, err := unseal(c.network, raw)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.pool, func(p *transaction) bool { return p.id == tx.id }) {
		return errKnown
	}
	if len(c.pool) >= maxPool {
		return errors.New("pool is full")
	}
	if c.mined(tx.id) != nil && c.family == chainadapters.UTXO {
		return errors.New("transaction already in block chain")
	}
	rivals, err := c.rivals(tx)
	if err != nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(c.pool), func(p *transaction) bool { return slices.Contains(rivals, p) })
	if err := c.valid(tx, rest); err != nil {
		return err
	}
	before := c.pool
	rest = append(rest, tx)
	c.pool = rest
	c.prune() // descendants of what was replaced are gone
	if !slices.Contains(c.pool, tx) {
		c.pool = before
		return fmt.Errorf("%w for all that waits", errFunds)
	}
	return nil
}

// valid says whether tx could be mined after what waits, now or later.
func (c *Chain) valid(tx *transaction, waiting []*transaction) error {
	if c.family == chainadapters.Account {
		if tx.body.Nonce < c.now.nonces[tx.body.From] {
			return errTooLate
		}
		return c.now.covers(tx.body)
	}
	ahead := c.now.clone()
	for _, p := range waiting {
		_, _ = ahead.apply(p)
	}
	_, err := ahead.apply(tx)
	return err
}

// rivals returns the pooled transactions that tx would replace, or why it may
// not.
func (c *Chain) rivals(tx *transaction) ([]*transaction, error) {
	var rivals []*transaction
	for _, p := range c.pool {
		if !conflict(p.body, tx.body) {
			continue
		}
		if !c.outbids(tx, p) {
			return nil, fmt.Errorf("replacement transaction underpriced: conflicts with %s", p.id)
		}
		rivals = append(rivals, p)
	}
	return rivals, nil
}

func conflict(a, b body) bool {
	if a.From != "" && a.From == b.From && a.Nonce == b.Nonce {
		return true
	}
	return slices.ContainsFunc(a.Inputs, func(in chainadapters.Outpoint) bool { return slices.Contains(b.Inputs, in) })
}

func (c *Chain) outbids(tx, old *transaction) bool {
	if c.family == chainadapters.Account {
		return atLeast(tx.body.Fee.FeeCap, old.body.Fee.FeeCap) && atLeast(tx.body.Fee.TipCap, old.body.Fee.TipCap)
	}
	ahead := c.now.clone()
	for _, p := range c.pool {
		if !conflict(p.body, tx.body) {
			_, _ = ahead.apply(p)
		}
	}
	fee, err := ahead.feeOf(tx)
	before, errOld := ahead.feeOf(old)
	return err == nil && errOld == nil && atLeast(fee, before)
}

// atLeast says whether fee exceeds old by what a replacement must pay.
func atLeast(fee, old money.Units) bool {
	need, err := old.MulDiv(money.FromUint64(replacePercent), money.FromUint64(100), money.Up)
	return err == nil && !fee.Less(need)
}
