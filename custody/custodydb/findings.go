package custodydb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"strongroom/custody"
)

// The acts of a finding.
const (
	FindingHit     = "hit"     // a list has something against an address
	FindingRelease = "release" // an operator let the deposit pass
)

// FindingRow is what compliance has on record about a deposit or a withdrawal.
type FindingRow struct {
	custody.Finding

	Subject string // dep_… or wdr_…
	Act     string // FindingHit or FindingRelease
	Reason  string // FindingRelease: the operator's words
	At      time.Time
}

// RecordFindings puts on record what lists have against a deposit's senders or a
// withdrawal's destination. The same finding is recorded once.
func (s *Store) RecordFindings(ctx context.Context, subject string, findings []custody.Finding) error {
	return s.InTx(ctx, func(tx pgx.Tx) error {
		for _, f := range findings {
			_, err := tx.Exec(ctx, `INSERT INTO custody.finding (subject, act, address, list, version, entry, currency, at)
				VALUES ($1, 'hit', $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
				subject, f.Address, f.List, f.Version, f.Entry, f.Currency, s.now())
			if err != nil {
				return fmt.Errorf("record finding about %s: %w", subject, err)
			}
		}
		return nil
	})
}

// Findings returns what is on record about a subject, oldest first.
func (s *Store) Findings(ctx context.Context, subject string) ([]FindingRow, error) {
	rows, err := s.pool.Query(ctx, `SELECT subject, act, address, list, version, entry, currency, reason, at
		FROM custody.finding WHERE subject = $1 ORDER BY seq LIMIT $2`, subject, maxDepositPage)
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (FindingRow, error) {
		var f FindingRow
		err := row.Scan(&f.Subject, &f.Act, &f.Address, &f.List, &f.Version, &f.Entry, &f.Currency, &f.Reason, &f.At)
		return f, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	return list, nil
}

// Quarantined returns deposits that wait in quarantine, oldest first, at most limit.
func (s *Store) Quarantined(ctx context.Context, limit int) ([]DepositRow, error) {
	return deposits(ctx, s.pool, `WHERE state = 'quarantined' ORDER BY id LIMIT $1`, min(max(limit, 1), maxDepositPage))
}

// ErrReason reports an operator's order without a reason.
var ErrReason = errors.New("an order needs a reason")

// ReleaseDeposit lets a deposit out of quarantine, on an operator's word that is
// kept for ever: it is credited as if nothing were against it, once. Released
// again, it changes nothing. Errors: custody.ErrNotFound; custody.ErrIllegal where
// it is not in quarantine; ErrReason.
func (s *Store) ReleaseDeposit(ctx context.Context, depositID, reason string) (DepositRow, error) {
	reason = clip(strings.TrimSpace(reason))
	if reason == "" {
		return DepositRow{}, ErrReason
	}
	d, err := s.DepositRow(ctx, depositID)
	if err != nil || d.State == custody.DepositReleased {
		return d, err
	}
	if d.State != custody.DepositQuarantined {
		return d, fmt.Errorf("deposit %s is %s: %w", depositID, d.State, custody.ErrIllegal)
	}
	err = s.InTx(ctx, func(tx pgx.Tx) error {
		if d.Customer != "" {
			if err := lockCustomer(ctx, tx, d.Customer); err != nil {
				return err
			}
		}
		return s.letGo(ctx, tx, d, reason)
	})
	if err != nil {
		return d, fmt.Errorf("release deposit %s: %w", depositID, err)
	}
	return s.DepositRow(ctx, depositID)
}

func (s *Store) letGo(ctx context.Context, tx pgx.Tx, d DepositRow, reason string) error {
	tag, err := tx.Exec(ctx, `UPDATE custody.deposit SET state = 'released', released = true, version = version + 1, updated_at = $3
		WHERE id = $1 AND version = $2 AND state = 'quarantined'`, d.ID, d.Version, s.now())
	if err != nil {
		return fmt.Errorf("update deposit: %w", err)
	}
	if err := won(tag, "update deposit"); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO custody.finding (subject, act, reason, at) VALUES ($1, 'release', $2, $3)`, d.ID, reason, s.now())
	if err != nil {
		return fmt.Errorf("record release: %w", err)
	}
	if d.Customer != "" {
		err := s.PutEvent(ctx, tx, d.Customer, "deposit."+string(custody.DepositReleased), d.ID, deposited{
			ID: d.ID, Asset: d.Asset, Amount: d.Amount, TxID: d.TxID, State: custody.DepositReleased,
		})
		if err != nil {
			return err
		}
	}
	key := fmt.Sprintf("%s/released/%d", d.ID, d.Version)
	return PutOutbox(ctx, tx, OutboxRow{Key: key, Topic: TopicDeposit, Kind: KindSignal, Subject: d.ID})
}

// putPayers remembers who paid a customer. What was not credited makes nobody
// known: an attacker can send nothing, or dust, for nearly nothing.
func putPayers(ctx context.Context, tx pgx.Tx, m DepositMove) error {
	if m.Act != custody.ActCredit {
		return nil
	}
	senders := m.Senders
	if senders == nil {
		senders = m.Row.Senders
	}
	_, err := tx.Exec(ctx, `INSERT INTO custody.payer (customer, chain, address) SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING`,
		m.Row.Customer, m.Row.Chain, senders)
	if err != nil {
		return fmt.Errorf("remember payers of %s: %w", m.Row.Customer, err)
	}
	return nil
}
