package vaultcoins

import (
	"context"
	"errors"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
)

// Copies keeps PSBTs by the intent that they carry out.
type Copies interface {
	// Offer keeps the PSBT that cosigners are asked to sign; the same again is no error.
	Offer(ctx context.Context, intent, vault string, psbt []byte) error
	// Copies lists those that cosigners brought back.
	Copies(ctx context.Context, intent string) ([][]byte, error)
}

// Intents are custody's rows.
type Intents interface {
	LoadIntent(ctx context.Context, id string) (custodydb.IntentRow, error)
	// Raw returns transactions of ours, by id.
	Raw(ctx context.Context, chain chainadapters.ChainID, txids []string) (map[string][]byte, error)
}

// Cosigners is custody's signer of what vaults pay.
type Cosigners struct {
	vaults  Vaults
	copies  Copies
	intents Intents
}

var _ desk.Signer = (*Cosigners)(nil)

// NewCosigners returns the signer of some vaults.
func NewCosigners(vaults Vaults, copies Copies, intents Intents) (*Cosigners, error) {
	if vaults == nil || copies == nil || intents == nil {
		return nil, errors.New("cosigners: no vaults, copies or intents")
	}
	return &Cosigners{vaults, copies, intents}, nil
}

// Sign implements desk.Signer: it offers the transaction to the vault's cosigners, and
// joins what they brought. Errors: custody.ErrConsent while they are asked.
func (c *Cosigners) Sign(ctx context.Context, req desk.SignRequest) (desk.Signature, error) {
	r, err := c.intents.LoadIntent(ctx, req.Intent.ID)
	if err != nil {
		return desk.Signature{}, fmt.Errorf("cosign %s: %w", req.Intent.ID, err)
	}
	w := c.vaults[r.Vault]
	if w == nil {
		return desk.Signature{}, fmt.Errorf("cosign %s: %q: %w", r.ID, r.Vault, ErrVault)
	}
	offered, err := c.offered(ctx, w, &r, req.Plan)
	if err != nil {
		return desk.Signature{}, fmt.Errorf("cosign %s: %w", r.ID, err)
	}
	if err := c.copies.Offer(ctx, r.ID, r.Vault, offered); err != nil {
		return desk.Signature{}, fmt.Errorf("offer %s to cosigners: %w", r.ID, err)
	}
	copies, err := c.copies.Copies(ctx, r.ID)
	if err != nil {
		return desk.Signature{}, fmt.Errorf("read what cosigners of %s brought: %w", r.ID, err)
	}
	return join(w, offered, copies)
}

// offered builds the PSBT of a plan: the same one each time.
func (c *Cosigners) offered(ctx context.Context, w *multisig.Wallet, r *custodydb.IntentRow, plan chainadapters.Plan) ([]byte, error) {
	if len(plan.Payments) == 0 || plan.Payments[0].To != r.To && plan.Payments[len(plan.Payments)-1].To != r.To {
		return nil, fmt.Errorf("plan pays otherwise: %w", custody.ErrIllegal)
	}
	var txids []string
	for i := range plan.Coins {
		txids = append(txids, plan.Coins[i].TxID)
	}
	previous, err := c.intents.Raw(ctx, r.Chain, txids)
	if err != nil {
		return nil, err
	}
	coins := make([]custodydb.VaultCoin, len(plan.Coins))
	for i := range plan.Coins {
		coins[i] = custodydb.VaultCoin{Coin: plan.Coins[i], Previous: previous[plan.Coins[i].TxID]}
	}
	return c.vaults.psbt(w, coins, chainadapters.Payment{To: r.To, Amount: r.Amount}, plan.Fee)
}

func join(w *multisig.Wallet, offered []byte, copies [][]byte) (desk.Signature, error) {
	all, err := w.Combine(append([][]byte{offered}, copies...)...)
	if err != nil {
		return desk.Signature{}, fmt.Errorf("join what cosigners brought: %w", err)
	}
	raw, txid, err := w.Finalize(all)
	if errors.Is(err, multisig.ErrIncomplete) {
		return desk.Signature{}, fmt.Errorf("the vault's cosigners sign: %w", custody.ErrConsent)
	}
	if err != nil {
		return desk.Signature{}, fmt.Errorf("finish: %w", err)
	}
	return desk.Signature{Raw: raw, TxID: txid}, nil
}

// Check says why a copy that somebody brings is not of the transaction that was offered,
// or has no signature; else who has signed it.
func (v Vaults) Check(vault string, offered, brought []byte) (signed []string, err error) {
	w := v[vault]
	if w == nil {
		return nil, fmt.Errorf("%q: %w", vault, ErrVault)
	}
	if _, err := w.Combine(offered, brought); err != nil {
		return nil, fmt.Errorf("it is not what was offered: %w", err)
	}
	effect, err := w.Inspect(brought, nil)
	if err != nil {
		return nil, fmt.Errorf("read PSBT: %w", err)
	}
	if len(effect.Signed) == 0 {
		return nil, fmt.Errorf("nobody has signed it: %w", multisig.ErrIncomplete)
	}
	return effect.Signed, nil
}
