// Package engine is the matching engine of one shard: markets, orders, trading
// balances, and the rules of docs/matching.md. It is stepped: a command goes in,
// events come out, and both are a function of the commands before. It has no clock,
// no input or output, no goroutine, no float and no pointer in what it keeps per
// order; after warm-up it allocates nothing. It never knows who a customer is, what
// a chain is, or how its commands are kept: package journal keeps them, package
// server takes them in and hands events out.
package engine
