package api

import (
	"context"
	"errors"
	"net"

	"strongroom/assets"
	"strongroom/custody"
	"strongroom/identity"
	"strongroom/identity/reqsign"
	"strongroom/ledger"
)

// rule maps an error of a domain to a problem. The text of such an error is made
// for the caller; that of any other error is kept for the log.
type rule struct {
	is       error
	code     code
	location string
	fix      string
}

// rules is the one mapping of domain errors, first match wins.
func rules() []rule {
	return []rule{
		{custody.ErrIdempotency, codeIdempotency, "header.Idempotency-Key", "use a new key for another request"},
		{custody.ErrAsset, codeAsset, "body.asset", "use a code that GET /v1/assets lists as listed"},
		{custody.ErrAmount, codeAmount, "body.amount", "send an amount within the asset's decimals and minimum"},
		{custody.ErrDestination, codeDestination, "body.to", "send an outside address of the asset's network with its checksum"},
		{custody.ErrInsufficient, codeInsufficient, "body.amount", "ask for at most the available balance less the fee"},
		{custody.ErrLimit, codeLimit, "body.amount", "ask for less, or wait until earlier withdrawals are 24 hours old"},
		{custody.ErrFrozen, codeFrozen, "", ""},
		{custody.ErrChainHalted, codeChainHalted, "", ""},
		{custody.ErrHotWallet, codeCustodyBusy, "", ""},
		{custody.ErrSlots, codeCustodyBusy, "", ""},
		{custody.ErrNotFound, codeNotFound, "", ""},
		{custody.ErrConflict, codeConflict, "", ""},
		{custody.ErrIllegal, codeConflict, "", ""},
		{assets.ErrNotFound, codeAsset, "body.asset", "use a code that GET /v1/assets lists"},
		{ledger.ErrInsufficient, codeInsufficient, "body.amount", "ask for at most the available balance less the fee"},
		{ledger.ErrOverloaded, codeOverloaded, "", ""},
		{identity.ErrConflict, codeConflict, "body.reference", "use the name that the reference was created with, or another reference"},
		{identity.ErrNotFound, codeNotFound, "", ""},
		{reqsign.ErrHeaders, codeUnsigned, "", ""},
		{reqsign.ErrQuery, codeMalformed, "query", "send each parameter once, percent-encoded"},
		{identity.ErrStale, codeSignature, "header." + reqsign.HeaderTimestamp, "set the clock and sign with the current time"},
		{identity.ErrSignature, codeSignature, "header." + reqsign.HeaderSignature, "sign the canonical text with the key's secret"},
		{identity.ErrReplay, codeReplay, "header." + reqsign.HeaderNonce, "sign again with a new nonce"},
		{identity.ErrRevoked, codeSignature, "header." + reqsign.HeaderKey, "use a key that is valid"},
		{identity.ErrAddress, codeForbidden, "", ""},
		{identity.ErrInvalid, codeInvalid, "body", "see /docs for what is expected"},
	}
}

// problem turns any error into a Problem, and reports whether its text must go
// to the log instead of the caller.
func (s *Server) problem(err error) (p *Problem, internal bool) {
	if errors.As(err, &p) {
		return p, false
	}
	if field, ok := errors.AsType[*identity.FieldError](err); ok {
		at := "body." + field.Field
		return newProblem(codeInvalid, at+": "+field.Fix, FieldProblem{at, "is not valid", field.Fix}), false
	}
	if header, ok := errors.AsType[*reqsign.HeaderError](err); ok {
		f := FieldProblem{"header." + header.Header, "is missing, repeated or malformed", "send " + header.Want}
		return newProblem(codeUnsigned, header.Error(), f), false
	}
	for _, r := range rules() {
		if !errors.Is(err, r.is) {
			continue
		}
		if r.location == "" {
			return newProblem(r.code, err.Error()), false
		}
		return newProblem(r.code, err.Error(), FieldProblem{r.location, r.is.Error(), r.fix}), false
	}
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &network) || s.cfg.Unavailable(err) {
		return newProblem(codeUnavailable, "a part of the platform did not answer; ask again"), true
	}
	return newProblem(codeInternalFault, "the request could not be handled"), true
}
