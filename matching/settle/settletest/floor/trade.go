package floor

import (
	"context"
	"errors"
	"fmt"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/ledger"
	"strongroom/matching/client"
	"strongroom/matching/engine"
	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest"
	"strongroom/money"
)

// The load: so many orders wait, and one comes that takes them all.
const (
	Makers   = 4
	mid      = 1_000
	spread   = 20
	mostLots = 30
	mostMove = 1 << 30
)

// Do gives the engine commands and waits for their results, through new leaders and lost
// sessions; commands of a lost session may have taken effect, or be given twice.
func (f *Floor) Do(ctx context.Context, commands ...engine.Command) error {
	for {
		session, err := f.Session(ctx)
		if err == nil {
			_, err = session.Do(ctx, commands...)
		}
		if err == nil {
			return nil
		}
		if f.session != nil && errors.Is(err, client.ErrSessionLost) {
			f.session.Close()
			f.session = nil
		} else if !errors.Is(err, client.ErrNoLeader) {
			return fmt.Errorf("give commands: %w", err)
		}
		if !wait(ctx) {
			return fmt.Errorf("give commands: %w", err)
		}
	}
}

// Session is the one that commands are given by.
func (f *Floor) Session(ctx context.Context) (*client.Session, error) {
	if f.session != nil {
		return f.session, nil
	}
	session, err := f.cfg.Client.Open(ctx, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("open session: %w", err)
	}
	f.session = session
	return session, nil
}

func (f *Floor) someone() engine.AccountID {
	return engine.AccountID(1 + f.dice.IntN(f.cfg.Customers)) //nolint:gosec // a count
}

// Orders appends a round to out: Makers orders that wait and one that takes them all, so
// as many fills.
func (f *Floor) Orders(out []engine.Command) []engine.Command {
	side, sum := engine.Side(f.dice.IntN(2)), int64(0) //nolint:gosec // 0 or 1
	price := int64(mid - spread/2 + f.dice.IntN(spread))
	for range Makers {
		c := engine.Command{Op: engine.OpNew, Account: f.someone(), Side: side, Price: price, Qty: 1 + f.dice.Int64N(mostLots)}
		sum += c.Qty
		out = append(out, c)
	}
	return append(out, engine.Command{Op: engine.OpNew, Account: f.someone(), Side: 1 - side, Price: price, Qty: sum, TIF: engine.IOC})
}

// Trade gives so many rounds of orders at once.
func (f *Floor) Trade(ctx context.Context, rounds int) error {
	commands := make([]engine.Command, 0, rounds*(Makers+1))
	for range rounds {
		commands = f.Orders(commands)
	}
	return f.Do(ctx, commands...)
}

// Checkpoint asks the engine for the digest of its balances.
func (f *Floor) Checkpoint(ctx context.Context) error {
	return f.Do(ctx, engine.Command{Op: engine.OpCheckpoint})
}

// Move carries a transfer of somebody, into the engine or out of it, as far as the
// engine's answer; outward ones are completed by Finish. One in a few is more than there
// is.
func (f *Floor) Move(ctx context.Context) error {
	account, asset := f.someone(), engine.AssetID(f.dice.IntN(len(codes()))) //nolint:gosec // a few
	amount := 1 + f.dice.Uint64N(mostMove)
	if f.dice.IntN(2) == 0 {
		c, err := f.inward(ctx, account, asset, amount)
		if err != nil {
			return err
		}
		return f.Do(ctx, c)
	}
	if f.dice.IntN(5) == 0 {
		amount += 1 << 60
	}
	m, key, err := f.transfer(account, asset, amount)
	if err != nil {
		return err
	}
	if err := f.transfers.Announce(ctx, m); err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	f.outward = append(f.outward, m.ID)
	return f.Do(ctx, engine.Command{Op: engine.OpDebit, Account: account, Asset: asset, Amount: engine.Amount{Lo: amount}, Key: key})
}

// inward books a transfer into the engine and returns the command to follow.
func (f *Floor) inward(ctx context.Context, account engine.AccountID, asset engine.AssetID, amount uint64) (engine.Command, error) {
	m, key, err := f.transfer(account, asset, amount)
	if err != nil {
		return engine.Command{}, err
	}
	if err := f.transfers.Credit(ctx, m); err != nil {
		return engine.Command{}, fmt.Errorf("credit: %w", err)
	}
	return engine.Command{Op: engine.OpCredit, Account: account, Asset: asset, Amount: engine.Amount{Lo: amount}, Key: key}, nil
}

func (f *Floor) transfer(account engine.AccountID, asset engine.AssetID, amount uint64) (settle.Transfer, engine.Key, error) {
	m := settle.Transfer{ID: settletest.TransferID(f.dice), Customer: settletest.Customer(account), Asset: codes()[asset], Amount: money.FromUint64(amount)}
	key, err := settle.TransferKey(m.ID)
	if err != nil {
		return m, key, fmt.Errorf("name transfer: %w", err)
	}
	return m, key, nil
}

// Finish books outward transfers whose answers are settled, and returns how many are not.
func (f *Floor) Finish(ctx context.Context) (int, error) {
	var left []string
	for _, id := range f.outward {
		_, p, err := f.transfers.Load(ctx, id)
		switch {
		case err != nil:
			return 0, fmt.Errorf("read transfer: %w", err)
		case !p.Settled:
			left = append(left, id)
		case p.Code == engine.CodeNone:
			if err := f.transfers.Debit(ctx, id); err != nil {
				return 0, fmt.Errorf("debit: %w", err)
			}
		}
	}
	f.outward = left
	return len(left), nil
}

// Differences holds each balance of the engine against the ledger's, the house's too,
// where all is settled and finished.
func (f *Floor) Differences(ctx context.Context) ([]string, error) {
	leader, err := f.leader(ctx)
	if err != nil {
		return nil, err
	}
	var found []string
	for no := range engine.AccountID(f.cfg.Customers + 1) { //nolint:gosec // a count
		have, err := leader.Balances(ctx, &matchingv1.BalancesRequest{Account: uint32(no), Assets: []uint32{uint32(base), uint32(quote)}})
		if err != nil {
			return nil, fmt.Errorf("balances of account %d: %w", no, err)
		}
		for _, b := range have.GetBalances() {
			code := codes()[b.GetAsset()]
			id := settle.TradingAccount(0, settletest.Customer(no), code)
			if no == 0 {
				id = settle.FeesAccount(0, code)
			}
			booked, err := f.booked(ctx, id)
			if err != nil {
				return nil, err
			}
			in := engine.Amount{Hi: b.GetAvailable().GetHi(), Lo: b.GetAvailable().GetLo()}
			held := engine.Amount{Hi: b.GetReserved().GetHi(), Lo: b.GetReserved().GetLo()}
			all, err := settle.UnitsOf(in).Add(settle.UnitsOf(held))
			if err != nil || all != booked {
				found = append(found, fmt.Sprintf("%s has %s, the engine %s (%v)", id, booked, all, err))
			}
		}
	}
	return found, nil
}

func (f *Floor) booked(ctx context.Context, id ledger.AccountID) (money.Units, error) {
	b, err := f.cfg.Ledger.Balance(ctx, id)
	if errors.Is(err, ledger.ErrAccountUnknown) {
		return money.Units{}, nil
	}
	if err != nil {
		return money.Units{}, fmt.Errorf("balance of %s: %w", id, err)
	}
	return b.Posted(), nil
}
