package ledger

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"strongroom/money"
)

// book is the pure half of the ledger: the accounts, pending transfers and
// positions that a batch touches, and the rules that move them. It does no I/O
// and reads no clock. Every change can be undone up to a mark, so that one bad
// transaction leaves nothing behind; a confirmed batch cannot.
type book struct {
	accounts  *accountStore
	pendings  *cache[TransferID, *pending]
	booked    *cache[string, receipt]
	positions map[string]*position

	// confirmed is the last batch that this book saw committed: while the head
	// is there, nobody else has booked and the caches are true.
	confirmed  int64
	batch, seq int64
	// round counts beginnings: a batch of which nothing was kept leaves its
	// number to the next one, so the number cannot tell who was touched.
	round        int64
	loadedAssets []string // of accounts just read, whose position is not
	rows         []row
	heads        []heading
	attestations []*Attestation
	ids          map[TransferID]struct{} // transfer ids of this batch
	touched      []*account              // accounts of this batch, each once
	moved        []*position             // positions of this batch, each once
	undo         undoLog
}

// account is one account with its running totals.
type account struct {
	no         int64
	id         accountText
	asset      assetText
	class      Class
	overdraw   bool
	custody    bool // outside assets: what leaves here leaves the house
	max        money.Units
	state      state
	round      int64 // round that last touched it
	roundStart int64 // version before that round
	before     int64 // round that touched it before that one
}

func (a *account) accountID() AccountID { return AccountID(a.id.text()) }
func (a *account) assetCode() string    { return string(a.asset.text()) }

// state is what changes about an account.
type state struct {
	debits, credits          money.Units // posted
	debitsHeld, creditsAhead money.Units // pending
	version                  int64
	last                     int64 // seq of the last transfer
}

// pending is a pending transfer as far as posting and voiding need it.
type pending struct {
	seq           int64
	debit, credit AccountID
	amount        money.Units
	expires       time.Time
	resolved      Kind // Post, Void, or 0 while open
}

// position is one asset as a whole.
type position struct {
	asset  string
	total  totals
	claims []claim // newest attestation of each source
	round  int64   // round that last touched it
}

// totals is what changes about a position.
type totals struct {
	debits, credits money.Units // posted on Liability accounts
	outflowSum      money.Units
	outflows        int64
	attested        money.Units
	shortfall       money.Units
}

// receipt is what a booked transaction answered.
type receipt struct {
	hash   [sha256.Size]byte
	batch  int64
	booked time.Time
}

// row is a transfer as it will be written.
type row struct {
	seq, batch, transaction int64
	id                      TransferID
	kind                    Kind
	debit, credit           *account
	amount                  money.Units
	pending                 int64
	expires                 time.Time
	debitAfter, creditAfter state
	debitPrev, creditPrev   int64
}

// heading is a transaction as it will be written.
type heading struct {
	seq      int64
	legs     int
	tx       *Transaction
	hash     [sha256.Size]byte
	metadata []byte // canonical JSON, nil for none
}

// lesserCaches is how many times smaller the other caches are than that of
// accounts: holds and repetitions mostly concern what is recent.
const lesserCaches = 8

func newBook(cacheEntries int) *book {
	b := &book{ids: map[TransferID]struct{}{}}
	b.accounts = newAccountStore(cacheEntries)
	b.pendings = newCache[TransferID, *pending](cacheEntries / lesserCaches)
	b.booked = newCache[string, receipt](cacheEntries / lesserCaches)
	b.positions = map[string]*position{}
	return b
}

// forget drops everything: what the database holds is unknown.
func (b *book) forget() {
	b.accounts.clear()
	b.pendings.clear()
	b.booked.clear()
	clear(b.positions)
	b.reset()
	b.confirmed = nothingConfirmed
}

const nothingConfirmed = -1

// begin starts a batch after the given head. Where another committer has moved
// the head, what is cached is out of date.
func (b *book) begin(before head) {
	if before.batch != b.confirmed {
		b.forget()
	}
	b.reset()
	b.accounts.age()
	b.pendings.age()
	b.booked.age()
	b.batch, b.seq = before.batch+1, before.seq
	b.round++
}

// confirm makes the batch final after its commit.
func (b *book) confirm(after head) { b.confirmed = after.batch }

func (b *book) reset() {
	clear(b.rows)
	clear(b.heads)
	clear(b.touched)
	b.rows, b.heads = b.rows[:0], b.heads[:0]
	b.touched, b.moved, b.attestations = b.touched[:0], b.moved[:0], nil
	clear(b.ids)
	b.undo.reset()
}

// touch notes that the batch changes a, and saves a's state for undo.
func (b *book) touch(a *account) {
	if a.round != b.round {
		a.before, a.round, a.roundStart = a.round, b.round, a.state.version
		b.touched = append(b.touched, a)
	}
	b.undo.accounts = append(b.undo.accounts, savedAccount{a, a.state})
}

func (b *book) sortTouched() {
	slices.SortFunc(b.touched, func(x, y *account) int { return cmp.Compare(x.no, y.no) })
}

// position returns the asset's position, to be changed. A position that the
// database does not hold starts empty.
func (b *book) position(asset []byte) *position {
	p := b.positions[string(asset)]
	if p == nil {
		p = &position{asset: string(asset)}
		b.positions[p.asset] = p
	}
	if p.round != b.round {
		p.round = b.round
		b.moved = append(b.moved, p)
	}
	return p
}
