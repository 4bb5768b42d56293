package check

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
)

// SignedKey names one request that the signer allowed.
type SignedKey struct {
	Intent  string
	Attempt uint32
}

// signedInvariant is what this file is about.
const signedInvariant = "signer journal covers every transaction"

// signed holds the signer's own journal against the transactions that custody
// stored: the unsigned bytes are built again from the stored plan, and their hash
// must be the one that the signer allowed for that intent and attempt. What vaults of coins
// pay is signed by their cosigners instead.
func (c *checker) signed(ctx context.Context) error {
	if c.cfg.Signed == nil {
		return nil
	}
	journal, err := c.cfg.Signed()
	if err != nil {
		return fmt.Errorf("read signer's journal: %w", err)
	}
	type row struct {
		TxID, Intent string
		Chain        chainadapters.ChainID
		Attempt      uint32
		Plan         chainadapters.Plan
	}
	for after := ""; ; {
		rows, err := c.tx.Query(ctx, `SELECT txid, intent, chain, attempt, plan FROM custody.chain_tx
			WHERE txid > $1 AND (kind NOT IN ('refill', 'coldspend') OR plan->>'slot' IS NOT NULL) ORDER BY txid LIMIT $2`, after, paymentPage)
		if err != nil {
			return fmt.Errorf("read transactions: %w", err)
		}
		page, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
		if err != nil {
			return fmt.Errorf("read transactions: %w", err)
		}
		for _, r := range page {
			c.compareSigned(journal, r.TxID, SignedKey{r.Intent, r.Attempt}, r.Chain, r.Plan)
		}
		if len(page) < paymentPage {
			return nil
		}
		after = page[len(page)-1].TxID
	}
}

func (c *checker) compareSigned(journal map[SignedKey]string, txid string, key SignedKey, chain chainadapters.ChainID, plan chainadapters.Plan) {
	allowed, ok := journal[key]
	if !ok {
		c.add(signedInvariant, txid, "the journal has nothing for %s attempt %d", key.Intent, key.Attempt)
		return
	}
	adapter := c.cfg.Adapters[chain]
	if adapter == nil {
		c.add(signedInvariant, txid, "chain %s is not configured", chain)
		return
	}
	unsigned, err := adapter.Build(plan)
	if err != nil {
		c.add(signedInvariant, txid, "its plan cannot be built: %v", err)
		return
	}
	sum := sha256.Sum256(unsigned.Bytes)
	if hex.EncodeToString(sum[:]) != allowed {
		c.add(signedInvariant, txid, "plan hashes to %x, the journal allowed %s", sum, allowed)
	}
}
