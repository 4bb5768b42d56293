package consent

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"
)

// FreezeLife is how long after its At a freeze may be handed in: an old one does not stop
// signing again after officers let it go on.
const FreezeLife = 5 * time.Minute

// Freeze is one officer's signed word that nothing is to be signed any more. To go on, as
// many officers as the roster says approve an intent of the action Unfreeze.
type Freeze struct {
	Environment string `json:"environment"`
	Person      string `json:"person"`
	Key         string `json:"key"`
	Scheme      Scheme `json:"scheme"`
	At          int64  `json:"at"`     // Unix seconds
	Reason      string `json:"reason"` // not empty
	Payload     []byte `json:"payload,omitempty"`
	Signature   []byte `json:"signature"`
}

// Message is the text that is signed for a freeze, in lines: domain, environment, person,
// time, and the reason to its end.
func (f *Freeze) Message() []byte {
	return []byte("strongroom freeze 1\n" + f.Environment + "\n" + f.Person + "\n" + strconv.FormatInt(f.At, 10) + "\n" + f.Reason)
}

// Challenge is what a passkey is asked to sign: the SHA-256 of the Message.
func (f *Freeze) Challenge() [sha256.Size]byte { return sha256.Sum256(f.Message()) }

// TypedHash is what a hardware wallet signs: the EIP-712 hash.
func (f *Freeze) TypedHash() [32]byte { return f.typed().hash() }

// TypedData is the same as JSON, for eth_signTypedData_v4.
func (f *Freeze) TypedData() ([]byte, error) { return f.typed().json() }

func (f *Freeze) typed() *typed {
	return newTyped(f.Environment, mainnet, freezeType, "Freeze",
		textField("environment", f.Environment), textField("person", f.Person),
		numberField("at", uint64(max(f.At, 0))), textField("reason", f.Reason))
}

// ParseFreeze reads the JSON of a freeze: known members, each once, and nothing else.
// Errors: ErrApproval.
func ParseFreeze(text []byte) (Freeze, error) {
	var f Freeze
	if len(text) > MaxApprovalBytes {
		return f, fmt.Errorf("%w: it has %d bytes, at most %d are read", ErrApproval, len(text), MaxApprovalBytes)
	}
	if err := strict(text, &f); err != nil {
		return Freeze{}, fmt.Errorf("%w: %w", ErrApproval, err)
	}
	return f, nil
}

// VerifyFreeze checks that an officer of the roster asked for the freeze just now. The
// counter of a passkey is not looked at: whoever holds a copy of an officer's key may as
// well stop everything. Errors: ErrApproval, with the reason.
func (r *Roster) VerifyFreeze(f *Freeze, now time.Time) error {
	word := Approval{
		Person: f.Person, Key: f.Key, Scheme: f.Scheme, Verdict: Deny, Reason: f.Reason, At: f.At,
		Payload: f.Payload, Signature: f.Signature,
	}
	if err := word.Check(); err != nil {
		return err
	}
	at := time.Unix(f.At, 0)
	switch p := r.Person(f.Person); {
	case f.Environment != r.Environment:
		return fmt.Errorf("%w: environment: it is for %.64q, this is %.64q", ErrApproval, f.Environment, r.Environment)
	case p == nil || !p.Officer:
		return fmt.Errorf("%w: person %s is no officer: only officers freeze", ErrApproval, f.Person)
	case r.Expired(now):
		return fmt.Errorf("%w: the roster has expired: officers sign a new one", ErrApproval)
	case now.Sub(at) > FreezeLife || at.Sub(now) > MaxSkew:
		return fmt.Errorf("%w: at %d is not now (%d): sign again", ErrApproval, f.At, now.Unix())
	}
	_, err := r.verify(signed{f.Person, f.Key, f.Scheme, f.Payload, f.Signature}, statement{f.Message(), f.typed})
	return err
}
