package server

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	matchingv1 "strongroom/internal/gen/matching/v1"
)

// refusal is why a call or a session ends, as the caller is told.
type refusal struct {
	reason   matchingv1.Reason
	text     string
	expected uint64
}

// Error implements error.
func (r *refusal) Error() string { return r.reason.String() + ": " + r.text }

func refuse(reason matchingv1.Reason, format string, args ...any) *refusal {
	return &refusal{reason: reason, text: fmt.Sprintf(format, args...)}
}

// status is the wire form.
func (r *refusal) status() error {
	out := status.New(codeOf(r.reason), r.Error())
	detail := &matchingv1.Refusal{Reason: r.reason, Text: r.text, Expected: r.expected}
	if with, err := out.WithDetails(detail); err == nil {
		out = with
	}
	return out.Err() //nolint:wrapcheck // this is the wire form
}

func codeOf(reason matchingv1.Reason) codes.Code {
	switch reason {
	case matchingv1.Reason_REASON_MALFORMED, matchingv1.Reason_REASON_VERSION, matchingv1.Reason_REASON_NO_HELLO,
		matchingv1.Reason_REASON_GAP, matchingv1.Reason_REASON_REPEAT:
		return codes.InvalidArgument
	case matchingv1.Reason_REASON_OVERSIZED, matchingv1.Reason_REASON_SLOW_READER, matchingv1.Reason_REASON_TOO_MANY:
		return codes.ResourceExhausted
	case matchingv1.Reason_REASON_FORBIDDEN:
		return codes.PermissionDenied
	case matchingv1.Reason_REASON_TOO_OLD, matchingv1.Reason_REASON_NOT_KEPT:
		return codes.OutOfRange
	case matchingv1.Reason_REASON_UNKNOWN_SESSION:
		return codes.NotFound
	case matchingv1.Reason_REASON_REPLACED:
		return codes.Aborted
	case matchingv1.Reason_REASON_EPOCH:
		return codes.FailedPrecondition
	case matchingv1.Reason_REASON_NOT_LEADER, matchingv1.Reason_REASON_OUTCOME_UNKNOWN, matchingv1.Reason_REASON_CLOSING:
		return codes.Unavailable
	case matchingv1.Reason_REASON_UNSPECIFIED:
	}
	return codes.Internal
}
