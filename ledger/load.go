package ledger

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// head is the end of the hash chain.
type head struct {
	batch, seq int64
	booked     time.Time
	hash       [sha256.Size]byte
}

// lockHead takes the turn among all writers of the database.
func lockHead(ctx context.Context, tx pgx.Tx) (head, error) {
	var h head
	var hash []byte
	err := tx.QueryRow(ctx, `SELECT batch, seq, booked, hash FROM ledger.head FOR UPDATE`).Scan(&h.batch, &h.seq, &h.booked, &hash)
	if err != nil {
		return head{}, fmt.Errorf("lock head: %w", err)
	}
	copy(h.hash[:], hash)
	return h, nil
}

// same reports whether nobody booked between the two.
func (h head) same(other head) bool {
	return h.batch == other.batch && h.seq == other.seq && h.hash == other.hash
}

// load reads what the batch names and the book does not know.
func (b *book) load(ctx context.Context, tx pgx.Tx, batch []*request) error {
	if ids := b.missingPendings(batch); len(ids) > 0 {
		if err := b.loadPendings(ctx, tx, ids); err != nil {
			return err
		}
	}
	if ids := b.missingAccounts(batch); len(ids) > 0 {
		if err := b.loadAccounts(ctx, tx, ids); err != nil {
			return err
		}
	}
	if assets := b.missingPositions(batch); len(assets) > 0 {
		return b.loadPositions(ctx, tx, assets)
	}
	return nil
}

func (b *book) missingPendings(batch []*request) []string {
	var ids []string
	for _, r := range batch {
		for i := range r.tx.Legs {
			leg := &r.tx.Legs[i]
			if leg.Kind != Post && leg.Kind != Void {
				continue
			}
			if _, known := b.pendings.find(leg.Pending); !known {
				ids = append(ids, string(leg.Pending))
			}
		}
	}
	return ids
}

func (b *book) missingAccounts(batch []*request) []string {
	var ids []string
	need := func(id AccountID) {
		if _, known := b.accounts.find(id); !known {
			ids = append(ids, string(id))
		}
	}
	for _, r := range batch {
		for i := range r.tx.Legs {
			leg := &r.tx.Legs[i]
			if leg.Kind == Single || leg.Kind == Pending {
				need(leg.Debit)
				need(leg.Credit)
			} else if p, known := b.pendings.find(leg.Pending); known {
				need(p.debit)
				need(p.credit)
			}
		}
	}
	return ids
}

func (b *book) missingPositions(batch []*request) []string {
	var assets []string
	need := func(asset string) {
		if b.positions[asset] == nil {
			b.positions[asset] = &position{asset: asset}
			assets = append(assets, asset)
		}
	}
	for _, r := range batch {
		if r.attestation != nil {
			need(r.attestation.Asset)
		}
	}
	for _, asset := range b.loadedAssets {
		need(asset)
	}
	b.loadedAssets = b.loadedAssets[:0]
	return assets
}

// Queries that look many ids up in a table that grows take them one by one from its
// index: OFFSET 0 keeps the planner from joining in another way. It prepares a statement
// once, perhaps while the table is empty, and would go on reading the whole of it, for
// each batch, until statistics are made.
const (
	selectAccounts = `
SELECT a.* FROM unnest($1::text[]) AS u (id) CROSS JOIN LATERAL (
  SELECT a.no, a.id, a.asset, a.class, a.may_overdraw, a.max_balance,
         b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending, b.version, b.last_seq
    FROM ledger.account a CROSS JOIN LATERAL (SELECT * FROM ledger.balance WHERE account = a.no OFFSET 0) b
   WHERE a.id = u.id OFFSET 0) a`
	selectPendings = `
SELECT p.* FROM unnest($1::text[]) AS u (id) CROSS JOIN LATERAL (
  SELECT p.seq, p.id, d.id, c.id, p.amount, p.expires, coalesce(r.kind, 0)
    FROM ledger.transfer p
    CROSS JOIN LATERAL (SELECT id FROM ledger.account WHERE no = p.debit OFFSET 0) d
    CROSS JOIN LATERAL (SELECT id FROM ledger.account WHERE no = p.credit OFFSET 0) c
    LEFT JOIN LATERAL (SELECT kind FROM ledger.transfer WHERE pending = p.seq OFFSET 0) r ON true
   WHERE p.id = u.id AND p.kind = 2 OFFSET 0) p`
	selectTransactions = `
SELECT t.* FROM unnest($1::text[]) AS u (id) CROSS JOIN LATERAL (
  SELECT t.id, t.request_hash, t.batch, b.booked
    FROM ledger.transaction t CROSS JOIN LATERAL (SELECT booked FROM ledger.batch WHERE no = t.batch OFFSET 0) b
   WHERE t.id = u.id OFFSET 0) t`
	selectTransfers = `
SELECT t.id FROM unnest($1::text[]) AS u (id) CROSS JOIN LATERAL (
  SELECT id FROM ledger.transfer WHERE id = u.id OFFSET 0) t`
)

func (b *book) loadAccounts(ctx context.Context, tx pgx.Tx, ids []string) error {
	rows, err := tx.Query(ctx, selectAccounts, ids)
	if err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var a account
		s := &a.state
		if err := rows.Scan(&a.no, &a.id, &a.asset, &a.class, &a.overdraw, &a.max,
			&s.debits, &s.credits, &s.debitsHeld, &s.creditsAhead, &s.version, &s.last); err != nil {
			return fmt.Errorf("read account: %w", err)
		}
		a.custody = isCustody(a.id.text(), a.class)
		if b.positions[string(a.asset.text())] == nil {
			b.loadedAssets = append(b.loadedAssets, a.assetCode())
		}
		// An id may be asked for twice; the first object stays the only one.
		if _, twice := b.accounts.find(a.accountID()); !twice {
			b.accounts.put(&a)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read accounts: %w", err)
	}
	return nil
}

func (b *book) loadPendings(ctx context.Context, tx pgx.Tx, ids []string) error {
	rows, err := tx.Query(ctx, selectPendings, ids)
	if err != nil {
		return fmt.Errorf("read pending transfers: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id TransferID
		var expires *time.Time
		p := &pending{}
		if err := rows.Scan(&p.seq, &id, &p.debit, &p.credit, &p.amount, &expires, &p.resolved); err != nil {
			return fmt.Errorf("read pending transfer: %w", err)
		}
		if expires != nil {
			p.expires = *expires
		}
		b.pendings.put(id, p)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read pending transfers: %w", err)
	}
	return nil
}

func (b *book) loadPositions(ctx context.Context, tx pgx.Tx, assets []string) error {
	rows, err := tx.Query(ctx, `
SELECT asset, liability_debits, liability_credits, outflow_sum, outflows, attested, shortfall
  FROM ledger.position WHERE asset = ANY ($1)`, assets)
	if err != nil {
		return fmt.Errorf("read positions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var asset string
		var t totals
		if err := rows.Scan(&asset, &t.debits, &t.credits, &t.outflowSum, &t.outflows, &t.attested, &t.shortfall); err != nil {
			return fmt.Errorf("read position: %w", err)
		}
		b.positions[asset].total = t
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read positions: %w", err)
	}
	return b.loadClaims(ctx, tx, assets)
}

func (b *book) loadClaims(ctx context.Context, tx pgx.Tx, assets []string) error {
	rows, err := tx.Query(ctx, `SELECT asset, source, amount, outflow_sum FROM ledger.attested WHERE asset = ANY ($1)`, assets)
	if err != nil {
		return fmt.Errorf("read attestations: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var asset string
		var c claim
		if err := rows.Scan(&asset, &c.source, &c.amount, &c.outflowSum); err != nil {
			return fmt.Errorf("read attestation: %w", err)
		}
		b.positions[asset].claims = append(b.positions[asset].claims, c)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read attestations: %w", err)
	}
	return nil
}

// known is what the database holds under the ids of some requests.
type known struct {
	transactions map[string]receipt
	transfers    map[TransferID]struct{}
}

// probe looks the requests' ids up.
func probe(ctx context.Context, tx pgx.Tx, requests []*request) (known, error) {
	k := known{transactions: map[string]receipt{}, transfers: map[TransferID]struct{}{}}
	var ids, legs []string
	for _, r := range requests {
		ids = append(ids, r.tx.ID)
		for i := range r.tx.Legs {
			legs = append(legs, string(r.tx.Legs[i].ID))
		}
	}
	rows, err := tx.Query(ctx, selectTransactions, ids)
	if err != nil {
		return k, fmt.Errorf("look transactions up: %w", err)
	}
	var id string
	var hash []byte
	var found receipt
	_, err = pgx.ForEachRow(rows, []any{&id, &hash, &found.batch, &found.booked}, func() error {
		copy(found.hash[:], hash)
		k.transactions[id] = found
		return nil
	})
	if err != nil {
		return k, fmt.Errorf("look transactions up: %w", err)
	}
	rows, err = tx.Query(ctx, selectTransfers, legs)
	if err != nil {
		return k, fmt.Errorf("look transfers up: %w", err)
	}
	var leg TransferID
	_, err = pgx.ForEachRow(rows, []any{&leg}, func() error {
		k.transfers[leg] = struct{}{}
		return nil
	})
	if err != nil {
		return k, fmt.Errorf("look transfers up: %w", err)
	}
	return k, nil
}
