package temporalx

import (
	"errors"

	"go.temporal.io/sdk/temporal"
)

// Kinds of failure as they cross from an activity to its workflow: the types of
// the application errors.
const (
	// KindWait: nothing is wrong, the time has not come. Asked again without noise.
	KindWait = "wait"
	// KindRefused: asking again gives the same answer. The workflow decides.
	KindRefused = "refused"
	// KindFault: something is broken for now. Asked again, and counted.
	KindFault = "fault"
)

// Wait marks err as one that passes without anybody doing anything about it: the
// activity is tried again as its policy says, and no error is logged or counted.
func Wait(err error) error {
	return mark(err, KindWait, temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign})
}

// Refused marks err as final: the activity is not tried again.
func Refused(err error) error {
	return mark(err, KindRefused, temporal.ApplicationErrorOptions{NonRetryable: true})
}

// Fault marks err as one to try again after.
func Fault(err error) error {
	return mark(err, KindFault, temporal.ApplicationErrorOptions{})
}

func mark(err error, kind string, o temporal.ApplicationErrorOptions) error {
	o.Cause = err
	return temporal.NewApplicationErrorWithOptions(err.Error(), kind, o) //nolint:wrapcheck // the mark is the outermost layer
}

// IsRefused reports whether err came from Refused, on whichever side of the
// workflow boundary.
func IsRefused(err error) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.Type() == KindRefused
}

// Reason returns what an activity said when it failed, without the layers that
// Temporal puts around it.
func Reason(err error) string {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Message()
	}
	return err.Error()
}
