package signer

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/money"
	"strongroom/treasury/consent"
	meant "strongroom/treasury/intent"
)

// Bounds of a request.
const (
	maxTxBytes       = 128 << 10
	maxInputs        = 256
	maxApprovals     = 16
	maxApprovalBytes = consent.MaxPayloadBytes
	maxShortText     = 128
	maxAddressText   = 128
	maxIDText        = 64
)

// kind is what an intent is for.
type kind string

// The kinds, as the journal writes them.
const (
	kindWithdrawal kind = "withdrawal"
	kindCollect    kind = "collect"
	kindGasTopUp   kind = "gas_topup"
	kindCancel     kind = "cancel"
	kindSweep      kind = "sweep"
	kindRefill     kind = "refill"
)

// paysOut reports whether such an intent pays out of the hot wallet to where none of the
// signer's keys is.
func (k kind) paysOut() bool { return k == kindWithdrawal || k == kindSweep }

// asks reports whether such an intent needs the consent of people, or the policy's word that
// it passes without.
func (k kind) asks() bool { return k.paysOut() || k == kindRefill }

// wantsTreasury reports whether an order makes sense only where consent is verified.
func (o order) wantsTreasury() bool {
	return o.Kind == kindSweep || o.Kind == kindRefill || len(o.text) > 0
}

// order is a request after its own syntax was checked; what its transaction says
// is still unknown.
type order struct {
	intent
	attempt     uint32
	toPath      *keyPath
	fromPath    *keyPath
	inputPaths  []keyPath
	changePath  *keyPath
	maxFee      money.Units
	unsigned    []byte
	payloadHash [sha256.Size]byte
	approvals   []approval
	policy      string
	text        []byte // canonical intent that people agreed to, where consent is verified
}

// intent is what must never change between the attempts of one id.
type intent struct {
	ID       string      `json:"id"`
	Kind     kind        `json:"kind"`
	Chain    string      `json:"chain"`
	Asset    string      `json:"asset"`
	Contract string      `json:"contract,omitempty"`
	To       string      `json:"to"`
	Amount   money.Units `json:"amount"`
}

// approval is kept with the record, as it came.
type approval struct {
	Approver  string `json:"approver"`
	Scheme    string `json:"scheme"`
	Payload   []byte `json:"payload"`
	Signature []byte `json:"signature"`
	Key       string `json:"key,omitempty"`
	Verdict   string `json:"verdict,omitempty"`
	Reason    string `json:"reason,omitempty"`
	At        int64  `json:"at,omitempty"`
}

// consent is the same as those who judge it read it.
func (a approval) consent() consent.Approval {
	return consent.Approval{
		Person: a.Approver, Key: a.Key, Scheme: consent.Scheme(a.Scheme), Verdict: consent.Verdict(a.Verdict),
		Reason: a.Reason, At: a.At, Payload: a.Payload, Signature: a.Signature,
	}
}

// parseRequest checks the syntax of a request. Errors wrap ErrInvalid.
func parseRequest(req *signerv1.SignRequest) (order, error) {
	if req.GetIntent() == nil || hasUnknown(req.ProtoReflect()) {
		return order{}, fmt.Errorf("%w: intent is missing or a field is unknown", ErrInvalid)
	}
	if err := checkSizes(req); err != nil {
		return order{}, err
	}
	in, err := parseIntent(req.GetIntent())
	if err != nil {
		return order{}, err
	}
	approvals, err := parseApprovals(req.GetApprovals())
	if err != nil {
		return order{}, err
	}
	maxFee, err := money.ParseUnits(req.GetMaxFee())
	if err != nil {
		return order{}, fmt.Errorf("%w: max_fee: %w", ErrInvalid, err)
	}
	o := order{
		intent: in, attempt: req.GetAttempt(), maxFee: maxFee, approvals: approvals, policy: req.GetPolicyVersion(), text: req.GetIntentText(),
		toPath: parsePath(req.GetIntent().GetToPath()), fromPath: parsePath(req.GetFromPath()),
		changePath: parsePath(req.GetChangePath()),
		unsigned:   req.GetUnsignedTx(), payloadHash: sha256.Sum256(req.GetUnsignedTx()),
	}
	for _, p := range req.GetInputPaths() {
		if p == nil {
			return order{}, fmt.Errorf("%w: an input path is empty", ErrInvalid)
		}
		o.inputPaths = append(o.inputPaths, *parsePath(p))
	}
	return o, nil
}

func checkSizes(req *signerv1.SignRequest) error {
	if n := len(req.GetUnsignedTx()); n == 0 || n > maxTxBytes {
		return fmt.Errorf("%w: transaction of %d bytes", ErrInvalid, n)
	}
	if len(req.GetInputPaths()) > maxInputs {
		return fmt.Errorf("%w: %d inputs", ErrInvalid, len(req.GetInputPaths()))
	}
	if len(req.GetIntentText()) > meant.MaxBytes || len(req.GetPolicyVersion()) > maxShortText {
		return fmt.Errorf("%w: intent_text of %d bytes, policy_version of %d", ErrInvalid, len(req.GetIntentText()), len(req.GetPolicyVersion()))
	}
	return nil
}

func parseIntent(in *signerv1.Intent) (intent, error) {
	k, prefix, err := parseKind(in.GetKind())
	if err != nil {
		return intent{}, err
	}
	if k == kindCancel { // it names the intent that it ends
		prefix, _, _ = strings.Cut(in.GetId(), "_")
	}
	if !validID(prefix, in.GetId()) {
		return intent{}, fmt.Errorf("%w: intent id %.70q of a %s", ErrInvalid, in.GetId(), k)
	}
	amount, err := money.ParseUnits(in.GetAmount())
	if err != nil || (amount.IsZero() && k != kindCancel) {
		return intent{}, fmt.Errorf("%w: amount %.80q", ErrInvalid, in.GetAmount())
	}
	if to := in.GetTo(); to == "" || len(to) > maxAddressText || len(in.GetContract()) > maxAddressText {
		return intent{}, fmt.Errorf("%w: destination or contract of %d bytes", ErrInvalid, len(to))
	}
	if hasPath := in.GetToPath() != nil; hasPath == k.asks() {
		return intent{}, fmt.Errorf("%w: to_path belongs to everything but withdrawals, sweeps and refills", ErrInvalid)
	}
	return intent{
		ID: in.GetId(), Kind: k, Chain: in.GetChain(), Asset: in.GetAsset(),
		Contract: in.GetContract(), To: in.GetTo(), Amount: amount,
	}, nil
}

// validID accepts a prefix, an underscore and lower-case letters and digits.
func validID(prefix, id string) bool {
	rest, ok := strings.CutPrefix(id, prefix+"_")
	if !ok || prefix == "" || rest == "" || len(id) > maxIDText+len("wdr_") {
		return false
	}
	return !strings.ContainsFunc(prefix+rest, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}

// parseKind returns the kind and the prefix that its ids have.
func parseKind(k signerv1.IntentKind) (of kind, prefix string, err error) {
	switch k {
	case signerv1.IntentKind_INTENT_KIND_WITHDRAWAL:
		return kindWithdrawal, "wdr", nil
	case signerv1.IntentKind_INTENT_KIND_COLLECT:
		return kindCollect, "col", nil
	case signerv1.IntentKind_INTENT_KIND_GAS_TOPUP:
		return kindGasTopUp, "gas", nil
	case signerv1.IntentKind_INTENT_KIND_CANCEL:
		return kindCancel, "", nil
	case signerv1.IntentKind_INTENT_KIND_SWEEP:
		return kindSweep, "swp", nil
	case signerv1.IntentKind_INTENT_KIND_REFILL:
		return kindRefill, "rfl", nil
	case signerv1.IntentKind_INTENT_KIND_UNSPECIFIED:
	}
	return "", "", fmt.Errorf("%w: intent kind %d", ErrInvalid, k)
}

func parseApprovals(sent []*signerv1.Approval) ([]approval, error) {
	if len(sent) > maxApprovals {
		return nil, fmt.Errorf("%w: %d approvals", ErrInvalid, len(sent))
	}
	var all []approval
	for _, a := range sent {
		if len(a.GetPayload()) > maxApprovalBytes || len(a.GetSignature()) > maxApprovalBytes ||
			len(a.GetApprover()) > maxShortText || len(a.GetScheme()) > maxShortText || len(a.GetKey()) > maxShortText ||
			len(a.GetVerdict()) > maxShortText || len(a.GetReason()) > consent.MaxReasonBytes {
			return nil, fmt.Errorf("%w: an approval is too long", ErrInvalid)
		}
		all = append(all, approval{
			a.GetApprover(), a.GetScheme(), a.GetPayload(), a.GetSignature(), a.GetKey(), a.GetVerdict(), a.GetReason(), a.GetAt(),
		})
	}
	return all, nil
}

func parsePath(p *signerv1.KeyPath) *keyPath {
	if p == nil {
		return nil
	}
	return &keyPath{p.GetAccount(), p.GetBranch(), p.GetIndex()}
}

// hasUnknown reports whether a message, or one inside it, carries fields that
// this program does not know: they could mean something to whoever sent them.
func hasUnknown(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsList():
			for i := range value.List().Len() {
				found = found || hasUnknown(value.List().Get(i).Message())
			}
		default:
			found = found || hasUnknown(value.Message())
		}
		return !found
	})
	return found
}

// MaxRequestBytes is what the server lets through: a transaction or a document, its
// approvals and the rest of a request at their bounds.
const MaxRequestBytes = maxDocumentBytes + maxTxBytes + 2*maxApprovals*(maxApprovalBytes+3*maxShortText+consent.MaxReasonBytes) +
	maxInputs*32 + meant.MaxBytes + 4096
