package activities_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.temporal.io/sdk/temporal"

	"strongroom/activities"
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

func TestEachErrorHasItsKind(t *testing.T) {
	for err, want := range map[error]string{
		custody.ErrChainHalted: temporalx.KindWait, custody.ErrHotWallet: temporalx.KindWait,
		custody.ErrSlots: temporalx.KindWait, custody.ErrConflict: temporalx.KindWait,
		custody.ErrNotFound: temporalx.KindRefused, custody.ErrIllegal: temporalx.KindRefused,
		custody.ErrIdempotency: temporalx.KindRefused, custody.ErrAsset: temporalx.KindRefused,
		custody.ErrAmount: temporalx.KindRefused, custody.ErrDestination: temporalx.KindRefused,
		custody.ErrInsufficient: temporalx.KindRefused, custody.ErrLimit: temporalx.KindRefused,
		custody.ErrFrozen: temporalx.KindRefused, desk.ErrForgery: temporalx.KindRefused,
		chainadapters.ErrPlan: temporalx.KindRefused, chainadapters.ErrAddress: temporalx.KindRefused,
		custody.ErrConsent: temporalx.KindWait, custody.ErrKeyHalted: temporalx.KindWait, ledger.ErrInsufficient: temporalx.KindWait,
		signerclient.ErrInvalid: temporalx.KindRefused, signerclient.ErrRefused: temporalx.KindRefused,
		signerclient.ErrForbidden: temporalx.KindRefused, ledger.ErrStale: temporalx.KindWait,
		settle.ErrNotSettled: temporalx.KindWait, trading.ErrNotFound: temporalx.KindRefused,
		settle.ErrConflict: temporalx.KindRefused, funding.ErrNotTaken: temporalx.KindRefused,
		settle.ErrUnknown: temporalx.KindRefused, trading.ErrUnavailable: temporalx.KindFault,
		ledger.ErrUnattested:        temporalx.KindFault,
		chainadapters.ErrIncomplete: temporalx.KindFault, chainadapters.ErrRefused: temporalx.KindFault,
		errors.New("anything else"): temporalx.KindFault, context.DeadlineExceeded: temporalx.KindFault,
	} {
		marked := activities.Classify(fmt.Errorf("reserve wdr_1: %w", err))
		app, ok := errors.AsType[*temporal.ApplicationError](marked)
		if !ok || app.Type() != want || app.NonRetryable() != (want == temporalx.KindRefused) || !errors.Is(marked, err) {
			t.Errorf("%v: marked %v, want %s", err, marked, want)
		}
		if quiet := app.Category() == temporal.ApplicationErrorCategoryBenign; quiet != (want == temporalx.KindWait) {
			t.Errorf("%v: benign %v", err, quiet)
		}
	}
	if activities.Classify(nil) != nil {
		t.Error("no error is marked as one")
	}
}
