package engine

import "math/bits"

// BalanceHash is what one balance adds to the digest of balances: the sum, modulo
// 2^64, over all accounts and assets whose available and reserved together are not
// zero. The order of rows does not matter, so a ledger can compute it too.
func BalanceHash(account AccountID, asset AssetID, total Amount) uint64 {
	if total.IsZero() {
		return 0
	}
	var d Digester
	d.words(uint64(account)|uint64(asset)<<32, total.Hi, total.Lo)
	return bits.RotateLeft64(d.Sum(), 17)
}

// BalanceDigester is a Visitor that computes the digest of balances and looks at
// nothing else. The zero value is ready.
type BalanceDigester struct{ sum uint64 }

// Sum returns the digest of the balances shown so far.
func (d *BalanceDigester) Sum() uint64 { return d.sum }

// State implements Visitor.
func (*BalanceDigester) State(*StateRow) {}

// Order implements Visitor.
func (*BalanceDigester) Order(*OrderRow) {}

// Money implements Visitor.
func (d *BalanceDigester) Money(r *MoneyRow) {
	if r.Kind != RowBalance {
		return
	}
	total, _ := r.Available.Add(r.Reserved) // all of an asset together stays below 2^128
	d.sum += BalanceHash(r.Account, r.Asset, total)
}
