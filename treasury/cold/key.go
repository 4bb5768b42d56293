package cold

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"filippo.io/age"
	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/tyler-smith/go-bip39"

	"strongroom/chainadapters/bitcoin/multisig"
	"strongroom/chainadapters/bitcoin/network"
)

const (
	entropyBits = 256
	hardened    = hdkeychain.HardenedKeyStart
	maxKeyFile  = 1 << 16
	// maxWorkFactor is the most work that a key file may ask for: 4 GiB.
	maxWorkFactor = 22
	// WorkFactor is log2 of scrypt's N for a new key file: about two seconds and
	// 512 MiB to try one passphrase.
	WorkFactor = 19
	// MinPassphrase is the least length of a passphrase, in bytes.
	MinPassphrase = 12
)

// Key is one person's seed (BIP 39), from which the keys of every cold vault derive
// that this person is a cosigner of. It never prints itself.
type Key struct{ seed []byte }

// String implements fmt.Stringer: a key is never printed.
func (*Key) String() string { return "[secret]" }

// GoString implements fmt.GoStringer: a key is never printed.
func (*Key) GoString() string { return "[secret]" }

// LogValue implements slog.LogValuer: a key is never logged.
func (*Key) LogValue() slog.Value { return slog.StringValue("[secret]") }

// NewKey draws a seed of 24 words from random bytes and seals it under a passphrase
// into the bytes of a key file: an age file with the words in it. workFactor is log2 of
// scrypt's N; WorkFactor but in tests. Errors wrap ErrKey.
func NewKey(random io.Reader, passphrase string, workFactor int) (*Key, []byte, error) {
	entropy := make([]byte, entropyBits/8)
	if _, err := io.ReadFull(random, entropy); err != nil {
		return nil, nil, fmt.Errorf("%w: draw entropy: %w", ErrKey, err)
	}
	words, err := bip39.NewMnemonic(entropy)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return SealKey(words, passphrase, workFactor)
}

// SealKey makes a key file out of the words of a seed, as NewKey does. Errors wrap
// ErrKey.
func SealKey(words, passphrase string, workFactor int) (*Key, []byte, error) {
	if len(passphrase) < MinPassphrase {
		return nil, nil, fmt.Errorf("%w: passphrase of %d bytes, at least %d", ErrKey, len(passphrase), MinPassphrase)
	}
	words = strings.Join(strings.Fields(words), " ")
	key, err := readWords(words)
	if err != nil {
		return nil, nil, err
	}
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	recipient.SetWorkFactor(workFactor)
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	if err == nil {
		_, err = io.WriteString(w, words)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: seal: %w", ErrKey, err)
	}
	return key, sealed.Bytes(), nil
}

// OpenKey opens a key file. Errors wrap ErrKey.
func OpenKey(file []byte, passphrase string) (*Key, error) {
	if len(file) > maxKeyFile {
		return nil, fmt.Errorf("%w: file of %d bytes, at most %d", ErrKey, len(file), maxKeyFile)
	}
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	r, err := age.Decrypt(bytes.NewReader(file), identity)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	words, err := io.ReadAll(io.LimitReader(r, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return readWords(string(words))
}

func readWords(words string) (*Key, error) {
	seed, err := bip39.NewSeedWithErrorChecking(words, "")
	if err != nil {
		return nil, fmt.Errorf("%w: these are not the words of a seed: %w", ErrKey, err)
	}
	return &Key{seed}, nil
}

// Cosigner returns what a vault of a network of the Bitcoin family needs to know of
// the key: fingerprint, path and extended public key of its first account (BIP 48).
// Errors wrap ErrKey.
func (k *Key) Cosigner(networkName string) (multisig.Cosigner, error) {
	params, known := network.ByName(networkName)
	if !known {
		return multisig.Cosigner{}, fmt.Errorf("%w: network %.40q is unknown", ErrKey, networkName)
	}
	master, err := k.master(networkName)
	if err != nil {
		return multisig.Cosigner{}, err
	}
	defer master.Zero()
	account, err := descend(master, hardened+48, hardened+params.CoinType, hardened, hardened+2)
	if err != nil {
		return multisig.Cosigner{}, err
	}
	defer account.Zero()
	top, err := master.ECPubKey()
	if err != nil {
		return multisig.Cosigner{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	public, err := account.ECPubKey()
	if err != nil {
		return multisig.Cosigner{}, fmt.Errorf("%w: %w", ErrKey, err)
	}
	neutered := hdkeychain.NewExtendedKey(params.HDPublicID[:], public.SerializeCompressed(), account.ChainCode(),
		binary.BigEndian.AppendUint32(nil, account.ParentFingerprint()), account.Depth(), account.ChildIndex(), false)
	return multisig.Cosigner{
		Fingerprint: hex.EncodeToString(address.Hash160(top.SerializeCompressed())[:4]),
		Path:        fmt.Sprintf("m/48'/%d'/0'/2'", params.CoinType), XPub: neutered.String(),
	}, nil
}

// Owner returns the address of the key as an owner of a Safe: that of m/44'/60'/0'/0/0,
// with its checksum (EIP-55). Errors wrap ErrKey.
func (k *Key) Owner() (string, error) {
	private, err := k.owner()
	if err != nil {
		return "", err
	}
	return crypto.PubkeyToAddress(private.PublicKey).Hex(), nil
}

func (k *Key) owner() (*ecdsa.PrivateKey, error) {
	master, err := hdkeychain.NewMaster(k.seed, &chaincfg.MainNetParams)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	defer master.Zero()
	at, err := descend(master, hardened+44, hardened+60, hardened, 0, 0)
	if err != nil {
		return nil, err
	}
	defer at.Zero()
	private, err := at.ECPrivKey()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	key, err := crypto.ToECDSA(private.Serialize())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}

// master returns the master key with a network's version.
func (k *Key) master(networkName string) (*hdkeychain.ExtendedKey, error) {
	params, known := network.ByName(networkName)
	if !known {
		return nil, fmt.Errorf("%w: network %.40q is unknown", ErrKey, networkName)
	}
	master, err := hdkeychain.NewMaster(k.seed, &chaincfg.MainNetParams)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	own, err := master.CloneWithVersion(params.HDPrivateID[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return own, nil
}

func descend(key *hdkeychain.ExtendedKey, path ...uint32) (*hdkeychain.ExtendedKey, error) {
	at := key
	for _, step := range path {
		next, err := at.Derive(step)
		if at != key {
			at.Zero()
		}
		if err != nil {
			return nil, fmt.Errorf("%w: derive %d: %w", ErrKey, step, err)
		}
		at = next
	}
	return at, nil
}
