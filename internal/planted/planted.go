// Package planted holds known bugs, each the kind that loses money, so that the
// tests can be tested: with one of them live they must fail. In a product build
// Live is a constant answer and the bugs are compiled away; only the build tag
// planted makes one of them possible. It is never part of what is shipped.
package planted

// Bug names one planted bug.
type Bug string

// The bugs.
const (
	// NoncePerRetry takes the nonce from the node each time a signature is asked for,
	// not once per intent.
	NoncePerRetry Bug = "nonce-per-retry"
	// BroadcastFirst sends a transaction before its bytes are stored.
	BroadcastFirst Bug = "broadcast-before-persist"
	// PostWithoutKey books a deposit under a fresh id each time, and moves its row
	// in a transaction of its own afterwards.
	PostWithoutKey Bug = "post-without-unique-key"
	// Unguarded books what was decided without reading again whether it still holds.
	Unguarded Bug = "check-then-post-unguarded"
	// ZeroConfirmations credits a deposit in the block that it is first seen in.
	ZeroConfirmations Bug = "credit-at-zero-confirmations"
	// ReorgDeletes removes the deposits of blocks that left the chain.
	ReorgDeletes Bug = "reorg-deletes-rows"
	// SignerForgets keeps no note of the nonces that the signer has signed for.
	SignerForgets Bug = "signer-forgets-slot"
	// NoCommonInput lets the signer replace a transaction by one that shares no coin
	// with it.
	NoCommonInput Bug = "replacement-without-common-input"
	// GapSkipped settles events that come too early as if none were missing.
	GapSkipped Bug = "settlement-skips-a-gap"
	// NoFence settles what a leader of an old epoch says.
	NoFence Bug = "no-epoch-fence"
	// PartlyApproved leaves destination and amount out of what people sign.
	PartlyApproved Bug = "approval-hash-over-a-subset"
	// ChangedAfterwards lets the signer sign something else than people agreed to.
	ChangedAfterwards Bug = "change-after-approval"
	// PersonTwice counts a person as often as they have keys.
	PersonTwice Bug = "person-counts-twice"
	// RequesterCounts lets whoever asks agree.
	RequesterCounts Bug = "requester-counts"
	// StaleRoster believes a roster that is older than one that was in force.
	StaleRoster Bug = "stale-roster"
	// PendingForgotten plans sweeps and refills as if none were under way.
	PendingForgotten Bug = "plan-forgets-what-is-pending"
	// NoDedupe settles events again that come again.
	NoDedupe Bug = "settlement-without-dedupe"
)

// Bugs returns all of them.
func Bugs() []Bug {
	return []Bug{
		NoncePerRetry, BroadcastFirst, PostWithoutKey, Unguarded, ZeroConfirmations, ReorgDeletes, SignerForgets, NoCommonInput,
		GapSkipped, NoFence, NoDedupe,
		PartlyApproved, ChangedAfterwards, PersonTwice, RequesterCounts, StaleRoster, PendingForgotten,
	}
}

// Variable names the bug that is live in a process built with the tag planted.
const Variable = "STRONGROOM_PLANTED"
