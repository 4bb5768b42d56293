package treasury

import (
	"context"
	"time"

	"strongroom/money"
	"strongroom/treasury/intent"
	"strongroom/treasury/vault"
)

// VaultRow is a vault with the version of its row, for compare-and-set.
type VaultRow struct {
	vault.Vault
	Version int64
}

// Snapshot is what was in a vault at a time. It is kept and never changed.
type Snapshot struct {
	Vault          string
	Final          money.Units // on chain beyond doubt
	Open, Approved money.Units // as vault.Holding has them
	At             time.Time
}

// MoveState is how far one transaction of a move has come. It moves forward only.
type MoveState string

// The states of a transaction of a move. The first three are the stages that plans count.
const (
	MoveProposed MoveState = MoveState(vault.Proposed)
	MoveSigned   MoveState = MoveState(vault.Signed)
	MoveSent     MoveState = MoveState(vault.Sent)
	MoveFinal    MoveState = "final"    // it is on chain beyond doubt
	MoveRecalled MoveState = "recalled" // it was taken back before it was signed
	MoveFailed   MoveState = "failed"   // it can never be final
)

// Open reports whether plans count it as pending.
func (s MoveState) Open() bool { return s == MoveProposed || s == MoveSigned || s == MoveSent }

// MoveRow is one transaction of a sweep or refill.
type MoveRow struct {
	ID           string // <move>/<number>, that of its vault.Flow
	Move         string // mov_…
	Kind         intent.Action
	Asset, Chain string
	From, To     string // vaults
	Amount, Fee  money.Units
	Why          string // for people
	State        MoveState
	Version      int64
	Request      string // that asked for consent; empty before
	TxID         string // empty before it is signed
	Outcome      string // for people, once it has ended
	Created      time.Time
	Changed      time.Time
}

// MoveChange is what is known of a move's transaction after a step. Empty fields stay as
// they are.
type MoveChange struct {
	To                     MoveState
	Request, TxID, Outcome string
}

// ProofKind says what proved control.
type ProofKind string

// The kinds of proof.
const (
	ProofDrill   ProofKind = "drill"   // keys signed a text
	ProofPayment ProofKind = "payment" // a payment out of the vault became final
)

// ProofRow is a proof of control with what shows it: a signature, or a transaction's id.
type ProofRow struct {
	vault.Proof
	Kind     ProofKind
	Evidence string
	Came     time.Time
}

// Vaults keeps vaults, what is in them, and what moves between them. Errors of all:
// ErrUnknown, ErrInvalid, context's.
type Vaults interface {
	// SaveVault adds a vault (version 0) or changes its terms; asset, chain, tier and
	// shard stay. Errors: ErrConflict.
	SaveVault(ctx context.Context, v vault.Vault, version int64) (VaultRow, error)
	// Vaults lists all, by id.
	Vaults(ctx context.Context) ([]VaultRow, error)
	// Snapshot keeps what is in a vault. One that is older than the newest is kept too,
	// and changes nothing.
	Snapshot(ctx context.Context, s Snapshot) error
	// State is what plans for an asset on a chain are made of; Terms are the caller's.
	State(ctx context.Context, asset money.Asset, chain string, terms vault.Terms) (vault.State, error)
	// Plan runs a planner on State and keeps its moves as proposed, in one transaction that
	// no other plan for this asset and chain runs beside: what one planned, the next sees.
	Plan(ctx context.Context, asset money.Asset, chain string, terms vault.Terms,
		planner func(*vault.State) (vault.Plan, error)) ([]MoveRow, vault.Plan, error)
	// Advance takes a step, by compare-and-set on the version. Errors: ErrConflict.
	Advance(ctx context.Context, id string, version int64, change MoveChange) (MoveRow, error)
	Move(ctx context.Context, id string) (MoveRow, error)
	// Moves lists the newest first, at most MaxPage; open ones only where asked.
	Moves(ctx context.Context, asset string, open bool) ([]MoveRow, error)
	// Prove keeps a proof of control; the same again is no error.
	Prove(ctx context.Context, p ProofRow) error
	Proofs(ctx context.Context, id string) ([]ProofRow, error)
}
