package signerclient

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/treasury/consent"
)

// Submit hands over what people agreed to: the canonical text of an intent of the action
// policy, allow or unfreeze, the document that it names (the policy's text, the text of an
// entry of an address book, nothing for unfreeze) and the approvals, in any order. known
// says that it had been handed over before. Errors wrap ErrInvalid, ErrRefused or
// ErrForbidden; any other may be asked again.
func (c *Client) Submit(ctx context.Context, intentText, document []byte, approvals []consent.Approval) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := c.signer.Submit(ctx, &signerv1.SubmitRequest{
		IntentText: intentText, Document: document, Approvals: wireApprovals(approvals),
	})
	if err != nil {
		return false, fmt.Errorf("submit to signer: %w", translate(err))
	}
	return out.GetKnown(), nil
}

// SubmitRoster hands over a roster as its officers signed it. Errors as of Submit.
func (c *Client) SubmitRoster(ctx context.Context, signed []byte) (known bool, err error) {
	return c.Submit(ctx, nil, signed, nil)
}

// Freeze stops all signing by one officer's signed word. Errors as of Submit.
func (c *Client) Freeze(ctx context.Context, f consent.Freeze) error {
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("%w: freeze: %w", ErrInvalid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if _, err := c.signer.Freeze(ctx, &signerv1.FreezeRequest{Freeze: text}); err != nil {
		return fmt.Errorf("freeze signer: %w", translate(err))
	}
	return nil
}

// Disallow takes an address out of an owner's allow-list at once; known says that it was
// not in it. Owner is that of the entry. Errors as of Submit.
func (c *Client) Disallow(ctx context.Context, owner, chain, address string) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	out, err := c.signer.Disallow(ctx, &signerv1.DisallowRequest{Owner: owner, Chain: chain, Address: address})
	if err != nil {
		return false, fmt.Errorf("disallow at signer: %w", translate(err))
	}
	return out.GetKnown(), nil
}

// wireApprovals sorts approvals as the signer wants them: the same ones are always the
// same request.
func wireApprovals(all []consent.Approval) []*signerv1.Approval {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b consent.Approval) int { return strings.Compare(a.Person, b.Person) })
	var out []*signerv1.Approval
	for i := range sorted {
		a := &sorted[i]
		out = append(out, &signerv1.Approval{
			Approver: a.Person, Key: a.Key, Scheme: string(a.Scheme), Verdict: string(a.Verdict), Reason: a.Reason, At: a.At,
			Payload: a.Payload, Signature: a.Signature,
		})
	}
	return out
}
