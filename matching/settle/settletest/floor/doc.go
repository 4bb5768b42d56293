// Package floor is customers of a real shard of matching, for tests and measurements of
// settlement: it gives them numbers and money in the ledger, moves it to the engine as a
// transfer's workflow does, lets them trade so that nearly all orders meet, and holds what
// the shard says that happened against what was settled. It settles nothing itself.
package floor
