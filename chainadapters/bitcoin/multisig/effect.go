package multisig

import (
	"fmt"
	"strings"
	"time"

	"strongroom/money"
)

// Effect is what a transaction does, derived from the PSBT and the vault alone.
type Effect struct {
	Network string `json:"network"`
	Vault   string `json:"vault"` // ID
	K       int    `json:"k"`
	Keys    int    `json:"keys"`
	// TxID is that of the finished transaction: it covers inputs, outputs, sequences,
	// version and lock time, so that who approves it approves all of this.
	TxID     string      `json:"txid"`
	Inputs   []Spent     `json:"inputs"`
	Payments []Paid      `json:"payments"` // outputs that leave the vault's change branch
	Change   *Kept       `json:"change,omitempty"`
	Total    money.Units `json:"total"` // of the inputs
	Fee      money.Units `json:"fee"`
	// SatPerKVB is the fee rate at the signed transaction's greatest size, VSize.
	SatPerKVB   uint64 `json:"satPerKVB"`
	VSize       uint64 `json:"vsize"`
	Replaceable bool   `json:"replaceable"` // who holds K keys may outbid it (BIP 125)
	LockTime    uint32 `json:"lockTime"`    // 0: none
	// Signed are the fingerprints of the cosigners whose valid signatures are on all
	// inputs; Partly of those who signed only some.
	Signed []string `json:"signed"`
	Partly []string `json:"partly,omitempty"`
	// Ready says that each input has K signatures.
	Ready bool `json:"ready"`
}

// Spent is an input: a coin of the vault.
type Spent struct {
	TxID    string      `json:"txid"`
	Vout    uint32      `json:"vout"`
	Branch  uint32      `json:"branch"`
	Index   uint32      `json:"index"`
	Address string      `json:"address"`
	Amount  money.Units `json:"amount"`
}

// Paid is an output to somebody.
type Paid struct {
	Address string      `json:"address"`
	Amount  money.Units `json:"amount"`
	Name    string      `json:"name,omitempty"` // that the caller knows the address by
}

// Kept is the output that stays in the vault.
type Kept struct {
	Address string      `json:"address"`
	Index   uint32      `json:"index"`
	Amount  money.Units `json:"amount"`
}

// Fulfils reports whether the effect is exactly these payments, in any order, for at
// most this fee. Addresses are in canonical form, as network.Params.Parse returns
// them. Errors wrap ErrRefused and say what differs.
func (e *Effect) Fulfils(payments []Payment, maxFee money.Units) error {
	left := make(map[Payment]int, len(payments))
	for _, p := range payments {
		left[p]++
	}
	for _, paid := range e.Payments {
		key := Payment{To: paid.Address, Amount: paid.Amount}
		if left[key] == 0 {
			return fmt.Errorf("%w: it pays %s to %s, which nobody asked for", ErrRefused, coins(paid.Amount), paid.Address)
		}
		left[key]--
	}
	for _, p := range payments {
		if left[p] > 0 {
			return fmt.Errorf("%w: it does not pay %s to %s", ErrRefused, coins(p.Amount), p.To)
		}
	}
	if e.Fee.Cmp(maxFee) > 0 {
		return fmt.Errorf("%w: fee of %s, at most %s was asked for", ErrRefused, coins(e.Fee), coins(maxFee))
	}
	return nil
}

// lockTimeSeconds: lock times from here on are Unix seconds, below it heights.
const lockTimeSeconds = 500_000_000

// String says the effect in plain words, a line for each thing to know.
func (e *Effect) String() string {
	var b strings.Builder
	ticker := "BTC"
	if strings.HasPrefix(e.Network, "litecoin") {
		ticker = "LTC"
	}
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("Transaction %s on network %s", e.TxID, e.Network)
	say("Spends %d coins of the %d-of-%d vault %s: %s %s", len(e.Inputs), e.K, e.Keys, e.Vault, coins(e.Total), ticker)
	for _, in := range e.Inputs {
		say("  %s %s from %s (our %d/%d), coin %s:%d", coins(in.Amount), ticker, in.Address, in.Branch, in.Index, in.TxID, in.Vout)
	}
	if len(e.Payments) == 0 {
		say("Pays nobody: all but the fee stays in the vault")
	}
	for _, out := range e.Payments {
		if out.Name == "" {
			say("PAYS %s %s to %s, an address without a name here", coins(out.Amount), ticker, out.Address)
			continue
		}
		say("PAYS %s %s to %s, known as %s", coins(out.Amount), ticker, out.Address, out.Name)
	}
	if e.Change == nil {
		say("Keeps nothing: there is no change")
	} else {
		say("Keeps %s %s at %s (our 1/%d)", coins(e.Change.Amount), ticker, e.Change.Address, e.Change.Index)
	}
	say("Fee %s %s: %d base units per 1,000 virtual bytes, of which it has at most %d", coins(e.Fee), ticker, e.SatPerKVB, e.VSize)
	e.sayTime(say)
	say("Signed by %d of the %d that it takes: %s", len(e.Signed), e.K, orNobody(e.Signed))
	if len(e.Partly) > 0 {
		say("On some inputs only: %s", strings.Join(e.Partly, ", "))
	}
	return b.String()
}

func (e *Effect) sayTime(say func(format string, args ...any)) {
	switch {
	case e.LockTime == 0:
		say("Can be mined at once")
	case e.LockTime < lockTimeSeconds:
		say("CANNOT BE MINED in or before block %d", e.LockTime)
	default:
		say("CANNOT BE MINED before %s", time.Unix(int64(e.LockTime), 0).UTC().Format(time.RFC3339))
	}
	if e.Replaceable {
		say("Can be replaced by another one with a higher fee, which as many keys must sign")
		return
	}
	say("Does not offer to be replaced")
}

func orNobody(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

// coins writes base units as coins.
func coins(amount money.Units) string {
	const perCoin = 100_000_000
	units, fits := amount.Uint64()
	if !fits {
		return amount.String() + " base units"
	}
	return fmt.Sprintf("%d.%08d", units/perCoin, units%perCoin)
}
