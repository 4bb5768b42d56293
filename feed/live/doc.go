// Package live follows a shard for everybody who looks at its markets: it begins with
// what waits in the books, goes on with the events, and begins anew when those do not
// fit; trades that nobody keeps any more it takes from the store, once that has them. It
// gives no order, knows no customer, and what it shows may be moments old; how
// old, it tells.
package live
