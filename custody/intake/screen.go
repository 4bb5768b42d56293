package intake

import (
	"context"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// Screener says what sanctions lists have against addresses of a chain. Any error
// means that it cannot be said.
type Screener interface {
	Screen(ctx context.Context, chain chainadapters.ChainID, addresses []string) ([]custody.Finding, error)
}

// judge decides a deposit's next step. One that is about to be credited is
// screened first, by all that the chain tells of who sent it; nothing is credited
// while that cannot be done.
func (i *Intake) judge(ctx context.Context, row *custodydb.DepositRow, facts custody.DepositFacts) (custody.DepositStep, error) {
	step, err := custody.StepDeposit(row.State, facts)
	if err != nil || step.Act != custody.ActCredit || row.Released {
		return step, err
	}
	if err := i.findSenders(ctx, row); err != nil {
		return custody.DepositStep{State: row.State}, err
	}
	findings, err := i.cfg.Screening.Screen(ctx, row.Chain, row.Senders)
	if err != nil {
		return custody.DepositStep{State: row.State}, fmt.Errorf("screen deposit %s: %w: %w", row.ID, custody.ErrScreening, err)
	}
	if len(findings) == 0 {
		return step, nil
	}
	if err := i.cfg.Store.RecordFindings(ctx, row.ID, findings); err != nil {
		return custody.DepositStep{State: row.State}, err
	}
	i.cfg.Log.WarnContext(ctx, "deposit of a listed sender", "deposit", row.ID, "list", findings[0].List, "entry", findings[0].Entry)
	facts.Listed = true
	return custody.StepDeposit(row.State, facts)
}

// findSenders asks the node whose coins a deposit's transaction spent, where the
// movement itself does not say who sent it.
func (i *Intake) findSenders(ctx context.Context, row *custodydb.DepositRow) error {
	if len(row.Senders) > 0 {
		return nil
	}
	reader, can := i.cfg.Adapters[row.Chain].(chainadapters.SenderReader)
	if !can {
		i.cfg.Log.InfoContext(ctx, "sender of a deposit is not known", "deposit", row.ID, "chain", row.Chain)
		return nil
	}
	senders, err := reader.Senders(ctx, row.TxID, row.Block)
	if err != nil {
		return fmt.Errorf("ask who sent deposit %s: %w", row.ID, err)
	}
	if senders.Unknown > 0 || len(senders.Addresses) == 0 {
		i.cfg.Log.InfoContext(ctx, "not every sender of a deposit is known", "deposit", row.ID, "chain", row.Chain, "unknown", senders.Unknown)
	}
	row.Senders = senders.Addresses
	return nil
}
