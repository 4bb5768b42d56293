package custodydb

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// endedStates are those in which nothing of a movement of the house can happen any more.
const endedStates = `('posted', 'reverted', 'cancelled', 'rejected', 'expired', 'blocked')`

// TakeVaultSlot gives an approved refill its place in the order of a vault's payments on an
// account chain, once: asked again, it is the same. count is how many payments of the vault
// are in the chain. A vault makes one payment at a time: who signs the second one would have
// to rely on the first, which may never happen. What was posted keeps its place, also where
// the chain does not have it any more. Errors: custody.ErrSlots while another one is open,
// custody.ErrConflict where the refill moved meanwhile, custody.ErrDestination where the
// address is not the vault's.
func (s *Store) TakeVaultSlot(ctx context.Context, r *IntentRow, address string, count uint64) (nonce uint64, err error) {
	if count > math.MaxInt64 {
		return 0, fmt.Errorf("vault %s made %d payments: %w", r.Vault, count, custody.ErrIllegal)
	}
	err = s.InTx(ctx, func(tx pgx.Tx) error {
		is, err := vaultAt(ctx, tx, r.Chain, address)
		if err != nil {
			return err
		}
		if is != r.Vault {
			return fmt.Errorf("%s is of %s: %w", address, is, custody.ErrDestination)
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtext('custody.vault'), hashtext($1))", string(r.Chain)+"/"+address); err != nil {
			return fmt.Errorf("lock vault: %w", err)
		}
		nonce, err = s.vaultSlot(ctx, tx, r, address, count)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("place of %s among the payments of %s: %w", r.ID, r.Vault, err)
	}
	return nonce, nil
}

func (s *Store) vaultSlot(ctx context.Context, tx pgx.Tx, r *IntentRow, address string, count uint64) (uint64, error) {
	var state custody.WithdrawalState
	if err := tx.QueryRow(ctx, `SELECT state FROM custody.house_intent WHERE id = $1 FOR SHARE`, r.ID).Scan(&state); err != nil {
		return 0, fmt.Errorf("read refill: %w", noRows(err))
	}
	if state != custody.WithdrawalApproved {
		return 0, fmt.Errorf("it is %s: %w", state, custody.ErrConflict)
	}
	var nonce uint64
	err := tx.QueryRow(ctx, `SELECT nonce FROM custody.vault_slot WHERE intent = $1`, r.ID).Scan(&nonce)
	if err == nil || !errors.Is(err, pgx.ErrNoRows) {
		return nonce, err //nolint:wrapcheck // the caller's words
	}
	var open bool
	err = tx.QueryRow(ctx, `SELECT coalesce(bool_or(i.state NOT IN `+endedStates+`), false), greatest($3, coalesce(max(s.nonce) FILTER (WHERE i.state = 'posted') + 1, 0))
		FROM custody.vault_slot s JOIN custody.house_intent i ON i.id = s.intent WHERE s.chain = $1 AND s.address = $2`,
		r.Chain, address, int64(count)).Scan(&open, &nonce) //nolint:gosec // checked by the caller
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the vault's payments: %w", err)
	case open:
		return 0, fmt.Errorf("another payment of the vault is open: %w", custody.ErrSlots)
	}
	_, err = tx.Exec(ctx, `INSERT INTO custody.vault_slot (intent, chain, address, nonce, created_at) VALUES ($1, $2, $3, $4, $5)`,
		r.ID, r.Chain, address, nonce, s.now())
	if err != nil {
		return 0, fmt.Errorf("insert: %w", err)
	}
	return nonce, nil
}

// VaultPayments lists the native value that vaults paid by transactions of ours, of those
// among txids that are such.
func (s *Store) VaultPayments(ctx context.Context, chain chainadapters.ChainID, txids []string) ([]chainadapters.Movement, error) {
	rows, err := s.pool.Query(ctx, `SELECT t.txid, p->>'vault', p->>'to', (p->>'amount')::numeric(78,0) FROM unnest($2::text[]) AS u (wanted)
		CROSS JOIN LATERAL (SELECT txid, plan FROM custody.chain_tx WHERE chain = $1 AND txid = u.wanted OFFSET 0) t
		CROSS JOIN LATERAL jsonb_array_elements(t.plan->'payments') AS p
		WHERE coalesce(p->>'vault', '') <> '' AND coalesce(p->>'contract', '') = ''`, chain, txids)
	if err != nil {
		return nil, fmt.Errorf("read what vaults paid: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (chainadapters.Movement, error) {
		m := chainadapters.Movement{Index: chainadapters.InternalIndex}
		return m, row.Scan(&m.TxID, &m.From, &m.To, &m.Amount)
	})
	if err != nil {
		return nil, fmt.Errorf("read what vaults paid: %w", err)
	}
	return list, nil
}

// holdsVaultSlot is custody.ErrIllegal where an intent has no place among a vault's payments.
func holdsVaultSlot(ctx context.Context, tx pgx.Tx, intent string) error {
	var has bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody.vault_slot WHERE intent = $1)`, intent).Scan(&has); err != nil {
		return fmt.Errorf("look for place of %s: %w", intent, err)
	}
	if !has {
		return fmt.Errorf("%s has no place among the vault's payments: %w", intent, custody.ErrIllegal)
	}
	return nil
}
