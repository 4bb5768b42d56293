// Package signerclient is how the worker asks the signer. It turns a plan into a
// request and an answer's code into an error that says whether asking again can
// help. It never judges a transaction and never retries by itself.
package signerclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"strongroom/chainadapters"
	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/money"
	"strongroom/treasury/consent"
)

// Errors of the client. Any other error is a passing fault of process or
// connection: the same request may be sent again.
var (
	// ErrInvalid reports that the transaction is not what the intent says, or
	// that the request is malformed. The same request never succeeds.
	ErrInvalid = errors.New("signer finds the request invalid")
	// ErrRefused reports that slot rule, caps, fee ceiling or a freeze forbid it now.
	ErrRefused = errors.New("signer refuses")
	// ErrFrozen comes with ErrRefused where it is an officer's freeze that forbids
	// it, and nothing about the request.
	ErrFrozen = errors.New("signer is frozen")
	// ErrForbidden reports that this process may not ask for this.
	ErrForbidden = errors.New("signer does not serve this process")
)

// Kind says what an intent is for. The values are those of custody.IntentKind.
type Kind string

// The kinds of intent.
const (
	Withdrawal Kind = "withdrawal"
	Collect    Kind = "collect"
	GasTopUp   Kind = "gas_topup"
	Cancel     Kind = "cancel" // Intent is the id of what it ends
	Sweep      Kind = "sweep"  // to a vault that the signer is configured with
	Refill     Kind = "refill" // of the hot wallet, from a Safe that the signer is configured with
)

// Config holds what a client needs; all fields are required.
type Config struct {
	Address string        // host:port
	TLS     *tls.Config   // of mtls.ClientConfig
	Timeout time.Duration // of one call
}

// Client asks one signer. It is safe for concurrent use.
type Client struct {
	conn    *grpc.ClientConn
	signer  signerv1.SignerClient
	timeout time.Duration
}

// New prepares a client; the connection is made by the first call.
func New(cfg Config) (*Client, error) {
	if cfg.Address == "" || cfg.TLS == nil || cfg.Timeout <= 0 {
		return nil, fmt.Errorf("%w: address, TLS and timeout are required", ErrInvalid)
	}
	conn, err := grpc.NewClient("passthrough:///"+cfg.Address, grpc.WithTransportCredentials(credentials.NewTLS(cfg.TLS)))
	if err != nil {
		return nil, fmt.Errorf("connect signer: %w", err)
	}
	return &Client{conn: conn, signer: signerv1.NewSignerClient(conn), timeout: cfg.Timeout}, nil
}

// Close ends the connection.
func (c *Client) Close() error {
	if err := c.conn.Close(); err != nil {
		return fmt.Errorf("close signer connection: %w", err)
	}
	return nil
}

// Request asks for one signature. Plan must be the one that Unsigned was built
// from, with exactly one payment.
type Request struct {
	Intent  string // business id: wdr_…, col_…, gas_…, swp_…
	Kind    Kind
	Chain   chainadapters.ChainID
	Asset   string // asset code
	Attempt uint32
	Plan    chainadapters.Plan
	// Unsigned is what the adapter built from Plan.
	Unsigned chainadapters.Unsigned
	// ToPath is our key behind the destination; nil for Withdrawal, Sweep and Refill only.
	ToPath *chainadapters.KeyPath
	// MaxFee is the most the platform will pay, in the chain's native asset.
	MaxFee        money.Units
	PolicyVersion string

	// Where the signer verifies consent, of Withdrawal, Sweep and Refill, and of nothing else: the
	// canonical text that people agreed to, or that policy lets pass without them, and the
	// approvals that count, in any order. Asked again, the same text and approvals give the
	// same signature; MaxFee is at most that of the text.
	IntentText []byte
	Approvals  []consent.Approval
}

// Signature is the signed transaction.
type Signature struct {
	Raw         []byte
	TxID        string
	PayloadHash []byte // SHA-256 of the unsigned transaction
}

// Sign asks for a signature. Errors wrap ErrInvalid, ErrRefused or ErrForbidden;
// any other may be asked again.
func (c *Client) Sign(ctx context.Context, r Request) (Signature, error) {
	msg, err := r.message()
	if err != nil {
		return Signature{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := c.signer.Sign(ctx, msg)
	if err != nil {
		return Signature{}, fmt.Errorf("sign %s: %w", r.Intent, translate(err))
	}
	return Signature{Raw: out.GetRawTx(), TxID: out.GetTxid(), PayloadHash: out.GetPayloadHash()}, nil
}

// PublicKeys returns the extended public keys of a chain's accounts 0 and 1.
func (c *Client) PublicKeys(ctx context.Context, chain chainadapters.ChainID) (deposit, hot string, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := c.signer.PublicKeys(ctx, &signerv1.PublicKeysRequest{Chain: string(chain)})
	if err != nil {
		return "", "", fmt.Errorf("ask public keys of %s: %w", chain, translate(err))
	}
	return out.GetDepositXpub(), out.GetHotXpub(), nil
}

// Status returns journal height, use of caps and whether signing is stopped.
func (c *Client) Status(ctx context.Context) (*signerv1.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := c.signer.Status(ctx, &signerv1.StatusRequest{})
	if err != nil {
		return nil, fmt.Errorf("ask signer status: %w", translate(err))
	}
	return out, nil
}

// translate keeps the signer's reason and adds what the caller can decide by.
func translate(err error) error {
	switch status.Code(err) { //nolint:exhaustive // all other codes are passing faults
	case codes.InvalidArgument, codes.NotFound:
		return fmt.Errorf("%w: %s", ErrInvalid, status.Convert(err).Message())
	case codes.FailedPrecondition:
		if message := status.Convert(err).Message(); strings.HasPrefix(message, ErrFrozen.Error()) { // the server's word for it
			return fmt.Errorf("%w: %w: %s", ErrRefused, ErrFrozen, message)
		}
		return fmt.Errorf("%w: %s", ErrRefused, status.Convert(err).Message())
	case codes.PermissionDenied, codes.Unauthenticated:
		return fmt.Errorf("%w: %s", ErrForbidden, status.Convert(err).Message())
	}
	return err
}

// message turns a request into the wire form: paths come from the plan, in the
// order of the plan's coins, which is the order of the transaction's inputs.
func (r Request) message() (*signerv1.SignRequest, error) {
	if len(r.Plan.Payments) != 1 {
		return nil, fmt.Errorf("%w: %d payments in one transaction", ErrInvalid, len(r.Plan.Payments))
	}
	kind, err := r.Kind.wire()
	if err != nil {
		return nil, err
	}
	pay := r.Plan.Payments[0]
	msg := &signerv1.SignRequest{
		Intent: &signerv1.Intent{
			Id: r.Intent, Kind: kind, Chain: string(r.Chain), Asset: r.Asset,
			Contract: pay.Contract, To: pay.To, Amount: pay.Amount.String(), ToPath: wirePath(r.ToPath),
		},
		Attempt: r.Attempt, UnsignedTx: r.Unsigned.Bytes, MaxFee: r.MaxFee.String(), PolicyVersion: r.PolicyVersion,
		IntentText: r.IntentText, Approvals: wireApprovals(r.Approvals),
	}
	if r.Plan.Slot != nil {
		msg.FromPath = wirePath(&r.Plan.Slot.Path)
	}
	for _, coin := range r.Plan.Coins {
		msg.InputPaths = append(msg.InputPaths, wirePath(&coin.Path))
	}
	if !r.Unsigned.Change.IsZero() {
		msg.ChangePath = wirePath(&r.Plan.ChangePath)
	}
	return msg, nil
}

func (k Kind) wire() (signerv1.IntentKind, error) {
	switch k {
	case Withdrawal:
		return signerv1.IntentKind_INTENT_KIND_WITHDRAWAL, nil
	case Collect:
		return signerv1.IntentKind_INTENT_KIND_COLLECT, nil
	case GasTopUp:
		return signerv1.IntentKind_INTENT_KIND_GAS_TOPUP, nil
	case Cancel:
		return signerv1.IntentKind_INTENT_KIND_CANCEL, nil
	case Sweep:
		return signerv1.IntentKind_INTENT_KIND_SWEEP, nil
	case Refill:
		return signerv1.IntentKind_INTENT_KIND_REFILL, nil
	}
	return 0, fmt.Errorf("%w: intent kind %q", ErrInvalid, string(k))
}

func wirePath(p *chainadapters.KeyPath) *signerv1.KeyPath {
	if p == nil {
		return nil
	}
	return &signerv1.KeyPath{Account: p.Account, Branch: p.Branch, Index: p.Index}
}
