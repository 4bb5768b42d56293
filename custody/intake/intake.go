// Package intake carries deposits from their block into the book: it credits,
// matures and takes back, each in one ledger transaction that reads the deposit's
// row again and moves it by compare-and-set. It decides nothing itself (package
// custody does), reads no blocks (package watch does), and credits nothing that
// has not been counted on chain.
//
// What counts as a deposit are the movements that package watch stores: native
// value, that which contracts sent on included, and of tokens what arrived.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/internal/crash"
	"strongroom/internal/planted"
	"strongroom/ledger"
	"strongroom/money"
)

// Ledger is what intake needs of the book.
type Ledger interface {
	Post(ctx context.Context, tx ledger.Transaction, with ...ledger.Attachment) (ledger.Receipt, error)
	Attest(ctx context.Context, a ledger.Attestation) error
	Position(ctx context.Context, asset string) (ledger.Position, error)
	Balances(ctx context.Context, ids ...ledger.AccountID) ([]ledger.Balance, error)
	Transaction(ctx context.Context, id string) (ledger.Record, error)
}

// Config holds the collaborators of an Intake; all are needed.
type Config struct {
	Store    *custodydb.Store
	Ledger   Ledger
	Assets   custody.Assets
	Adapters map[chainadapters.ChainID]chainadapters.Adapter
	// Screening is asked about each deposit before it is credited.
	Screening Screener
	Log       *slog.Logger
}

// Intake advances deposits. It is safe for concurrent use, in several processes too.
type Intake struct {
	cfg   Config
	mu    sync.Mutex           // guards count
	count map[string]*counting // by asset code
}

// New returns an Intake.
func New(cfg Config) (*Intake, error) {
	if cfg.Store == nil || cfg.Ledger == nil || cfg.Assets == nil || cfg.Log == nil || cfg.Screening == nil || len(cfg.Adapters) == 0 {
		return nil, errors.New("intake: config is incomplete")
	}
	return &Intake{cfg: cfg, count: map[string]*counting{}}, nil
}

// maxTries bounds how often one step is decided anew because something moved
// between the decision and its booking.
const maxTries = 8

// Advance moves a deposit as far as the chain allows now. It can be repeated and
// called concurrently. Errors: custody.ErrNotFound, custody.ErrIllegal for one
// that waits for a person; custody.ErrChainHalted where value would be given but
// the chain may not be trusted now; custody.ErrScreening where nobody can say
// whether its sender is sanctioned; custody.ErrConflict where others kept moving
// it; ledger.ErrUnattested where the chain does not hold what would be owed.
func (i *Intake) Advance(ctx context.Context, depositID string) (custody.DepositProgress, error) {
	tries := 0
	for {
		row, facts, err := i.load(ctx, depositID)
		if err != nil {
			return custody.DepositProgress{}, err
		}
		step, err := i.judge(ctx, &row, facts)
		if err != nil {
			return progress(row, facts), err
		}
		if step.State == row.State {
			return progress(row, facts), i.refusal(row, facts)
		}
		err = i.do(ctx, row, facts, step)
		switch {
		case err == nil:
			i.cfg.Log.InfoContext(ctx, "deposit moved", "deposit", row.ID, "from", row.State, "to", step.State)
		case again(err) && tries < maxTries:
			tries++
		default:
			return progress(row, facts), fmt.Errorf("advance deposit %s: %w", depositID, err)
		}
	}
}

// again tells whether a step failed because something moved meanwhile.
func again(err error) bool {
	return errors.Is(err, custody.ErrConflict) || errors.Is(err, ledger.ErrInsufficient) || errors.Is(err, ledger.ErrStale)
}

func (i *Intake) load(ctx context.Context, depositID string) (custodydb.DepositRow, custody.DepositFacts, error) {
	row, err := i.cfg.Store.DepositRow(ctx, depositID)
	if err != nil {
		return row, custody.DepositFacts{}, err
	}
	chain, err := i.cfg.Store.Chain(ctx, row.Chain)
	if err != nil {
		return row, custody.DepositFacts{}, err
	}
	return row, i.cfg.Store.FactsOf(row, chain.Cursor.Height, chain.Status == custodydb.ChainOK), nil
}

// refusal tells why a deposit that would move on a trusted chain stays.
func (i *Intake) refusal(row custodydb.DepositRow, facts custody.DepositFacts) error {
	if facts.Open {
		return nil
	}
	facts.Open = true
	step, err := custody.StepDeposit(row.State, facts)
	if err != nil || step.State == row.State {
		return err
	}
	if info, known := i.cfg.Assets.AssetByCode(row.Asset); !known || info.State == custody.AssetSuspended {
		return nil // it waits until the asset is listed again: the next block tells
	}
	return fmt.Errorf("deposit %s: %w", row.ID, custody.ErrChainHalted)
}

func progress(row custodydb.DepositRow, facts custody.DepositFacts) custody.DepositProgress {
	p := custody.DepositProgress{ID: row.ID, State: row.State, Confirmations: facts.Confirmations}
	switch row.State { //nolint:exhaustive // the others go on
	case custody.DepositWithdrawable, custody.DepositDust, custody.DepositReorged, custody.DepositDebited, custody.DepositQuarantined:
		p.Ended = true
	}
	return p
}

// do makes one step with its booking.
func (i *Intake) do(ctx context.Context, row custodydb.DepositRow, facts custody.DepositFacts, step custody.DepositStep) error {
	debt := custodydb.Debt{}
	if row.Customer != "" {
		var err error
		if debt, err = i.cfg.Store.DebtOf(ctx, row.Customer, row.Asset); err != nil {
			return err
		}
	}
	m := custodydb.DepositMove{
		Row: row, To: step.State, Act: step.Act, Debt: debt, Owes: debt.Amount, Own: row.Maturing, Senders: row.Senders,
	}
	switch step.Act {
	case custody.ActCredit:
		m.Depth = facts.CreditDepth
		return i.credit(ctx, m)
	case custody.ActMature:
		m.Depth = max(facts.CreditDepth, facts.WithdrawDepth)
		return i.mature(ctx, m)
	case custody.ActTakeBack:
		return i.takeBack(ctx, m)
	case custody.ActNone:
	}
	return i.cfg.Store.MoveDeposit(ctx, m)
}

// credit books a deposit: the customer's debt is repaid first.
func (i *Intake) credit(ctx context.Context, m custodydb.DepositMove) error {
	d := m.Row
	holder, err := i.cfg.Store.HolderOf(ctx, d)
	if err != nil {
		return err
	}
	b := newBooking(d, "credit", d.Round+1)
	if d.Customer == "" {
		b.leg("house", holder, custody.EquityAccount(d.Asset), d.Amount)
	} else {
		info, known := i.cfg.Assets.AssetByCode(d.Asset)
		if !known {
			return fmt.Errorf("asset %s: %w", d.Asset, custody.ErrAsset)
		}
		// An asset may arrive at an address that was made for another one.
		if err := i.cfg.Store.OpenAccounts(ctx, d.Customer, info); err != nil {
			return err
		}
		repaid, matures := custody.SplitCredit(d.Amount, m.Debt.Amount)
		m.Owes, m.Own = m.Debt.Amount.SubFloor(repaid), matures
		b.leg("debt", holder, custody.DebtAccount(d.Customer, d.Asset), repaid)
		b.leg("maturing", holder, custody.MaturingAccount(d.Customer, d.Asset), matures)
	}
	return i.postAttested(ctx, b, m)
}

// maxCounts bounds how often the chain is counted anew for one credit: a count
// that was under way when the deposit arrived may have missed it.
const maxCounts = 2

// postAttested books a credit, counting the chain where the last count does not
// cover it.
func (i *Intake) postAttested(ctx context.Context, b *booking, m custodydb.DepositMove) error {
	for counts := 0; ; counts++ {
		seen := i.counts(m.Row.Asset)
		err := i.post(ctx, b, m)
		uncovered := errors.Is(err, ledger.ErrUnattested) || errors.Is(err, custodydb.ErrAttestation)
		if !uncovered || counts == maxCounts {
			return err
		}
		if err := i.attestSince(ctx, m.Row.Asset, seen); err != nil {
			return err
		}
	}
}

// mature makes a credited deposit withdrawable. Debt that arose meanwhile is
// repaid first.
func (i *Intake) mature(ctx context.Context, m custodydb.DepositMove) error {
	d := m.Row
	repaid, rest := custody.SplitCredit(d.Maturing, m.Debt.Amount)
	m.Owes, m.Own = m.Debt.Amount.SubFloor(repaid), money.Units{}
	b := newBooking(d, "mature", d.Round)
	from := custody.MaturingAccount(d.Customer, d.Asset)
	b.leg("debt", from, custody.DebtAccount(d.Customer, d.Asset), repaid)
	b.leg("funding", from, custody.FundingAccount(d.Customer, d.Asset), rest)
	return i.post(ctx, b, m)
}

// takeBack books a deposit away whose block left the chain: from its part of the
// maturing account, then from what is available, and the rest is debt.
func (i *Intake) takeBack(ctx context.Context, m custodydb.DepositMove) error {
	d := m.Row
	holder, err := i.cfg.Store.HolderOf(ctx, d)
	if err != nil {
		return err
	}
	b := newBooking(d, "takeback", d.Round)
	m.Own = money.Units{}
	if d.Customer == "" {
		b.leg("house", custody.EquityAccount(d.Asset), holder, d.Amount)
		return i.post(ctx, b, m)
	}
	maturing, funding := custody.MaturingAccount(d.Customer, d.Asset), custody.FundingAccount(d.Customer, d.Asset)
	now, err := i.cfg.Ledger.Balances(ctx, maturing, funding)
	if err != nil {
		return fmt.Errorf("read balances of %s: %w", d.Customer, err)
	}
	back := custody.SplitTakeBack(d.Amount, d.Maturing, now[0].Available(), now[1].Available())
	if m.Owes, err = m.Debt.Amount.Add(back.Debt); err != nil {
		return fmt.Errorf("add to debt: %w", err)
	}
	b.leg("maturing", maturing, holder, back.Maturing)
	b.leg("funding", funding, holder, back.Funding)
	b.leg("debt", custody.DebtAccount(d.Customer, d.Asset), holder, back.Debt)
	return i.post(ctx, b, m)
}

func (i *Intake) post(ctx context.Context, b *booking, m custodydb.DepositMove) error {
	if len(b.tx.Legs) == 0 { // everything went to repay debt when it was credited
		return i.cfg.Store.MoveDeposit(ctx, m)
	}
	if planted.Live(planted.PostWithoutKey) {
		return i.postTwice(ctx, b, m)
	}
	_, err := i.cfg.Ledger.Post(ctx, b.tx, i.cfg.Store.DepositWrites(m))
	if err != nil {
		return fmt.Errorf("book %s: %w", b.tx.ID, err)
	}
	if m.Act == custody.ActCredit {
		crash.At(crash.CreditAfter)
	}
	return nil
}
