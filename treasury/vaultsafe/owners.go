package vaultsafe

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm/safe"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/custody/desk"
	"strongroom/treasury/consent"
)

// ErrVault reports a vault that nobody described.
var ErrVault = errors.New("vault is not described")

// Vaults are Safes by the name of their wallet. It is immutable and safe for concurrent use.
type Vaults map[string]safe.Vault

// Open opens vaults by their descriptions: name → description. Errors: ErrDescription.
func Open(descriptions map[string]string) (Vaults, error) {
	vaults := Vaults{}
	for name, text := range descriptions {
		v, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("vault %s: %w", name, err)
		}
		vaults[name] = v
	}
	return vaults, nil
}

// Copies keeps what owners sign by the intent that it carries out.
type Copies interface {
	// Offer keeps the file that owners are asked to sign; the same again is no error.
	Offer(ctx context.Context, intent, vault string, file []byte) error
	// Copies lists those that owners brought back.
	Copies(ctx context.Context, intent string) ([][]byte, error)
}

// Consent shows that people of the house agreed to a refill, and still do; errors:
// custody.ErrConsent while they are asked.
type Consent interface {
	Evidence(ctx context.Context, intent string, attempt uint32) (text []byte, approvals []consent.Approval, err error)
}

// Chain reads a vault's state off its chain.
type Chain interface {
	// Nonce is how many transactions a vault has made.
	Nonce(ctx context.Context, chain chainadapters.ChainID, v safe.Vault) (uint64, error)
}

// Owners asks owners of vaults for their signatures.
type Owners struct {
	vaults  Vaults
	copies  Copies
	consent Consent
	chain   Chain
}

var _ desk.Vaults = (*Owners)(nil)

// NewOwners returns who asks the owners of some vaults.
func NewOwners(vaults Vaults, copies Copies, agreed Consent, chain Chain) (*Owners, error) {
	if vaults == nil || copies == nil || agreed == nil || chain == nil {
		return nil, errors.New("owners: no vaults, copies, consent or chain")
	}
	return &Owners{vaults, copies, agreed, chain}, nil
}

// Next implements desk.Vaults.
func (o *Owners) Next(ctx context.Context, chain chainadapters.ChainID, vault string) (address string, nonce uint64, err error) {
	v, known := o.vaults[vault]
	if !known {
		return "", 0, fmt.Errorf("%q: %w", vault, ErrVault)
	}
	if nonce, err = o.chain.Nonce(ctx, chain, v); err != nil {
		return "", 0, fmt.Errorf("count payments of %s: %w", vault, err)
	}
	return v.Address.Hex(), nonce, nil
}

// Call implements desk.Vaults. The house's own people have to agree still, before anything
// waits for the call.
func (o *Owners) Call(ctx context.Context, r custodydb.IntentRow, address string, nonce uint64) ([]byte, error) {
	v, known := o.vaults[r.Vault]
	if !known || v.Address.Hex() != address {
		return nil, fmt.Errorf("%q at %s: %w", r.Vault, address, ErrVault)
	}
	if _, _, err := o.consent.Evidence(ctx, r.ID, 1); err != nil {
		return nil, fmt.Errorf("refill %s: %w", r.ID, err)
	}
	offered := offer(v, &r, nonce)
	if err := o.copies.Offer(ctx, r.ID, r.Vault, offered.Encode()); err != nil {
		return nil, fmt.Errorf("offer %s to owners: %w", r.ID, err)
	}
	copies, err := o.copies.Copies(ctx, r.ID)
	if err != nil {
		return nil, fmt.Errorf("read what owners of %s brought: %w", r.Vault, err)
	}
	return join(offered, copies)
}

// offer is what owners are asked to sign: the same each time.
func offer(v safe.Vault, r *custodydb.IntentRow, nonce uint64) safe.File {
	to := common.HexToAddress(r.To)
	tx := safe.PayNative(to, r.Amount.Big(), nonce)
	if r.Contract != "" {
		tx = safe.PayToken(common.HexToAddress(r.Contract), to, r.Amount.Big(), nonce)
	}
	return safe.File{Vault: v, Tx: tx}
}

func join(offered safe.File, copies [][]byte) ([]byte, error) {
	all := offered
	for _, text := range copies {
		f, err := safe.ParseFile(text)
		if err != nil {
			return nil, fmt.Errorf("read what an owner brought: %w", err)
		}
		if all, err = safe.Combine(all, f); err != nil {
			return nil, fmt.Errorf("join what owners brought: %w", err)
		}
	}
	if !all.Complete() {
		return nil, fmt.Errorf("the vault's owners sign: %w", custody.ErrConsent)
	}
	call, err := all.ExecCalldata()
	if err == nil {
		_, err = all.Vault.CheckExec(call, all.Tx.Nonce)
	}
	if err != nil {
		return nil, fmt.Errorf("finish: %w", err)
	}
	return call, nil
}

// IsFile reports whether what is offered or brought is a Safe's file, and no PSBT.
func IsFile(text []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) }

// Check says why a copy that somebody brings is not of the transaction that was offered, or
// has no signature; else who has signed it.
func (v Vaults) Check(vault string, offered, brought []byte) (signed []string, err error) {
	if _, known := v[vault]; !known {
		return nil, fmt.Errorf("%q: %w", vault, ErrVault)
	}
	meant, err := safe.ParseFile(offered)
	if err != nil {
		return nil, fmt.Errorf("read what was offered: %w", err)
	}
	is, err := safe.ParseFile(brought)
	if err != nil {
		return nil, fmt.Errorf("read it: %w", err)
	}
	if _, err := safe.Combine(meant, is); err != nil {
		return nil, fmt.Errorf("it is not what was offered: %w", err)
	}
	if len(is.Signatures) == 0 {
		return nil, fmt.Errorf("nobody has signed it: %w", ErrUnsigned)
	}
	for _, s := range is.Signatures {
		signed = append(signed, s.Owner.Hex())
	}
	return signed, nil
}

// ErrUnsigned reports a file without a signature.
var ErrUnsigned = errors.New("no signature")
