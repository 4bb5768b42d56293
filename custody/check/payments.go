package check

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

// paymentPage bounds how many transactions are decoded at a time.
const paymentPage = 500

// paidInvariant is what this file is about.
const paidInvariant = "posted means paid"

// payment is a canonical transaction of ours with the intent that it belongs to.
type payment struct {
	TxID, Intent string
	Chain        chainadapters.ChainID
	Raw          []byte
	Success      bool
	Depth        int64
	Asset, To    string
	Amount       money.Units
	State        custody.WithdrawalState
}

// payments decodes every transaction of ours that is on a chain and holds it
// against its intent: it is posted exactly where it is final and pays what was
// meant, and what ended unpaid did not pay.
func (c *checker) payments(ctx context.Context) error {
	if err := c.postedWithoutPayment(ctx); err != nil {
		return err
	}
	for after := ""; ; {
		page, err := c.paymentPage(ctx, after)
		if err != nil {
			return err
		}
		for i := range page {
			if err := c.payment(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < paymentPage {
			return nil
		}
		after = page[len(page)-1].TxID
	}
}

func (c *checker) postedWithoutPayment(ctx context.Context) error {
	return c.statement(ctx, paidInvariant, `SELECT i.id, i.state || ' without a canonical transaction' FROM (`+intents+`) i
		WHERE i.state = 'posted' AND NOT EXISTS (SELECT FROM custody.chain_tx t WHERE t.intent = i.id AND t.block_height IS NOT NULL)`, c.now)
}

// paymentPage reads transactions of ours. A movement of coins to ourselves pays what
// its attempt says: a higher fee comes out of it.
func (c *checker) paymentPage(ctx context.Context, after string) ([]payment, error) {
	rows, err := c.tx.Query(ctx, `SELECT t.txid, t.intent, t.chain, t.raw, coalesce(t.success, false), ch.height - t.block_height + 1,
			i.asset, i.destination, CASE WHEN i.coins AND NOT t.cancels THEN least(i.amount, (t.plan->'payments'->0->>'amount')::numeric(78,0)) ELSE i.amount END, i.state
		FROM custody.chain_tx t JOIN custody.chain ch ON ch.chain = t.chain
		JOIN (SELECT id, asset, destination, amount, state, false AS coins FROM custody.withdrawal
			UNION ALL SELECT id, asset, destination, amount, state, from_address = '' AND kind IN ('collect', 'consolidate') FROM custody.house_intent) i ON i.id = t.intent
		WHERE t.block_height IS NOT NULL AND t.txid > $1 ORDER BY t.txid LIMIT $2`, after, paymentPage)
	if err != nil {
		return nil, fmt.Errorf("payments: %w", err)
	}
	page, err := pgx.CollectRows(rows, pgx.RowToStructByPos[payment])
	if err != nil {
		return nil, fmt.Errorf("payments: %w", err)
	}
	return page, nil
}

// outputs counts the outputs that carry out the intent.
func (p *payment) outputs(signed chainadapters.Signed, contract string) (n int) {
	for _, out := range signed.Payments {
		if out.To == p.To && out.Contract == contract && out.Amount == p.Amount {
			n++
		}
	}
	return n
}

func (c *checker) payment(p *payment) error {
	adapter, served := c.cfg.Adapters[p.Chain]
	info, known := c.cfg.Assets.AssetByCode(p.Asset)
	if !served || !known {
		return fmt.Errorf("payment %s: no adapter or asset %s on %s", p.TxID, p.Asset, p.Chain)
	}
	signed, err := adapter.Decode(p.Raw)
	if err != nil || signed.TxID != p.TxID {
		c.add(paidInvariant, p.Intent, "stored bytes are not transaction %s: %v", p.TxID, err)
		return nil
	}
	c.compare(p, signed, info)
	return nil
}

// compare holds what the bytes say against what the intent's state says.
func (c *checker) compare(p *payment, signed chainadapters.Signed, info custody.AssetInfo) {
	n := p.outputs(signed, info.Contract)
	pays := n == 1 && p.Success
	posted := p.State == custody.WithdrawalPosted
	switch {
	case posted && !pays:
		c.add(paidInvariant, p.Intent, "posted, but %s pays %s of %s to %s %d times, success %t", p.TxID, p.Amount, p.Asset, p.To, n, p.Success)
	case posted && p.Depth < int64(info.FinalDepth): //nolint:gosec // depths are small
		c.add(paidInvariant, p.Intent, "posted, but %s has %d of %d confirmations", p.TxID, p.Depth, info.FinalDepth)
	case p.State.Ended() && !posted && pays:
		c.add(paidInvariant, p.Intent, "%s, but %s pays %s of %s to %s", p.State, p.TxID, p.Amount, p.Asset, p.To)
	}
}
