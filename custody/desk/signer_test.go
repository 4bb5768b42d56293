package desk_test

import (
	"context"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/desk"
	signerv1 "strongroom/internal/gen/signer/v1"
	vault "strongroom/signer"
)

// realSigner asks the signer in this process.
type realSigner struct{ *vault.Signer }

// Sign implements desk.Signer.
func (s realSigner) Sign(_ context.Context, r desk.SignRequest) (desk.Signature, error) {
	kind := signerv1.IntentKind_INTENT_KIND_COLLECT // mergings too
	switch r.Intent.Kind {                          //nolint:exhaustive // the others are collections to the signer
	case custody.IntentWithdrawal:
		kind = signerv1.IntentKind_INTENT_KIND_WITHDRAWAL
	case custody.IntentCancel:
		kind = signerv1.IntentKind_INTENT_KIND_CANCEL
	}
	wire := func(p *chainadapters.KeyPath) *signerv1.KeyPath {
		if p == nil {
			return nil
		}
		return &signerv1.KeyPath{Account: p.Account, Branch: p.Branch, Index: p.Index}
	}
	req := &signerv1.SignRequest{
		Intent: &signerv1.Intent{
			Id: r.Intent.ID, Kind: kind, Chain: string(r.Intent.Chain), Asset: r.Intent.Asset,
			Contract: r.Intent.Contract, To: r.Intent.To, Amount: r.Intent.Amount.String(), ToPath: wire(r.ToPath),
		},
		Attempt: r.Attempt, UnsignedTx: r.Unsigned.Bytes, MaxFee: r.MaxFee.String(),
	}
	if r.Plan.Slot != nil {
		req.FromPath = wire(&r.Plan.Slot.Path)
	}
	for i := range r.Plan.Coins {
		req.InputPaths = append(req.InputPaths, wire(&r.Plan.Coins[i].Path))
	}
	if !r.Unsigned.Change.IsZero() {
		req.ChangePath = wire(&r.Plan.ChangePath)
	}
	out, err := s.Signer.Sign(req)
	if err != nil {
		return desk.Signature{}, fmt.Errorf("%w: %w", desk.ErrRefused, err)
	}
	return desk.Signature{Raw: out.GetRawTx(), TxID: out.GetTxid()}, nil
}
