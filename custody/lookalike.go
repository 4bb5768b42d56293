package custody

import (
	"errors"
	"strings"
)

// ErrLookAlike reports a destination that resembles an address that the customer
// knows and is another one. It always comes with ErrDestination.
var ErrLookAlike = errors.New("it resembles an address that you paid or were paid by, and is another one")

// LookAlikeEnds is how many characters at either end make addresses look alike:
// what a person compares who does not read the middle.
const LookAlikeEnds = 4

// LookAlike reports whether two canonical addresses of one chain begin and end
// alike and differ. What all addresses of a network begin with does not count,
// nor do capitals.
func LookAlike(known, given string) bool {
	a, b := addressBody(known), addressBody(given)
	if known == given || len(a) < 2*LookAlikeEnds || len(b) < 2*LookAlikeEnds {
		return false
	}
	return a[:LookAlikeEnds] == b[:LookAlikeEnds] && a[len(a)-LookAlikeEnds:] == b[len(b)-LookAlikeEnds:]
}

// addressBody cuts off what says network and kind: "0x"; the human-readable part,
// its separator and the witness version of a segwit address (BIP 173); a name
// before a colon; the first character of base58, which encodes the version.
func addressBody(address string) string {
	small := strings.ToLower(address)
	if _, rest, named := strings.Cut(small, ":"); named {
		return rest
	}
	if rest, hexadecimal := strings.CutPrefix(small, "0x"); hexadecimal {
		return rest
	}
	for _, prefix := range []string{"bc1", "tb1", "bcrt1", "ltc1", "tltc1", "rltc1"} {
		if rest, segwit := strings.CutPrefix(small, prefix); segwit && address == small && rest != "" {
			return rest[1:]
		}
	}
	if small == "" {
		return ""
	}
	return small[1:]
}
