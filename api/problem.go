package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// problemBase precedes the code in a problem's type. A code never changes its
// meaning.
const problemBase = "urn:strongroom:problem:"

// FieldProblem says which part of a request is wrong and how to mend it.
type FieldProblem struct {
	Location string `json:"location" doc:"Where: body.amount, header.Idempotency-Key, query.limit, path.id"`
	Message  string `json:"message" doc:"What is wrong there"`
	Fix      string `json:"fix" doc:"What to send instead"`
}

// Problem is an error as RFC 9457 describes it.
type Problem struct { //nolint:errname // the word of RFC 9457
	Type     string         `json:"type" doc:"Stable code of the problem, a URN" example:"urn:strongroom:problem:insufficient-funds"`
	Title    string         `json:"title" doc:"Short text of the type, always the same"`
	Status   int            `json:"status" doc:"HTTP status"`
	Detail   string         `json:"detail" doc:"What happened this time"`
	Instance string         `json:"instance,omitempty" doc:"The request's id, for support and logs"`
	Errors   []FieldProblem `json:"errors,omitempty" nullable:"false" doc:"Each part of the request that is wrong"`

	retryAfter time.Duration
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders returns Retry-After where trying again can help.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds(p.retryAfter)))
	}
	return h
}

var (
	_ huma.StatusError       = (*Problem)(nil)
	_ huma.HeadersError      = (*Problem)(nil)
	_ huma.ContentTypeFilter = (*Problem)(nil)
)

// seconds rounds up: a client that waits as told is not told again.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// code names a kind of problem.
type code string

// The codes.
const (
	codeMalformed     code = "malformed-request"
	codeInvalid       code = "invalid-request"
	codeAmount        code = "amount-not-allowed"
	codeDestination   code = "destination-not-allowed"
	codeAsset         code = "asset-not-supported"
	codeInsufficient  code = "insufficient-funds"
	codeLimit         code = "withdrawal-limit"
	codeIdempotency   code = "idempotency-key-reused"
	codeConflict      code = "conflict"
	codeUnsigned      code = "signature-required"
	codeSignature     code = "signature-refused"
	codeReplay        code = "request-replayed"
	codeForbidden     code = "forbidden"
	codeFrozen        code = "customer-frozen"
	codeNotFound      code = "not-found"
	codeMethod        code = "method-not-allowed"
	codeMediaType     code = "unsupported-media-type"
	codeTooLarge      code = "body-too-large"
	codeRate          code = "rate-limited"
	codeUnavailable   code = "service-unavailable"
	codeChainHalted   code = "chain-halted"
	codeCustodyBusy   code = "custody-busy"
	codeOverloaded    code = "overloaded"
	codeInternalFault code = "internal-fault"
	codeOrder         code = "order-refused"
	codeMarket        code = "market-not-found"
	codeUpgrade       code = "upgrade-required"
)

// kind is what all problems of a code have in common.
type kind struct {
	Code    code
	Status  int
	Title   string
	Advice  string // for the page that describes them
	retryIn time.Duration
}

// retrySoon and retryLater are what Retry-After says where nothing better is known.
const (
	retrySoon  = time.Second
	retryLater = 5 * time.Second
)

// kinds is the one list of problems, in the order in which they are documented.
func kinds() []kind {
	const unprocessable = http.StatusUnprocessableEntity
	return []kind{
		{codeMalformed, http.StatusBadRequest, "The request cannot be read", "Send one JSON document, each member once, in the case shown here.", 0},
		{codeInvalid, unprocessable, "A part of the request is not valid", "errors[] names each part and its fix.", 0},
		{codeAmount, unprocessable, "The amount is not allowed", "Plain decimal string, within the asset's decimals and minimum.", 0},
		{codeDestination, unprocessable, "The destination is not allowed", "Check network and checksum of the address.", 0},
		{codeAsset, unprocessable, "The asset is not supported", "GET /v1/assets lists what is.", 0},
		{codeInsufficient, unprocessable, "The balance does not cover amount and fee", "GET /v1/balances; nothing was held.", 0},
		{codeLimit, unprocessable, "The withdrawal limit is reached", "Wait until earlier withdrawals are 24 hours old.", 0},
		{codeIdempotency, unprocessable, "The idempotency key was used with another request", "Use a new key for a new request.", 0},
		{codeOrder, unprocessable, "The order is refused", "Problems of orders have the type order-refused: and behind it why, such as order-refused:beyond-band; errors[] names the part and its fix. Nothing was done.", 0},
		{codeMarket, http.StatusNotFound, "There is no such market", "GET /v1/markets lists them.", 0},
		{codeUpgrade, http.StatusUpgradeRequired, "This is a WebSocket", "Open it as one.", 0},
		{codeConflict, http.StatusConflict, "The state does not allow this", "Read the resource again and decide.", 0},
		{codeUnsigned, http.StatusUnauthorized, "The request is not signed", "Send the four X-Strongroom headers.", 0},
		{codeSignature, http.StatusUnauthorized, "The signature is refused", "Sign method, path, query, body, time and nonce; check the clock.", 0},
		{codeReplay, http.StatusUnauthorized, "The nonce was used before", "Sign each request with a new nonce.", 0},
		{codeForbidden, http.StatusForbidden, "The key may not do this", "Use a key with the scope, from an allowed address.", 0},
		{codeFrozen, http.StatusForbidden, "This customer is frozen", "Ask the operator.", 0},
		{codeNotFound, http.StatusNotFound, "There is no such thing", "Check the id; it may belong to somebody else.", 0},
		{codeMethod, http.StatusMethodNotAllowed, "The method is not allowed here", "See the Allow header.", 0},
		{codeMediaType, http.StatusUnsupportedMediaType, "The media type is not supported", "Send Content-Type: application/json.", 0},
		{codeTooLarge, http.StatusRequestEntityTooLarge, "The body is too large", "At most 64 KiB.", 0},
		{codeRate, http.StatusTooManyRequests, "Too many requests", "Wait as Retry-After says.", retrySoon},
		{codeUnavailable, http.StatusServiceUnavailable, "A part of the platform is unavailable", "Ask again with the same idempotency key.", retryLater},
		{codeChainHalted, http.StatusServiceUnavailable, "The chain is halted", "GET /v1/chains tells why; nothing was held.", retryLater},
		{codeCustodyBusy, http.StatusServiceUnavailable, "Custody cannot take this now", "Ask again with the same idempotency key; nothing was held.", retryLater},
		{codeOverloaded, http.StatusServiceUnavailable, "Too many requests are in work", "Ask again as Retry-After says.", retrySoon},
		{codeInternalFault, http.StatusInternalServerError, "Something is wrong on our side", "Tell support the instance.", 0},
	}
}

// newProblem makes a problem of a code.
func newProblem(c code, detail string, fields ...FieldProblem) *Problem {
	for _, k := range kinds() {
		if k.Code == c {
			return &Problem{Type: problemBase + string(c), Title: k.Title, Status: k.Status, Detail: detail, Errors: fields, retryAfter: k.retryIn}
		}
	}
	panic("api: problem without a kind: " + string(c))
}

// fromHuma turns a validation error of the framework into a Problem.
func fromHuma(m *huma.ErrorModel) *Problem {
	switch m.Status {
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
	case http.StatusUnsupportedMediaType:
		return newProblem(codeMediaType, "the body is not declared as JSON")
	case http.StatusRequestEntityTooLarge:
		return newProblem(codeTooLarge, "the body exceeds 64 KiB")
	default:
		return newProblem(codeInternalFault, "the request could not be handled")
	}
	fields := make([]FieldProblem, 0, len(m.Errors))
	for _, e := range m.Errors {
		if e != nil {
			fields = append(fields, fieldOf(e))
		}
	}
	detail := "the request does not match its description"
	if len(fields) > 0 {
		detail = fields[0].Location + ": " + fields[0].Message
	}
	return newProblem(codeInvalid, detail, fields...)
}

// fieldOf rewrites one finding so that it points at the member itself.
func fieldOf(e *huma.ErrorDetail) FieldProblem {
	f := FieldProblem{Location: e.Location, Message: e.Message}
	if name, ok := strings.CutPrefix(e.Message, "expected required property "); ok {
		name = strings.TrimSuffix(name, " to be present")
		return FieldProblem{Location: e.Location + "." + name, Message: "is missing", Fix: "add the member " + name}
	}
	if want, ok := strings.CutPrefix(e.Message, "expected "); ok {
		f.Message, f.Fix = "is not valid", "send a "+strings.TrimPrefix(want, "string to be ")
		if strings.HasPrefix(want, "string to be a") || strings.HasPrefix(want, "value to be") || !strings.HasPrefix(want, "string") {
			f.Fix = "send " + strings.TrimPrefix(strings.TrimPrefix(want, "string to be "), "value to be ")
		}
		return f
	}
	switch {
	case strings.HasPrefix(e.Message, "required "):
		_, name, _ := strings.Cut(e.Location, ".")
		f.Message, f.Fix = "is missing", "add "+name
	case strings.HasPrefix(e.Message, "unknown query parameter"):
		f.Fix = "remove the parameter"
	case strings.HasPrefix(e.Message, "request body is required"):
		f.Location, f.Fix = "body", "send a JSON object"
	default:
		f.Fix = "see /docs for what is expected"
	}
	return f
}
