package signer

import (
	"encoding/hex"
	"fmt"
	"time"

	"strongroom/internal/planted"
	"strongroom/money"
	"strongroom/treasury/policy"
)

// Windows of the caps.
const (
	windowHour = time.Hour
	windowDay  = 24 * time.Hour
)

// book is the meaning of the journal: which intents, slots and coins exist, and
// how much left when. It is rebuilt from the journal at each start and changes
// only by apply.
type book struct {
	intents map[string]*history
	slots   map[string]string  // chain/sender/nonce → intent id
	coins   map[string]coinUse // chain/txid:vout → who and how much
	uses    map[capKey][]useOf // by time
	caps    map[capKey]Caps    // from the policy
	fees    map[string][]useOf // by chain, by time: what intents may pay for themselves
	chains  map[string]Chain   // from the policy
}

// history is what was allowed for one intent.
type history struct {
	intent intent
	slot   string
	exec   string            // of a refill
	last   uint32            // greatest attempt
	byHash map[string]uint32 // payloads, with their attempts
	grants map[string]*grant // by digest, where consent was verified
	common map[string]bool   // coins that every attempt spends
	fee    money.Units       // highest bid: one attempt at most is mined
	// cancelled is set with the first cancellation: no payment is signed after it.
	cancelled bool
}

type coinUse struct {
	intent string
	amount money.Units
}

// capKey names a cap: withdrawals and gas top-ups of an asset count apart.
type capKey struct {
	asset string
	kind  kind
}

type useOf struct {
	at     time.Time
	amount money.Units
}

func newBook(p Policy) *book {
	b := &book{
		intents: map[string]*history{}, slots: map[string]string{}, coins: map[string]coinUse{},
		uses: map[capKey][]useOf{}, caps: map[capKey]Caps{}, fees: map[string][]useOf{}, chains: map[string]Chain{},
	}
	for _, c := range p.Chains {
		b.chains[c.Name] = c
	}
	for _, a := range p.Assets {
		b.caps[capKey{a.Code, kindWithdrawal}] = a.Withdrawal
		b.caps[capKey{a.Code, kindGasTopUp}] = a.GasTopUp
	}
	return b
}

// apply records a permission. Journal and Sign call it with the same records in
// the same order, so a restart changes nothing.
func (b *book) apply(r record) {
	if r.Sign == nil {
		return
	}
	p := *r.Sign
	h, known := b.intents[p.Intent.ID]
	if !known {
		h = &history{intent: p.Intent, slot: slotKey(p), exec: p.Exec, byHash: map[string]uint32{}, grants: map[string]*grant{}}
		b.intents[p.Intent.ID] = h
		if p.capped() {
			key := capKey{p.Intent.Asset, p.Intent.Kind}
			b.uses[key] = append(b.uses[key], useOf{r.Time, p.Intent.Amount})
		}
	}
	h.last, h.byHash[p.Payload] = p.Attempt, p.Attempt
	if p.Grant != nil {
		h.grants[p.Grant.Digest] = p.Grant
	}
	h.cancelled = h.cancelled || p.Intent.Kind == kindCancel
	if more := p.Fee.SubFloor(h.fee); !more.IsZero() {
		b.fees[p.Intent.Chain] = append(b.fees[p.Intent.Chain], useOf{r.Time, more})
		h.fee = p.Fee
	}
	if p.Slot != "" && !planted.Live(planted.SignerForgets) {
		b.slots[slotKey(p)] = p.Intent.ID
	}
	spent := make(map[string]bool, len(p.Coins))
	for _, c := range p.Coins {
		key := coinKey(p.Intent.Chain, c)
		b.coins[key] = coinUse{p.Intent.ID, c.Amount}
		if !known || h.common[key] {
			spent[key] = true
		}
	}
	h.common = spent
}

// judge says whether a permission may be given at a time: seen is true where it
// was given before. Errors wrap ErrRefused.
func (b *book) judge(p permission, at time.Time) (seen bool, err error) {
	if err := b.judgeCoins(p); err != nil {
		return false, err
	}
	if owner, used := b.slots[slotKey(p)]; p.Slot != "" && used && owner != p.Intent.ID {
		return false, fmt.Errorf("%w: nonce belongs to intent %s", ErrRefused, owner)
	}
	h, known := b.intents[p.Intent.ID]
	if !known {
		if err := b.judgeCaps(p, at); err != nil {
			return false, err
		}
		return false, b.judgeFees(p.Intent.Chain, p.Fee, at)
	}
	if err := h.judgeMeaning(p); err != nil {
		return false, err
	}
	// An EVM payload does not name its sender: the slot does.
	if h.slot != slotKey(p) {
		return false, fmt.Errorf("%w: intent %s has another sender or nonce", ErrRefused, p.Intent.ID)
	}
	if _, seen := h.byHash[p.Payload]; seen {
		return true, nil
	}
	if err := h.judgeReplacement(p); err != nil {
		return false, err
	}
	return false, b.judgeFees(p.Intent.Chain, p.Fee.SubFloor(h.fee), at)
}

// judgeMeaning: an id means one thing for ever. A cancellation may take its place,
// and then nothing but a cancellation may take the place of that. A collection of
// coins pays its fee out of what it moves to ourselves: a later attempt moves less.
func (h *history) judgeMeaning(p permission) error {
	in, meant := p.Intent, h.intent
	if in.Kind == kindCollect && p.Slot == "" && in.Amount.Less(meant.Amount) {
		meant.Amount = in.Amount
	}
	switch {
	case in.Kind == kindCancel:
		if in.Chain != h.intent.Chain {
			return fmt.Errorf("%w: intent %s is on %s", ErrRefused, in.ID, h.intent.Chain)
		}
	case h.intent.Kind == kindCancel:
		return fmt.Errorf("%w: intent %s was cancelled", ErrRefused, in.ID)
	case meant != in:
		return fmt.Errorf("%w: intent %s means something else", ErrRefused, in.ID)
	case p.Exec != h.exec:
		return fmt.Errorf("%w: intent %s has another call of the vault", ErrRefused, in.ID)
	}
	return nil
}

// judgeReplacement: another payload of the same intent must be a later attempt
// that pays more and excludes all earlier ones: same nonce, which judge has seen,
// or a coin that they all spend. A payment never takes the place of a cancellation.
func (h *history) judgeReplacement(p permission) error {
	if p.Attempt <= h.last {
		return fmt.Errorf("%w: attempt %d is not after %d", ErrRefused, p.Attempt, h.last)
	}
	if h.cancelled && p.Intent.Kind != kindCancel {
		return fmt.Errorf("%w: intent %s was cancelled", ErrRefused, p.Intent.ID)
	}
	if !h.fee.Less(p.Fee) {
		return fmt.Errorf("%w: a replacement that pays %s, no more than %s", ErrRefused, p.Fee, h.fee)
	}
	if p.Slot != "" || planted.Live(planted.NoCommonInput) {
		return nil
	}
	for _, c := range p.Coins {
		if h.common[coinKey(p.Intent.Chain, c)] {
			return nil
		}
	}
	return fmt.Errorf("%w: a replacement spends a coin of all earlier attempts", ErrRefused)
}

// judgeCoins: a coin that all attempts of an intent spend is that intent's for ever:
// it is why one of them at most is ever mined. What only some of them spend may go
// to another intent, once those are not wanted any more. A coin's amount, once
// claimed, stays. What was signed once may be asked for again.
func (b *book) judgeCoins(p permission) error {
	if h, known := b.intents[p.Intent.ID]; known {
		if _, seen := h.byHash[p.Payload]; seen {
			return nil
		}
	}
	for _, c := range p.Coins {
		key := coinKey(p.Intent.Chain, c)
		use, used := b.coins[key]
		switch {
		case !used:
		case use.intent != p.Intent.ID && b.intents[use.intent].common[key]:
			return fmt.Errorf("%w: coin %s belongs to intent %s", ErrRefused, c.Outpoint, use.intent)
		case use.amount != c.Amount:
			return fmt.Errorf("%w: coin %s held %s before", ErrRefused, c.Outpoint, use.amount)
		}
	}
	return nil
}

// capped reports whether the amount counts: what stays with the house does not, nor what
// people agreed to.
func (p permission) capped() bool {
	if p.Grant != nil && p.Grant.Outcome == policy.Quorum {
		return false
	}
	return p.Intent.Kind == kindWithdrawal || p.Intent.Kind == kindGasTopUp
}

// judgeCaps holds a new intent against the caps of its asset.
func (b *book) judgeCaps(p permission, at time.Time) error {
	if !p.capped() {
		return nil
	}
	in := p.Intent
	key := capKey{in.Asset, in.Kind}
	limits := b.caps[key]
	if limits.PerTransaction.Less(in.Amount) {
		return fmt.Errorf("%w: %s of %s exceeds %s per transaction", ErrRefused, in.Amount, in.Asset, limits.PerTransaction)
	}
	for _, w := range []struct {
		length time.Duration
		limit  money.Units
		name   string
	}{{windowHour, limits.PerHour, "hour"}, {windowDay, limits.PerDay, "day"}} {
		used, err := b.used(key, at, w.length)
		if err != nil {
			return err
		}
		if total, err := used.Add(in.Amount); err != nil || w.limit.Less(total) {
			return fmt.Errorf("%w: %s of %s exceeds %s per %s, of which %s is used", ErrRefused, in.Amount, in.Asset, w.limit, w.name, used)
		}
	}
	return nil
}

// used sums what was allowed in the window that ends at a time; what is exactly
// as old as the window no longer counts. Times are instants: zones do not matter.
func (b *book) used(key capKey, at time.Time, window time.Duration) (money.Units, error) {
	return sumSince(b.uses[key], key.asset, at, window)
}

func sumSince(uses []useOf, of string, at time.Time, window time.Duration) (money.Units, error) {
	var total money.Units
	for i := len(uses) - 1; i >= 0 && at.Sub(uses[i].at) < window; i-- {
		var err error
		if total, err = total.Add(uses[i].amount); err != nil {
			return total, fmt.Errorf("%w: sum of %s: %w", ErrRefused, of, err)
		}
	}
	return total, nil
}

// judgeFees holds what an intent may pay more than before against the chain's
// bounds: one stuck market must not eat the house by a thousand raises.
func (b *book) judgeFees(name string, more money.Units, at time.Time) error {
	c := b.chains[name]
	for _, w := range []struct {
		length   time.Duration
		limit    money.Units
		ceilings uint64
		name     string
	}{{windowHour, c.FeePerHour, hourOfCeilings, "hour"}, {windowDay, c.FeePerDay, dayOfCeilings, "day"}} {
		limit, err := c.feeLimit(w.limit, w.ceilings)
		if err != nil {
			return err
		}
		used, err := sumSince(b.fees[name], "fees", at, w.length)
		if err != nil {
			return err
		}
		if total, err := used.Add(more); err != nil || limit.Less(total) {
			return fmt.Errorf("%w: fee of %s on %s exceeds %s per %s, of which %s is used", ErrRefused, more, name, limit, w.name, used)
		}
	}
	return nil
}

func slotKey(p permission) string { return p.Intent.Chain + "/" + p.Slot }

func coinKey(chain string, c spentCoin) string { return chain + "/" + c.Outpoint }

func hexHash(h [32]byte) string { return hex.EncodeToString(h[:]) }
