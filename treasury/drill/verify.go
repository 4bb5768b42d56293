package drill

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
	btcecdsa "github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/chainadapters/evm/safe"
)

// CoinDigest is what a key of coins signs (BIP 137): the double SHA-256 of the message
// behind "Bitcoin Signed Message:", each with its length.
func CoinDigest(message string) [sha256.Size]byte {
	var b bytes.Buffer
	for _, part := range []string{"Bitcoin Signed Message:\n", message} {
		b.Write(compactSize(len(part)))
		b.WriteString(part)
	}
	once := sha256.Sum256(b.Bytes())
	return sha256.Sum256(once[:])
}

// compactSize is Bitcoin's; messages are shorter than 65,536 bytes.
func compactSize(n int) []byte {
	const oneByte, twoBytes = 0xfd, 0xfd
	if n < oneByte {
		return []byte{byte(n)} //nolint:gosec // it is less
	}
	return binary.LittleEndian.AppendUint16([]byte{twoBytes}, uint16(n)) //nolint:gosec // bounded by maxField
}

// SignCoin signs a message with a key of coins.
func SignCoin(key *btcec.PrivateKey, message string) []byte {
	digest := CoinDigest(message)
	return btcecdsa.SignCompact(key, digest[:], true)
}

// SignAccount signs a message with an owner's key (EIP-191).
func SignAccount(key *ecdsa.PrivateKey, message string) ([]byte, error) {
	const legacy = 27 // as wallets write v
	signature, err := crypto.Sign(accounts.TextHash([]byte(message)), key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDrill, err)
	}
	signature[signatureBytes-1] += legacy
	return signature, nil
}

// CoinKey is the key of a cosigner that drills are signed with: that of the vault's first
// address. Errors: ErrDrill.
func CoinKey(xpub string) ([]byte, error) {
	key, err := hdkeychain.NewKeyFromString(xpub)
	for _, step := range []uint32{multisig.Receive, 0} {
		if err == nil {
			key, err = key.Derive(step)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: derive key: %w", ErrDrill, err)
	}
	public, err := key.ECPubKey()
	if err != nil {
		return nil, fmt.Errorf("%w: derive key: %w", ErrDrill, err)
	}
	return public.SerializeCompressed(), nil
}

// OfCoins lists the cosigners whose valid signature a file has, by fingerprint. Any that is
// no cosigner's, or not valid, makes the whole file worthless. Errors: ErrDrill.
func OfCoins(v *multisig.Vault, f *File) ([]string, error) {
	digest := CoinDigest(f.Message)
	var signed []string
	for _, s := range f.Signatures {
		public, compressed, err := btcecdsa.RecoverCompact(s.Signature, digest[:])
		if err != nil || !compressed {
			return nil, fmt.Errorf("%w: signature of %.20s is not valid", ErrDrill, s.Key)
		}
		for _, c := range v.Keys {
			want, err := CoinKey(c.XPub)
			if err != nil {
				return nil, err
			}
			if c.Fingerprint == s.Key && bytes.Equal(want, public.SerializeCompressed()) {
				signed = append(signed, s.Key)
			}
		}
	}
	return signed, complete(len(signed), f)
}

// OfSafe lists the owners whose valid signature a file has, by address. Errors as of
// OfCoins.
func OfSafe(v *safe.Vault, f *File) ([]string, error) {
	digest := accounts.TextHash([]byte(f.Message))
	var signed []string
	for _, s := range f.Signatures {
		const legacy = 27
		raw := bytes.Clone(s.Signature)
		if v := raw[signatureBytes-1]; v != legacy && v != legacy+1 {
			return nil, fmt.Errorf("%w: signature of %.50s has v %d", ErrDrill, s.Key, v)
		}
		raw[signatureBytes-1] -= legacy
		public, err := crypto.SigToPub(digest, raw)
		if err != nil {
			return nil, fmt.Errorf("%w: signature of %.50s is not valid", ErrDrill, s.Key)
		}
		at := crypto.PubkeyToAddress(*public)
		for _, owner := range v.Owners {
			if owner == at && common.HexToAddress(s.Key) == at && at.Hex() == s.Key {
				signed = append(signed, s.Key)
			}
		}
	}
	return signed, complete(len(signed), f)
}

func complete(signed int, f *File) error {
	if signed != len(f.Signatures) {
		return fmt.Errorf("%w: %d of %d signatures are not of the vault's keys over this text", ErrDrill, len(f.Signatures)-signed, len(f.Signatures))
	}
	return nil
}

// Digest names a message for people to compare: its SHA-256 in hex.
func Digest(message string) string {
	sum := sha256.Sum256([]byte(message))
	return hex.EncodeToString(sum[:])
}
