package custodydb

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/internal/id"
	"strongroom/internal/planted"
	"strongroom/money"
)

// maxDepositPage bounds one page of deposits.
const maxDepositPage = 500

// DepositRow is a deposit with what only custody needs to know of it.
type DepositRow struct {
	custody.Deposit
	Round    int         // how often it has been credited
	Maturing money.Units // its part of the customer's maturing account
	Senders  []string    // who sent it, as far as is known yet
	Released bool        // an operator let it out of quarantine: it is not screened again
}

const depositColumns = `id, customer, asset, chain, address, txid, idx, amount, block_height, block_hash, canonical,
	state, version, seen_at, updated_at, round, maturing, senders, released`

func scanDeposit(row pgx.CollectableRow) (DepositRow, error) {
	var d DepositRow
	err := row.Scan(&d.ID, &d.Customer, &d.Asset, &d.Chain, &d.Address, &d.TxID, &d.Index, &d.Amount, &d.Block.Height, &d.Block.Hash,
		&d.Canonical, &d.State, &d.Version, &d.SeenAt, &d.UpdatedAt, &d.Round, &d.Maturing, &d.Senders, &d.Released)
	return d, err //nolint:wrapcheck // wrapped by every caller
}

func deposits(ctx context.Context, q queryer, where string, args ...any) ([]DepositRow, error) {
	rows, err := q.Query(ctx, `SELECT `+depositColumns+` FROM custody.deposit `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read deposits: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanDeposit)
	if err != nil {
		return nil, fmt.Errorf("read deposits: %w", err)
	}
	return list, nil
}

// DepositRow returns one deposit by its id, or custody.ErrNotFound.
func (s *Store) DepositRow(ctx context.Context, depositID string) (DepositRow, error) {
	list, err := deposits(ctx, s.pool, `WHERE id = $1`, depositID)
	if err != nil {
		return DepositRow{}, err
	}
	if len(list) == 0 {
		return DepositRow{}, fmt.Errorf("deposit %s: %w", depositID, custody.ErrNotFound)
	}
	return list[0], nil
}

// Deposit returns a customer's deposit, or custody.ErrNotFound where there is
// none or it is somebody else's.
func (s *Store) Deposit(ctx context.Context, customer, depositID string) (custody.Deposit, error) {
	d, err := s.DepositRow(ctx, depositID)
	if err != nil {
		return custody.Deposit{}, err
	}
	if customer == "" || d.Customer != customer {
		return custody.Deposit{}, fmt.Errorf("deposit %s: %w", depositID, custody.ErrNotFound)
	}
	return d.Deposit, nil
}

// Deposits returns a customer's deposits, newest first, at most limit. cursor is
// empty or the next of the page before; next is empty on the last page.
func (s *Store) Deposits(ctx context.Context, customer, cursor string, limit int) (page []custody.Deposit, next string, err error) {
	limit = min(max(limit, 1), maxDepositPage)
	list, err := deposits(ctx, s.pool, `WHERE customer = $1 AND customer <> '' AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`,
		customer, cursor, limit+1)
	if err != nil {
		return nil, "", err
	}
	page = make([]custody.Deposit, 0, len(list))
	for _, d := range list[:min(limit, len(list))] {
		page = append(page, d.Deposit)
	}
	if len(list) > limit {
		next = page[limit-1].ID
	}
	return page, next, nil
}

// upsertDeposit inserts a movement as a deposit, or puts the row of one that had
// been seen before on its new block. Content that differs (a transaction can do
// something else on another branch) replaces the old only where the ledger does
// not hold that; otherwise no row is returned. What an operator released was
// released as it was then.
const upsertDeposit = `INSERT INTO custody.deposit AS d
	(id, customer, asset, chain, address, txid, idx, amount, block_height, block_hash, state, seen_at, updated_at, senders)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $13)
	ON CONFLICT (chain, txid, idx) DO UPDATE SET
		block_height = excluded.block_height, block_hash = excluded.block_hash, canonical = true,
		version = d.version + 1, updated_at = excluded.updated_at,
		customer = excluded.customer, asset = excluded.asset, address = excluded.address, amount = excluded.amount,
		senders = excluded.senders,
		released = d.released AND (d.customer, d.asset, d.address, d.amount) = (excluded.customer, excluded.asset, excluded.address, excluded.amount)
			AND (excluded.senders = '{}' OR d.senders = excluded.senders),
		state = CASE WHEN 'dust_held' IN (d.state, excluded.state) THEN excluded.state
			WHEN d.state = 'released' AND NOT ((d.customer, d.asset, d.address, d.amount) = (excluded.customer, excluded.asset, excluded.address, excluded.amount)
				AND (excluded.senders = '{}' OR d.senders = excluded.senders)) THEN 'seen' ELSE d.state END
	WHERE d.state NOT IN ('credited', 'withdrawable')
		OR (d.customer, d.asset, d.address, d.amount) = (excluded.customer, excluded.asset, excluded.address, excluded.amount)
	RETURNING id`

// takeDeposits stores what the block brought to our addresses from outside.
func (k *taking) takeDeposits(ctx context.Context) error {
	assets := map[string]custody.AssetInfo{}
	for _, info := range k.s.cfg.Assets.AssetsOf(k.chain) {
		assets[info.Contract] = info
	}
	for _, m := range k.block.Movements {
		a, ours := k.ours[m.To]
		info, listed := assets[m.Contract]
		_, own := k.own[m.TxID]
		if !ours || !listed || own || m.Amount.IsZero() {
			continue
		}
		state, err := k.firstState(ctx, m, info, a)
		if err != nil {
			return err
		}
		var rowID string
		err = k.tx.QueryRow(ctx, upsertDeposit, id.New("dep"), a.Customer, info.Code, k.chain, m.To, m.TxID, m.Index, m.Amount,
			k.block.Height, k.block.Hash, state, k.s.now(), sendersOf(m)).Scan(&rowID)
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("deposit %s/%d: %w", m.TxID, m.Index, ErrTakeBackFirst)
		}
		if err != nil {
			return fmt.Errorf("store deposit %s/%d: %w", m.TxID, m.Index, err)
		}
	}
	return nil
}

// firstState is where a deposit begins. What a vault of the house pays past us, by somebody
// else's transaction, was in the book before: only a person can say what it is.
func (k *taking) firstState(ctx context.Context, m chainadapters.Movement, info custody.AssetInfo, to HouseAddress) (custody.DepositState, error) {
	state := custody.FirstDepositState(m.Amount, info.MinDeposit, to.Customer == "")
	if to.Customer != "" || m.From == "" {
		return state, nil
	}
	_, err := vaultAt(ctx, k.tx, k.chain, m.From)
	switch {
	case err == nil:
		return custody.DepositUnattributed, nil
	case errors.Is(err, custody.ErrDestination):
		return state, nil
	}
	return state, err
}

// sendersOf is who sent a movement, where its chain says so in the movement.
func sendersOf(m chainadapters.Movement) []string {
	if m.From == "" {
		return []string{}
	}
	return []string{m.From}
}

// signalDue tells the workflows of those deposits, and of those own transactions,
// for which the block at the new cursor changes something. What is due is told at
// once and then, until it has moved, after gaps that double: a workflow that has
// not got to it yet is not helped by hearing it with each block.
func (s *Store) signalDue(ctx context.Context, tell teller, cursor uint64) error {
	open, err := deposits(ctx, tell.tx, `WHERE chain = $1 AND ((canonical AND state IN ('seen', 'confirming', 'credited', 'reorged', 'debited', 'released'))
		OR (NOT canonical AND state IN ('seen', 'confirming', 'credited', 'withdrawable'))) ORDER BY id`, tell.chain)
	if err != nil {
		return err
	}
	for i := range open {
		facts := s.FactsOf(open[i], cursor, true)
		step, err := custody.StepDeposit(open[i].State, facts)
		if err != nil {
			return fmt.Errorf("judge deposit %s: %w", open[i].ID, err)
		}
		if step.State == open[i].State || !worthTelling(facts.Confirmations, dueAt(step.State, facts)) {
			continue
		}
		if err := tell.deposit(ctx, open[i].ID); err != nil {
			return err
		}
	}
	return s.signalFinal(ctx, tell, cursor)
}

// dueAt is the depth from which a deposit is due to reach a state; zero where depth
// does not decide.
func dueAt(next custody.DepositState, f custody.DepositFacts) uint64 {
	switch next { //nolint:exhaustive // the others do not wait for depth
	case custody.DepositConfirming:
		return 1
	case custody.DepositCredited:
		return f.CreditDepth
	case custody.DepositWithdrawable:
		return f.WithdrawDepth
	default:
		return 0
	}
}

// worthTelling reports whether something that is due since a depth is told at this
// one: at once, one block later, and then after gaps that double.
func worthTelling(depth, due uint64) bool {
	if due == 0 || depth < due {
		return true
	}
	since := depth - due
	return since&(since-1) == 0 // zero and the powers of two
}

// FactsOf gathers what decides a deposit's next step. chainOK tells that its
// chain is not halted.
func (s *Store) FactsOf(d DepositRow, cursor uint64, chainOK bool) custody.DepositFacts {
	info, known := s.cfg.Assets.AssetByCode(d.Asset)
	tier := info.TierOf(d.Amount)
	f := custody.DepositFacts{
		Canonical: d.Canonical, CreditDepth: tier.CreditDepth, WithdrawDepth: tier.WithdrawDepth,
		Open: chainOK && known && info.State != custody.AssetSuspended, House: d.Customer == "",
	}
	if f.House {
		f.CreditDepth, f.WithdrawDepth = info.FinalDepth, info.FinalDepth
	}
	if planted.Live(planted.ZeroConfirmations) {
		f.CreditDepth = 0
	}
	if d.Canonical {
		f.Confirmations = custody.Confirmations(d.Block.Height, cursor)
	}
	return f
}

// signalFinal tells the workflows of intents whose mined transaction is deep
// enough, in the same rhythm.
func (s *Store) signalFinal(ctx context.Context, tell teller, cursor uint64) error {
	rows, err := tell.tx.Query(ctx, `SELECT t.intent, t.kind, o.asset, t.block_height FROM (
			SELECT id, asset FROM custody.withdrawal WHERE chain = $1 AND state IN ('reserved', 'signed', 'broadcast', 'unknown', 'confirming', 'reorged', 'stuck', 'replaced', 'final')
			UNION ALL
			SELECT id, asset FROM custody.house_intent WHERE chain = $1 AND state NOT IN ('posted', 'reverted', 'cancelled')) o
		JOIN custody.chain_tx t ON t.intent = o.id WHERE t.block_height IS NOT NULL ORDER BY t.intent`, tell.chain)
	if err != nil {
		return fmt.Errorf("read mined intents: %w", err)
	}
	type mined struct {
		Intent string
		Kind   custody.IntentKind
		Asset  string
		Height uint64
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[mined])
	if err != nil {
		return fmt.Errorf("read mined intents: %w", err)
	}
	for _, m := range list {
		info, known := s.cfg.Assets.AssetByCode(m.Asset)
		depth := custody.Confirmations(m.Height, cursor)
		if !known || depth < info.FinalDepth || !worthTelling(depth, info.FinalDepth) {
			continue
		}
		if err := tell.intent(ctx, m.Intent, m.Kind); err != nil {
			return err
		}
	}
	return nil
}

// signalGone tells the workflows of deposits whose block left the chain.
func signalGone(ctx context.Context, tell teller) error {
	gone, err := deposits(ctx, tell.tx, `WHERE chain = $1 AND NOT canonical AND state IN ('seen', 'confirming', 'credited', 'withdrawable') ORDER BY id`, tell.chain)
	if err != nil {
		return err
	}
	for i := range gone {
		if err := tell.deposit(ctx, gone[i].ID); err != nil {
			return err
		}
	}
	return nil
}
