package multisig

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds of a descriptor's text.
const (
	maxDescriptor  = 4 << 10
	checksumDigits = 8
)

// Descriptor returns the output descriptor of a branch (BIP 380, 383) with its
// checksum: wsh(sortedmulti(k,[fingerprint/path]xpub/branch/*,…))#checksum, the
// keys in the order of the vault. Errors wrap ErrVault.
func (w *Wallet) Descriptor(branch uint32) (string, error) {
	if branch > Change {
		return "", fmt.Errorf("%w: branch %d: there are 0 and 1", ErrVault, branch)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "wsh(sortedmulti(%d", w.vault.K)
	for _, key := range w.vault.Keys {
		fmt.Fprintf(&b, ",[%s%s]%s/%d/*", key.Fingerprint, strings.TrimPrefix(key.Path, "m"), key.XPub, branch)
	}
	b.WriteString("))")
	sum, err := descriptorChecksum(b.String())
	if err != nil {
		return "", err
	}
	return b.String() + "#" + sum, nil
}

// ID is the checksum of the receive branch's descriptor: eight characters by which
// people tell one vault from another. It is no proof.
func (w *Wallet) ID() string {
	text, err := w.Descriptor(Receive)
	if err != nil {
		return ""
	}
	return text[len(text)-checksumDigits:]
}

// ParseDescriptor reads a descriptor of a vault of a network and says which branch
// it is of. The checksum is required; hardened steps may be marked by ' or h.
// Errors wrap ErrVault.
func ParseDescriptor(networkName, text string) (v Vault, branch uint32, err error) {
	body, sum, found := strings.Cut(text, "#")
	if len(text) > maxDescriptor || !found {
		return Vault{}, 0, fmt.Errorf("%w: descriptor of %d characters without a checksum, or longer than %d", ErrVault, len(text), maxDescriptor)
	}
	want, err := descriptorChecksum(body)
	if err != nil {
		return Vault{}, 0, err
	}
	if sum != want {
		return Vault{}, 0, fmt.Errorf("%w: descriptor: checksum %.20q does not match its text", ErrVault, sum)
	}
	v, branch, err = parseExpression(body)
	if err != nil {
		return Vault{}, 0, err
	}
	v.Network = networkName
	if _, err := Open(v); err != nil {
		return Vault{}, 0, err
	}
	return v, branch, nil
}

// parseExpression reads wsh(sortedmulti(k,key,…)), all keys of one branch.
func parseExpression(body string) (v Vault, branch uint32, err error) {
	inner, opened := strings.CutPrefix(body, "wsh(sortedmulti(")
	inner, closed := strings.CutSuffix(inner, "))")
	parts := strings.Split(inner, ",")
	k, err := strconv.ParseUint(parts[0], 10, 8)
	if !opened || !closed || err != nil || strconv.FormatUint(k, 10) != parts[0] {
		return Vault{}, 0, fmt.Errorf("%w: descriptor is not wsh(sortedmulti(k,key,…))", ErrVault)
	}
	v.K = int(k)
	for i, part := range parts[1:] {
		key, of, err := parseKeyExpression(part)
		if err != nil {
			return Vault{}, 0, fmt.Errorf("%w: descriptor: key %d: %w", ErrVault, i, err)
		}
		if i > 0 && of != branch {
			return Vault{}, 0, fmt.Errorf("%w: descriptor: key %d is of another branch", ErrVault, i)
		}
		v.Keys, branch = append(v.Keys, key), of
	}
	return v, branch, nil
}

// parseKeyExpression reads [fingerprint/path]xpub/branch/*.
func parseKeyExpression(text string) (key Cosigner, branch uint32, err error) {
	inner, opened := strings.CutPrefix(text, "[")
	from, rest, closed := strings.Cut(inner, "]")
	fingerprint, path, hasPath := strings.Cut(from, "/")
	steps := strings.Split(rest, "/")
	if !opened || !closed || !hasPath || len(steps) != 3 || steps[2] != "*" {
		return Cosigner{}, 0, fmt.Errorf("%.80q is not [fingerprint/path]xpub/branch/*", text)
	}
	switch steps[1] {
	case "0":
	case "1":
		branch = Change
	default:
		return Cosigner{}, 0, fmt.Errorf("branch %.20q: there are 0 and 1", steps[1])
	}
	return Cosigner{
		Fingerprint: fingerprint, Path: "m/" + strings.ReplaceAll(path, "h", "'"), XPub: steps[0],
	}, branch, nil
}

// The alphabets of BIP 380's checksum: text in three groups of 32, so that one
// mistaken letter changes one symbol.
const (
	descriptorAlphabet = "0123456789()[],'/*abcdefgh@:$%{}" +
		"IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~" +
		"ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
	checksumAlphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

func descriptorChecksum(text string) (string, error) {
	sum, class, classes := uint64(1), uint64(0), 0
	for i := range len(text) {
		at := strings.IndexByte(descriptorAlphabet, text[i])
		if at < 0 {
			return "", fmt.Errorf("%w: descriptor: character %q at %d", ErrVault, text[i], i)
		}
		sum = descriptorStep(sum, uint64(at)&31)
		class, classes = class*3+uint64(at)>>5, classes+1
		if classes == 3 {
			sum, class, classes = descriptorStep(sum, class), 0, 0
		}
	}
	if classes > 0 {
		sum = descriptorStep(sum, class)
	}
	for range checksumDigits {
		sum = descriptorStep(sum, 0)
	}
	sum ^= 1
	digits := make([]byte, checksumDigits)
	for i := range digits {
		digits[i] = checksumAlphabet[sum>>(5*(checksumDigits-1-i))&31]
	}
	return string(digits), nil
}

// descriptorStep takes one symbol into the checksum, a remainder of polynomials
// over GF(32).
func descriptorStep(sum, symbol uint64) uint64 {
	top := sum >> 35
	sum = sum&0x7ffffffff<<5 ^ symbol
	for i, generator := range [...]uint64{0xf5dee51989, 0xa9fdca3312, 0x1bab10e32d, 0x3706b1677a, 0x644d626ffd} {
		if top>>i&1 == 1 {
			sum ^= generator
		}
	}
	return sum
}
