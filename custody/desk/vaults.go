package desk

import (
	"context"
	"fmt"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/custody/custodydb"
)

// Vaults are contracts of the house on account chains, which pay by calls that their owners
// have signed. The hot wallet sends such a call, and pays for it.
type Vaults interface {
	// Next is where a vault is, and the place that its next payment has in the order of its
	// payments, in the newest block of the chain.
	Next(ctx context.Context, chain chainadapters.ChainID, vault string) (address string, nonce uint64, err error)
	// Call offers the payment of a refill at a place in that order to the vault's owners, and
	// returns the call once enough of them have signed: whoever asks again may get one with
	// other signatures. Errors: custody.ErrConsent while they are asked.
	Call(ctx context.Context, r custodydb.IntentRow, address string, nonce uint64) ([]byte, error)
}

// reserveRefill takes the refill's place among the vault's payments, has its owners asked,
// and only when they have signed takes a nonce of the hot wallet: nobody waits behind people.
// The call is part of the plan that is stored with the nonce, so that from then on the same
// one is signed and sent, whatever else owners bring.
func (d *Desk) reserveRefill(ctx context.Context, adapter chainadapters.Adapter, at chainadapters.Ref, r *custodydb.IntentRow) error {
	if d.cfg.Vaults == nil {
		return fmt.Errorf("nobody knows the vaults of %s: %w", r.Chain, custody.ErrAsset)
	}
	vault, next, err := d.cfg.Vaults.Next(ctx, r.Chain, r.Vault)
	if err != nil {
		return fmt.Errorf("look at vault %s: %w", r.Vault, err)
	}
	nonce, err := d.cfg.Store.TakeVaultSlot(ctx, r, vault, next)
	switch {
	case err != nil:
		return err
	case nonce < next: // owners paid something else, past us: what they sign for this can never happen
		return d.release(ctx, r, custody.EventCancel, fmt.Sprintf("payment %d of the vault was another one", nonce))
	case nonce > next:
		return fmt.Errorf("the vault has not made its payment before this one: %w", custody.ErrSlots)
	}
	has, err := holdings(ctx, adapter, vault, r.Contract, at)
	if err != nil {
		return err
	}
	if has.Less(r.Amount) {
		return fmt.Errorf("%w: the vault %s has %s, %s are needed", custody.ErrHotWallet, r.Vault, has, r.Amount)
	}
	q := custodydb.AccountReservation{Payment: chainadapters.Payment{To: r.To, Contract: r.Contract, Amount: r.Amount, Vault: vault}}
	if q.Exec, err = d.cfg.Vaults.Call(ctx, *r, vault, nonce); err != nil {
		return fmt.Errorf("call of vault %s: %w", r.Vault, err)
	}
	return d.reserveSlot(ctx, adapter, at, r, q)
}
