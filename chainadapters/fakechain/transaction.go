package fakechain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"strongroom/chainadapters"
)

// maxOutputs bounds the outputs of one transaction.
const maxOutputs = 1_000

// maxRawBytes bounds a raw transaction.
const maxRawBytes = 1 << 20

// addressDigits is the hexadecimal payload of an address; as many digits of
// checksum as checkDigits follow it.
const (
	addressDigits = 24
	checkDigits   = 8
)

// publicKeyPrefix begins what this chain takes for an extended public key.
const publicKeyPrefix = "fakepub"

// hardened is the first index that a public key cannot derive (BIP 32).
const hardened = 1 << 31

// Errors of bytes and keys that are not of this chain.
var (
	ErrTransaction = errors.New("not a signed transaction of this fake chain")
	ErrKey         = errors.New("not an extended public key of a fake chain")
)

// body is a transaction without its seal.
type body struct {
	Network string                   `json:"network"`
	From    string                   `json:"from,omitempty"`
	Nonce   uint64                   `json:"nonce"`
	Inputs  []chainadapters.Outpoint `json:"inputs,omitempty"`
	Outputs []chainadapters.Payment  `json:"outputs"`
	Fee     chainadapters.Fee        `json:"fee"`
	Exec    []byte                   `json:"exec,omitempty"`   // VaultCall of the vault that pays
	Faucet  uint64                   `json:"faucet,omitempty"` // from nowhere, and which; never accepted from outside
}

// transaction is a sealed body.
type transaction struct {
	body body
	id   string
	raw  []byte
}

// Sign seals the bytes of an unsigned transaction, as a signer would.
func Sign(unsigned []byte) (raw []byte, txid string) {
	id := sha256.Sum256(unsigned)
	mark := sealOf(unsigned)
	return append(bytes.Clone(unsigned), mark[:]...), hex.EncodeToString(id[:])
}

func sealOf(unsigned []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte("sealed "), unsigned...))
}

func seal(b body) (*transaction, error) {
	unsigned, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	raw, id := Sign(unsigned)
	return &transaction{body: b, id: id, raw: raw}, nil
}

// unseal reads raw bytes; they must be exactly what seal would write.
func unseal(network string, raw []byte) (*transaction, error) {
	if len(raw) <= sha256.Size || len(raw) > maxRawBytes {
		return nil, fmt.Errorf("%w: length %d", ErrTransaction, len(raw))
	}
	unsigned := raw[:len(raw)-sha256.Size]
	if sealOf(unsigned) != [sha256.Size]byte(raw[len(unsigned):]) {
		return nil, fmt.Errorf("%w: seal", ErrTransaction)
	}
	var b body
	if err := json.Unmarshal(unsigned, &b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransaction, err)
	}
	tx, err := seal(b)
	if err != nil || !bytes.Equal(tx.raw, raw) || b.Network != network || b.Faucet != 0 || len(b.Outputs) > maxOutputs {
		return nil, fmt.Errorf("%w: content", ErrTransaction)
	}
	return tx, nil
}

// Address returns the address of a name on a network.
func Address(network, name string) string {
	digest := sha256.Sum256([]byte(name))
	payload := hex.EncodeToString(digest[:])[:addressDigits]
	return network + ":" + payload + checksum(network, payload)
}

func tokenAddress(network string) string { return Address(network, "token") }

func checksum(network, payload string) string {
	digest := sha256.Sum256([]byte(network + ":" + payload))
	return hex.EncodeToString(digest[:])[:checkDigits]
}

func parseAddress(network, s string) (string, error) {
	digits, ok := strings.CutPrefix(s, network+":")
	switch {
	case !ok:
		return "", fmt.Errorf("%w: not of network %s", chainadapters.ErrAddress, network)
	case len(digits) != addressDigits+checkDigits:
		return "", fmt.Errorf("%w: length", chainadapters.ErrAddress)
	case checksum(network, digits[:addressDigits]) != digits[addressDigits:]:
		return "", fmt.Errorf("%w: checksum", chainadapters.ErrAddress)
	}
	return s, nil
}

// PublicKey returns the extended public key of a name, for DeriveAddress.
func PublicKey(name string) string { return publicKeyPrefix + name }

func deriveAddress(network, xpub string, branch, index uint32) (string, error) {
	if !strings.HasPrefix(xpub, publicKeyPrefix) || branch >= hardened || index >= hardened {
		return "", fmt.Errorf("%w: %.40q, %d/%d", ErrKey, xpub, branch, index)
	}
	return Address(network, fmt.Sprintf("%s/%d/%d", xpub, branch, index)), nil
}
