package safe

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// String is the effect in plain words, a line for each thing to know.
func (e Effect) String() string {
	var b strings.Builder
	if e.Batch {
		fmt.Fprintf(&b, "A batch of %d, all or none:\n", len(e.Payments))
	}
	for _, p := range e.Payments {
		fmt.Fprintf(&b, "%s\n", p)
	}
	fmt.Fprintf(&b, "From vault %s on chain %d, with its nonce %d\n", e.Vault.Address, e.Vault.ChainID, e.Nonce)
	fmt.Fprintf(&b, "It takes %d of %d owners; nobody is paid for gas, and nothing else is done\n", e.Vault.Threshold, len(e.Vault.Owners))
	return b.String()
}

// String is the payment in plain words.
func (p Payment) String() string {
	who := p.Name
	if who == "" {
		who = "an address without a name"
	}
	text := fmt.Sprintf("Pays %s %s to %s (%s)", amountText(p.Amount, p.Decimals), p.Asset, p.To, who)
	if p.Token != (common.Address{}) {
		text += ", token " + p.Token.Hex()
	}
	return text
}

// amountText writes base units with a point, without needless zeros.
func amountText(amount *big.Int, decimals uint8) string {
	digits := amount.String()
	if missing := int(decimals) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	whole, part := digits[:len(digits)-int(decimals)], strings.TrimRight(digits[len(digits)-int(decimals):], "0")
	if part == "" {
		return whole
	}
	return whole + "." + part
}
