package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"
)

// PureBook drives the pure book as a committer would, without a database.
type PureBook struct {
	book   *book
	known  known
	before before
}

// NewPureBook returns a book with the given accounts.
func NewPureBook(accounts []Account) *PureBook { return NewPureBookOf(accounts, 1<<20) }

// NewPureBookOf returns one that caches so many entries.
func NewPureBookOf(accounts []Account, entries int) *PureBook {
	p := &PureBook{book: newBook(entries), known: known{transactions: map[string]receipt{}, transfers: map[TransferID]struct{}{}}}
	p.book.forget()
	p.book.begin(head{batch: nothingConfirmed})
	for i, a := range accounts {
		kept := account{no: int64(i + 1), class: a.Class, overdraw: a.MayOverdraw, max: a.Max, custody: isCustody([]byte(a.ID), a.Class)}
		if err := errors.Join(kept.id.Scan(string(a.ID)), kept.asset.Scan(a.Asset)); err != nil {
			panic(err)
		}
		p.book.accounts.put(&kept)
	}
	p.remember(head{batch: nothingConfirmed})
	return p
}

// NextBatch confirms what was booked and begins another batch.
func (p *PureBook) NextBatch() {
	for id := range p.book.ids {
		p.known.transfers[id] = struct{}{}
	}
	after := head{batch: p.book.batch, seq: p.book.seq}
	p.endBatch()
	p.book.confirm(after)
	p.book.begin(after)
	p.remember(after)
}

// Post judges tx and reports whether it was booked before.
func (p *PureBook) Post(tx Transaction, now time.Time) (bool, error) {
	if err := tx.validate(); err != nil {
		return false, err
	}
	r := &request{tx: tx, hash: tx.requestHash()}
	s := sitting{book: p.book, now: now, known: p.known}
	if err := s.judgeOne(context.Background(), r, true); err != nil {
		return false, err
	}
	return r.receipt.Repeated, r.err
}

// Attest judges an attestation.
func (p *PureBook) Attest(a Attestation) error { return p.book.attest(&a) }

// Balance returns the state of an account.
func (p *PureBook) Balance(id AccountID) Balance {
	a, _ := p.book.accounts.find(id)
	return Balance{
		Account: id, Asset: a.assetCode(), Class: a.class, Version: uint64(a.state.version),
		DebitsPosted: a.state.debits, CreditsPosted: a.state.credits, DebitsPending: a.state.debitsHeld, CreditsPending: a.state.creditsAhead,
	}
}

// Position returns the state of an asset.
func (p *PureBook) Position(asset string) Position {
	t := p.book.position([]byte(asset)).total
	return Position{Asset: asset, Liabilities: t.liabilities(), Attested: t.attested, Outflows: uint64(t.outflows)}
}

// Database returns the url that l works on.
func Database(l *Ledger) string { return l.cfg.Pool.Config().ConnString() }

// AlwaysBoard makes batches of any size board, once n were undisturbed. Call it
// before the first booking.
func AlwaysBoard(l *Ledger, n int) { l.committer.boards = boarding{after: n, least: 1, most: 2} }

// Queued returns how many requests wait.
func Queued(l *Ledger) int { return len(l.queue) }

// Enqueue is the first half of Post; the function it returns is the second.
func Enqueue(ctx context.Context, l *Ledger, tx Transaction, with ...Attachment) (func() (Receipt, error), error) {
	r := &request{ctx: ctx, tx: tx, hash: tx.requestHash(), attachments: with, done: make(chan struct{})}
	if err := l.enqueue(r); err != nil {
		return nil, err
	}
	return func() (Receipt, error) {
		<-r.done
		return r.receipt, r.err
	}, nil
}

// RequestHash is the digest of a transaction's content.
func RequestHash(tx Transaction) [32]byte { return tx.requestHash() }

// CheckCache puts keys into a cache and ages it after each: what it answers is
// right, it never stays above its bound, and it drops nothing below it.
func CheckCache(limit int, keys []int) error {
	c := newCache[int, int](limit)
	all := map[int]int{}
	for i, k := range keys {
		c.put(k, i)
		all[k] = i
		if v, ok := c.find(k); !ok || v != i {
			return fmt.Errorf("key %d is %d (%v) just after it was put as %d", k, v, ok, i)
		}
		c.age()
		if len(c.entries) != min(len(all), limit) {
			return fmt.Errorf("%d of %d entries kept in a cache of %d", len(c.entries), len(all), limit)
		}
		for k, v := range c.entries {
			if all[k] != v {
				return fmt.Errorf("key %d is %d, put as %d", k, v, all[k])
			}
		}
		all = maps.Clone(c.entries)
	}
	return nil
}

// CheckAccounts does the same to the store of accounts, and clears it half way.
func CheckAccounts(limit int, keys []int) error {
	s := newAccountStore(limit)
	all := map[AccountID]int64{}
	for i, k := range keys {
		if i == len(keys)/2 {
			s.clear()
			all = map[AccountID]int64{}
		}
		id := AccountID(fmt.Sprintf("account/%d", k))
		if _, known := s.find(id); !known {
			var a account
			if err := a.id.Scan(string(id)); err != nil {
				return err
			}
			a.no = int64(i)
			s.put(&a)
			all[id] = a.no
		}
		s.age()
		if len(s.index) > limit || len(s.index)+len(s.free) != int(s.used) {
			return fmt.Errorf("%d kept and %d free of %d, limit %d", len(s.index), len(s.free), s.used, limit)
		}
		kept := 0
		for id, no := range all {
			if a, known := s.find(id); known {
				kept++
				if a.no != no || a.accountID() != id {
					return fmt.Errorf("%s is number %d named %s, put as %d", id, a.no, a.accountID(), no)
				}
			}
		}
		if kept != len(s.index) {
			return fmt.Errorf("%d found of %d kept", kept, len(s.index))
		}
	}
	return nil
}

// LookUps are the statements that find many ids in a table that grows.
func LookUps() map[string]string {
	return map[string]string{"accounts": selectAccounts, "pendings": selectPendings, "transactions": selectTransactions, "transfers": selectTransfers}
}
