package custody

import (
	"errors"
	"fmt"
	"slices"
)

// ErrKeyHalted reports a sending key that is used by somebody else too: a nonce of
// ours carries a transaction that is not ours. Only a person can judge that.
var ErrKeyHalted = errors.New("sending key is halted")

// WithdrawalEvent is something that happened to an intent.
type WithdrawalEvent string

// The events. What is known of the chain comes beside them as WithdrawalFacts.
const (
	EventHold         WithdrawalEvent = "hold"          // funds are held; the request is on record
	EventScreen       WithdrawalEvent = "screen"        // nothing is wrong with customer, address, asset
	EventNeedApproval WithdrawalEvent = "need_approval" // policy asks for people
	EventCool         WithdrawalEvent = "cool"          // policy asks for time
	EventApprove      WithdrawalEvent = "approve"       // policy is satisfied
	EventReject       WithdrawalEvent = "reject"        // policy or a person said no
	EventBlock        WithdrawalEvent = "block"         // screening said no
	EventCancel       WithdrawalEvent = "cancel"        // the customer changed their mind
	EventExpire       WithdrawalEvent = "expire"        // it waited for too long
	EventReserve      WithdrawalEvent = "reserve"       // slot or coins and plan are stored
	EventSign         WithdrawalEvent = "sign"          // the signed bytes are stored
	EventSent         WithdrawalEvent = "sent"          // a node confirmed that it has them
	EventLost         WithdrawalEvent = "lost"          // a send was started; its outcome is not known
	EventStall        WithdrawalEvent = "stall"         // waits in the pool for too long
	EventReplace      WithdrawalEvent = "replace"       // a replacement is signed and stored
	EventMine         WithdrawalEvent = "mine"          // one of our transactions is in a block
	EventReorg        WithdrawalEvent = "reorg"         // that block left the chain
	EventFinalise     WithdrawalEvent = "finalise"      // deep enough, and the node agrees
	EventPost         WithdrawalEvent = "post"          // the ledger has it
	EventRevert       WithdrawalEvent = "revert"        // mined for good, but it failed on chain
	EventCancelMined  WithdrawalEvent = "cancel_mined"  // mined for good was our own cancellation
)

// WithdrawalFacts is what is known when an event happens.
type WithdrawalFacts struct {
	// Signed tells that a signed transaction of the intent is stored, or that the
	// signer may have made one.
	Signed bool
	// Depth is the number of confirmations of the mined transaction.
	Depth uint64
	// FinalDepth is how many are enough; at least 1.
	FinalDepth uint64
	// Agreed tells that node and our own block table name the same block.
	Agreed bool
	// Success tells that the mined transaction did what it says.
	Success bool
	// Pays tells that the mined transaction carries out the intent; a
	// cancellation does not.
	Pays bool
}

func (f WithdrawalFacts) deep() bool {
	return f.Agreed && f.Signed && f.FinalDepth > 0 && f.Depth >= f.FinalDepth
}

func unsigned(f WithdrawalFacts) bool { return !f.Signed }
func isSigned(f WithdrawalFacts) bool { return f.Signed }
func paid(f WithdrawalFacts) bool     { return f.deep() && f.Success && f.Pays }
func failed(f WithdrawalFacts) bool   { return f.deep() && !f.Success }
func undone(f WithdrawalFacts) bool   { return f.deep() && f.Success && !f.Pays }

// rule is what one event does: from any of these states to that one, if allowed.
type rule struct {
	from  []WithdrawalState
	to    WithdrawalState
	allow func(WithdrawalFacts) bool
}

// Step returns the state after an event. It is the only judge of which moves are
// legal: a move that it does not know, or that the facts do not bear out, is
// ErrIllegal and the state stays.
func Step(state WithdrawalState, event WithdrawalEvent, facts WithdrawalFacts) (WithdrawalState, error) {
	r, known := beforeSigning(event)
	if !known {
		r, known = afterSigning(event)
	}
	if !known || !r.starts(state) || !r.allow(facts) {
		return state, fmt.Errorf("%s in %s: %w", event, state, ErrIllegal)
	}
	return r.to, nil
}

func (r rule) starts(s WithdrawalState) bool { return slices.Contains(r.from, s) }

// beforeSigning holds the moves while funds are only held: each of them can be
// undone by releasing the hold.
func beforeSigning(event WithdrawalEvent) (rule, bool) {
	waiting := []WithdrawalState{WithdrawalScreened, WithdrawalAwaitingApproval, WithdrawalCooling}
	releasable := append([]WithdrawalState{WithdrawalHeld, WithdrawalApproved}, waiting...)
	switch event { //nolint:exhaustive // the others are afterSigning's
	case EventHold:
		return rule{[]WithdrawalState{WithdrawalRequested}, WithdrawalHeld, unsigned}, true
	case EventScreen:
		return rule{[]WithdrawalState{WithdrawalHeld}, WithdrawalScreened, unsigned}, true
	case EventNeedApproval:
		return rule{waiting[:1], WithdrawalAwaitingApproval, unsigned}, true
	case EventCool:
		return rule{waiting[:2], WithdrawalCooling, unsigned}, true
	case EventApprove:
		return rule{waiting, WithdrawalApproved, unsigned}, true
	case EventReject:
		return rule{waiting, WithdrawalRejected, unsigned}, true
	case EventBlock:
		return rule{releasable, WithdrawalBlocked, unsigned}, true
	case EventCancel:
		return rule{releasable, WithdrawalCancelled, unsigned}, true
	case EventExpire:
		return rule{releasable, WithdrawalExpired, unsigned}, true
	case EventReserve:
		return rule{[]WithdrawalState{WithdrawalApproved}, WithdrawalReserved, unsigned}, true
	}
	return rule{}, false
}

// afterSigning holds the moves from which there is no way back but the chain's
// own: forward, or wait.
func afterSigning(event WithdrawalEvent) (rule, bool) {
	sendable := []WithdrawalState{
		WithdrawalSigned, WithdrawalBroadcast, WithdrawalUnknown, WithdrawalReplaced, WithdrawalReorged, WithdrawalStuck,
	}
	switch event { //nolint:exhaustive // the others are beforeSigning's
	case EventSign:
		return rule{[]WithdrawalState{WithdrawalReserved}, WithdrawalSigned, isSigned}, true
	case EventSent:
		return rule{sendable, WithdrawalBroadcast, isSigned}, true
	case EventLost:
		return rule{sendable, WithdrawalUnknown, isSigned}, true
	case EventStall:
		return rule{[]WithdrawalState{WithdrawalBroadcast, WithdrawalUnknown}, WithdrawalStuck, isSigned}, true
	case EventReplace:
		return rule{[]WithdrawalState{WithdrawalStuck}, WithdrawalReplaced, isSigned}, true
	case EventMine:
		return rule{sendable, WithdrawalConfirming, isSigned}, true
	case EventReorg:
		return rule{[]WithdrawalState{WithdrawalConfirming, WithdrawalFinal}, WithdrawalReorged, isSigned}, true
	case EventFinalise:
		return rule{[]WithdrawalState{WithdrawalConfirming}, WithdrawalFinal, paid}, true
	case EventPost:
		return rule{[]WithdrawalState{WithdrawalFinal}, WithdrawalPosted, paid}, true
	case EventRevert:
		return rule{[]WithdrawalState{WithdrawalConfirming}, WithdrawalReverted, failed}, true
	case EventCancelMined:
		return rule{[]WithdrawalState{WithdrawalConfirming}, WithdrawalCancelled, undone}, true
	}
	return rule{}, false
}

// Ended reports whether no event changes the state any more.
func (s WithdrawalState) Ended() bool {
	switch s { //nolint:exhaustive // the others go on
	case WithdrawalPosted, WithdrawalRejected, WithdrawalCancelled, WithdrawalExpired, WithdrawalBlocked, WithdrawalReverted:
		return true
	}
	return false
}

// Releasable reports whether the hold can be released without asking the chain:
// nothing was reserved, so nothing can have been signed.
func (s WithdrawalState) Releasable() bool {
	switch s { //nolint:exhaustive // everything later waits for the chain
	case WithdrawalHeld, WithdrawalScreened, WithdrawalAwaitingApproval, WithdrawalCooling, WithdrawalApproved:
		return true
	}
	return false
}

// Replaceable reports whether another attempt may take the place of what was
// signed so far, or of the signature that it waits for.
func (s WithdrawalState) Replaceable() bool {
	switch s { //nolint:exhaustive // the others hold no slot, are mined, or have ended
	case WithdrawalReserved, WithdrawalSigned, WithdrawalBroadcast, WithdrawalUnknown, WithdrawalReorged, WithdrawalStuck, WithdrawalReplaced:
		return true
	}
	return false
}

// InFlight reports whether a transaction of the intent is stored and its fate on
// chain is still open.
func (s WithdrawalState) InFlight() bool {
	switch s { //nolint:exhaustive // the others have none, or have ended
	case WithdrawalSigned, WithdrawalBroadcast, WithdrawalUnknown, WithdrawalConfirming, WithdrawalReorged,
		WithdrawalStuck, WithdrawalReplaced, WithdrawalFinal:
		return true
	}
	return false
}
