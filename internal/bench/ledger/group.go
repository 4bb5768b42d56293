package ledgerbench

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/internal/id"
	"strongroom/ledger"
	"strongroom/money"
)

const (
	benchAsset = "BTC"
	vault      = ledger.AccountID("custody/bench/BTC/hot")
	// funds is what each account starts with; the hot one starts with a billion
	// times as much.
	funds       = 1_000_000
	legsPerFund = 200
	openAtOnce  = 50_000
	closeWithin = 30 * time.Second
)

func newID() string { return id.New("trf") }

// group books through the ledger.
type group struct {
	ledger *ledger.Ledger
	// names is all names, one after the other: a million strings of its own would
	// be work for the garbage collector of the process that is measured.
	names string
}

const nameBytes = len("customer/cus_") + 32 + len("/BTC/funding")

func (g *group) name(n int) ledger.AccountID {
	return ledger.AccountID(g.names[n*nameBytes : (n+1)*nameBytes])
}

func newGroup(ctx context.Context, cfg Config, pool *pgxpool.Pool) (*group, error) {
	l, err := ledger.New(ledger.Config{Pool: pool, Clock: cfg.Clock}) //nolint:contextcheck // a batch outlives every caller
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	g := &group{ledger: l}
	if err := g.fill(ctx, cfg); err != nil {
		g.close(ctx)
		return nil, err
	}
	return g, nil
}

// fill opens the accounts and funds each of them out of one vault.
func (g *group) fill(ctx context.Context, cfg Config) error {
	attestation := ledger.Attestation{Asset: benchAsset, Source: "bench", Amount: money.FromUint64(1 << 62), Evidence: "none"}
	if err := g.ledger.Attest(ctx, attestation); err != nil {
		return fmt.Errorf("attest: %w", err)
	}
	if err := g.ledger.Open(ctx, ledger.Account{ID: vault, Asset: benchAsset, Class: ledger.Asset}); err != nil {
		return fmt.Errorf("open vault: %w", err)
	}
	begun := cfg.Clock()
	var names strings.Builder
	names.Grow(cfg.Accounts * nameBytes)
	for n := range cfg.Accounts {
		fmt.Fprintf(&names, "customer/cus_%032x/BTC/funding", uint64(n)*0x9e3779b97f4a7c15)
	}
	g.names = names.String()
	for from := 0; from < cfg.Accounts; from += openAtOnce {
		accounts := make([]ledger.Account, 0, openAtOnce)
		for n := from; n < min(from+openAtOnce, cfg.Accounts); n++ {
			accounts = append(accounts, ledger.Account{ID: g.name(n), Asset: benchAsset, Class: ledger.Liability})
		}
		if err := g.ledger.Open(ctx, accounts...); err != nil {
			return fmt.Errorf("open accounts: %w", err)
		}
	}
	cfg.Progress(fmt.Sprintf("opened %d accounts in %s", cfg.Accounts, cfg.Clock().Sub(begun).Round(time.Millisecond)))
	begun = cfg.Clock()
	for from := 0; from < cfg.Accounts; from += legsPerFund {
		tx := ledger.Transaction{ID: newID()}
		for n := from; n < min(from+legsPerFund, cfg.Accounts); n++ {
			tx.Legs = append(tx.Legs, ledger.Transfer{
				ID: ledger.TransferID(newID()), Kind: ledger.Single, Debit: vault, Credit: g.name(n), Amount: initial(n),
			})
		}
		if _, err := g.ledger.Post(ctx, tx); err != nil {
			return fmt.Errorf("fund accounts: %w", err)
		}
	}
	cfg.Progress(fmt.Sprintf("funded them in %s", cfg.Clock().Sub(begun).Round(time.Millisecond)))
	return nil
}

func initial(n int) money.Units {
	if n == 0 {
		return money.FromUint64(funds * 1_000_000_000)
	}
	return money.FromUint64(funds)
}

func (g *group) book(ctx context.Context, name string, from, to int) error {
	_, err := g.ledger.Post(ctx, ledger.Transaction{ID: name, Legs: []ledger.Transfer{{
		ID: ledger.TransferID(name), Kind: ledger.Single, Debit: g.name(from), Credit: g.name(to), Amount: money.FromUint64(1),
	}}})
	if err != nil {
		return fmt.Errorf("book: %w", err)
	}
	return nil
}

// close runs when ctx may have ended already.
func (g *group) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	_ = g.ledger.Close(ctx) // the figures are taken; the database is thrown away
}

// withConnections sets the pool's size in a database url.
func withConnections(address string, n int) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return address // opening it will say what is wrong
	}
	query := parsed.Query()
	query.Set("pool_max_conns", strconv.Itoa(n))
	parsed.RawQuery = query.Encode()
	return parsed.String()
}
