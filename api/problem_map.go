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
	"strongroom/trading"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
)

// rule maps an error of a domain to a problem. The text of such an error is made
// for the caller; that of any other error is kept for the log.
type rule struct {
	is       error
	code     code
	location string
	fix      string
	// brief keeps to the error's own words: what wraps it names accounts, nodes or
	// keys, which are for the log.
	brief bool
}

// rules is the one mapping of domain errors, first match wins.
func rules() []rule {
	return []rule{
		{custody.ErrIdempotency, codeIdempotency, "header.Idempotency-Key", "use a new key for another request", false},
		{custody.ErrAsset, codeAsset, "body.asset", "use a code that GET /v1/assets lists as listed", false},
		{custody.ErrAmount, codeAmount, "body.amount", "send an amount within the asset's decimals and minimum", false},
		{custody.ErrLookAlike, codeDestination, "body.to", "compare every character; send confirmDestination: true where this address is meant", false},
		{custody.ErrDestination, codeDestination, "body.to", "send an outside address of the asset's network with its checksum", false},
		{custody.ErrInsufficient, codeInsufficient, "body.amount", "ask for at most the available balance less the fee", true},
		{custody.ErrLimit, codeLimit, "body.amount", "ask for less, or wait until earlier withdrawals are 24 hours old", false},
		{custody.ErrFrozen, codeFrozen, "", "", false},
		{custody.ErrChainHalted, codeChainHalted, "", "", true},
		{custody.ErrHotWallet, codeCustodyBusy, "", "", true},
		{custody.ErrSlots, codeCustodyBusy, "", "", true},
		{custody.ErrNotFound, codeNotFound, "", "", false},
		{custody.ErrConflict, codeConflict, "", "", false},
		{custody.ErrIllegal, codeConflict, "", "", false},
		{addressbook.ErrOwn, codeDestination, "body.address", "send an outside address", false},
		{addressbook.ErrInvalid, codeInvalid, "body", "send a label of printable characters and an address of the chain", false},
		{addressbook.ErrThere, codeConflict, "body.address", "it is in your book: list it, or remove it first", false},
		{addressbook.ErrState, codeConflict, "", "", false},
		{treasury.ErrUnknown, codeNotFound, "", "", false},
		{assets.ErrNotFound, codeAsset, "body.asset", "use a code that GET /v1/assets lists", false},
		{trading.ErrIdempotency, codeIdempotency, "header.Idempotency-Key", "use a new key for another request", false},
		{trading.ErrNotFound, codeNotFound, "", "", false},
		{trading.ErrUnavailable, codeUnavailable, "", "", true},
		{ledger.ErrInsufficient, codeInsufficient, "body.amount", "ask for at most the available balance less the fee", true},
		{ledger.ErrOverloaded, codeOverloaded, "", "", false},
		{identity.ErrConflict, codeConflict, "body.reference", "use the name that the reference was created with, or another reference", false},
		{identity.ErrNotFound, codeNotFound, "", "", false},
		{reqsign.ErrHeaders, codeUnsigned, "", "", false},
		{reqsign.ErrQuery, codeMalformed, "query", "send each parameter once, percent-encoded", false},
		{identity.ErrStale, codeSignature, "header." + reqsign.HeaderTimestamp, "set the clock and sign with the current time", false},
		{identity.ErrSignature, codeSignature, "header." + reqsign.HeaderSignature, "sign the canonical text with the key's secret", false},
		{identity.ErrReplay, codeReplay, "header." + reqsign.HeaderNonce, "sign again with a new nonce", false},
		{identity.ErrRevoked, codeSignature, "header." + reqsign.HeaderKey, "use a key that is valid", false},
		{identity.ErrAddress, codeForbidden, "", "", false},
		{identity.ErrInvalid, codeInvalid, "body", "see /docs for what is expected", false},
	}
}

// problem turns any error into a Problem, and reports whether its text must go
// to the log instead of the caller.
func (s *Server) problem(err error) (p *Problem, internal bool) {
	if p := explained(err); p != nil {
		return p, false
	}
	for _, r := range rules() {
		if !errors.Is(err, r.is) {
			continue
		}
		detail := err.Error()
		if r.brief {
			detail = r.is.Error()
		}
		if r.location == "" {
			return newProblem(r.code, detail), r.brief
		}
		return newProblem(r.code, detail, FieldProblem{r.location, r.is.Error(), r.fix}), r.brief
	}
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &network) || s.cfg.Unavailable(err) {
		return newProblem(codeUnavailable, "a part of the platform did not answer; ask again"), true
	}
	return newProblem(codeInternalFault, "the request could not be handled"), true
}

// explained is the problem of an error that tells itself what is wrong; nil for others.
func explained(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if field, ok := errors.AsType[*identity.FieldError](err); ok {
		at := "body." + field.Field
		return newProblem(codeInvalid, at+": "+field.Fix, FieldProblem{at, "is not valid", field.Fix})
	}
	if header, ok := errors.AsType[*reqsign.HeaderError](err); ok {
		f := FieldProblem{"header." + header.Header, "is missing, repeated or malformed", "send " + header.Want}
		return newProblem(codeUnsigned, header.Error(), f)
	}
	if refusal, ok := errors.AsType[*trading.Refusal](err); ok {
		return refused(refusal)
	}
	return nil
}
