package cold

import (
	"fmt"
	"strings"
)

// MaxFile bounds the file of a transaction, in bytes.
const MaxFile = 8 << 20

// Hash is one hash by its name, for people to compare with other devices.
type Hash struct{ Name, Value string }

// Signer is a cosigner of a vault.
type Signer struct {
	Name string // as the description calls the person
	ID   string // fingerprint of the master key, or address of the owner
}

// String is how messages call a cosigner.
func (s Signer) String() string {
	if s.Name == "" {
		return s.ID
	}
	return s.Name + " (" + s.ID + ")"
}

// Review is what a transaction does, after all of it was derived again.
type Review struct {
	Vault string // name, by the description
	// Words say the effect, a line for each thing to know.
	Words string
	// Confirm is the hash that covers all of the effect: the id of a transaction of
	// coins, the safeTxHash of a Safe's. Who signs names it.
	Confirm string
	Hashes  []Hash
	Need    int // signatures that it takes
	Signed  []Signer
	Missing []Signer // who has not signed; any Need less len(Signed) of them will do
}

// Ready says that enough have signed.
func (r *Review) Ready() bool { return len(r.Signed) >= r.Need }

// String is the review as it is shown.
func (r *Review) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Vault %s\n\n%s\n", r.Vault, strings.TrimRight(r.Words, "\n"))
	b.WriteString("\nHashes\n")
	for _, h := range r.Hashes {
		fmt.Fprintf(&b, "  %-22s %s\n", h.Name, h.Value)
	}
	fmt.Fprintf(&b, "\nSignatures: %d of the %d that it takes\n", len(r.Signed), r.Need)
	for _, s := range r.Signed {
		fmt.Fprintf(&b, "  signed   %s\n", s)
	}
	for _, s := range r.Missing {
		fmt.Fprintf(&b, "  missing  %s\n", s)
	}
	if r.Ready() {
		b.WriteString("It can be sent.\n")
	}
	return b.String()
}

// Finished is a transaction that can be sent.
type Finished struct {
	// ID is the id of a transaction of coins, or the safeTxHash.
	ID string
	// Hex is the raw transaction of coins, or the calldata of execTransaction.
	Hex string
	// To is the Safe that the calldata goes to; empty for coins.
	To string
}
