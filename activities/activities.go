// Package activities says once what an error of the domain means to Temporal:
// wait, give up, or try again. The folders below hold the activities themselves,
// thin translators from a workflow's words to the domain's; no rule lives here.
package activities

import (
	"context"
	"errors"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/desk"
	"strongroom/internal/temporalx"
	"strongroom/ledger"
	"strongroom/matching/settle"
	signerclient "strongroom/signer/client"
	"strongroom/trading"
	"strongroom/trading/funding"
)

// Classify marks err with its kind for the workflow. What passes by itself waits
// without noise; what will be refused again is refused; everything else - a node
// or a database that is down, anything unknown - is tried again.
func Classify(err error) error {
	switch {
	case err == nil:
		return nil
	case isOne(err, waiting()):
		return temporalx.Wait(err)
	case isOne(err, refusals()):
		return temporalx.Refused(err)
	}
	return temporalx.Fault(err)
}

// Step is a domain call as an activity: its error is classified.
func Step[I, O any](call func(context.Context, I) (O, error)) func(context.Context, I) (O, error) {
	return func(ctx context.Context, in I) (O, error) {
		out, err := call(ctx, in)
		return out, Classify(err)
	}
}

// waiting lists what passes without anybody doing anything about it.
func waiting() []error {
	return []error{
		custody.ErrChainHalted, custody.ErrKeyHalted, custody.ErrHotWallet, custody.ErrSlots, custody.ErrConflict,
		custody.ErrConsent,
		custody.ErrScreening,   // until an operator provides a list that can be used
		ledger.ErrInsufficient, // the hot wallet's book follows the chain: a little later it is there
		ledger.ErrStale,        // value left while the house was being counted: count again
		settle.ErrNotSettled,   // the settler is not that far yet
	}
}

// refusals lists what gives the same answer however often it is asked.
func refusals() []error {
	return []error{
		custody.ErrNotFound, custody.ErrIllegal, custody.ErrIdempotency, custody.ErrAsset, custody.ErrAmount,
		custody.ErrDestination, custody.ErrInsufficient, custody.ErrLimit, custody.ErrFrozen,
		desk.ErrForgery, chainadapters.ErrPlan, chainadapters.ErrAddress,
		signerclient.ErrInvalid, signerclient.ErrRefused, signerclient.ErrForbidden,
		trading.ErrNotFound, settle.ErrConflict, settle.ErrUnknown, funding.ErrNotTaken,
	}
}

func isOne(err error, of []error) bool {
	for _, one := range of {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}
