// Package vault says how much of an asset lies where, and what has to move so that
// the hot wallet neither holds more than it may lose nor less than it has to pay:
// sweeps out of hot vaults above their caps, refills of those that run low, and the
// proofs of control without which a vault takes nothing in. It only plans. The same
// state gives the same plan, and a plan that is under way is not planned again. It
// reads no clock, no chain and no database, and it never moves anything.
package vault
