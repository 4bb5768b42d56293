// Package network knows what tells one network of the Bitcoin family from
// another: prefixes, coin type, genesis. It turns addresses into output scripts
// and back. The adapter and the signer share it; it holds no keys, speaks to no
// node, and changes no global table, so a new network is one more row.
package network

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcutil/v2/hdkeychain"
)

// ErrAddress reports an address that is malformed, fails its checksum, or
// belongs to another network.
var ErrAddress = errors.New("not an address of this network")

// ErrKey reports an extended key that is malformed or of another kind.
var ErrKey = errors.New("not an extended public key of this network")

// Params tells one network from another.
type Params struct {
	// Name is what Bitcoin Core calls it in getblockchaininfo's "chain". Other
	// coins' nodes use the same words: their names begin with the coin's.
	Name string
	// Alias is what its nodes call it, where that differs.
	Alias string
	// HRP is the human-readable part of segregated witness addresses (BIP 173).
	HRP string
	// PubKeyHashID and ScriptHashIDs are version bytes of base58check
	// addresses. The first script hash version is the canonical one.
	PubKeyHashID  byte
	ScriptHashIDs []byte
	// CoinType is the second level of BIP 44 paths (SLIP 44).
	CoinType uint32
	// HDPublicID is the version of extended public keys (BIP 32).
	HDPublicID [4]byte
	// HDPrivateID is the version of extended private keys (BIP 32).
	HDPrivateID [4]byte
	// Genesis is the hash of block 0; empty where a network is named by other
	// means and the operator pins it.
	Genesis string
	// Dust is the least output that its nodes relay, in base units: that of P2PKH,
	// for which they ask most.
	Dust uint64
}

// Dust limits: 182 bytes (a P2PKH output and its input) at the dust relay rate of
// Bitcoin's nodes, 3 sat/vB, and of Litecoin's, ten times that.
const (
	bitcoinDust  = 546
	litecoinDust = 5460
)

// ByName returns the parameters of a network, by name or alias, and whether it
// is known. A word that several nodes use is Bitcoin's.
func ByName(name string) (Params, bool) {
	for _, p := range table() {
		if p.Name == name || (p.Alias != "" && p.Alias == name) {
			return p, true
		}
	}
	return Params{}, false
}

// table lists the networks: Bitcoin's as Bitcoin Core names them, then others.
func table() []Params {
	test := Params{
		HRP: "tb", PubKeyHashID: 0x6f, ScriptHashIDs: []byte{0xc4}, CoinType: 1, Dust: bitcoinDust,
		HDPublicID: [4]byte{0x04, 0x35, 0x87, 0xcf}, HDPrivateID: [4]byte{0x04, 0x35, 0x83, 0x94},
	}
	main := Params{
		Name: "main", Alias: "mainnet", HRP: "bc", PubKeyHashID: 0x00, ScriptHashIDs: []byte{0x05}, CoinType: 0,
		HDPublicID: [4]byte{0x04, 0x88, 0xb2, 0x1e}, HDPrivateID: [4]byte{0x04, 0x88, 0xad, 0xe4}, Dust: bitcoinDust,
		Genesis: "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
	}
	return append([]Params{
		main,
		test.as("test", "testnet3", "tb", "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943"),
		test.as("testnet4", "", "tb", "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043"),
		test.as("signet", "", "tb", "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6"),
		test.as("regtest", "", "bcrt", "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"),
	}, litecoin(main, test)...)
}

// litecoin lists Litecoin's networks. Its nodes still read script hash addresses
// with Bitcoin's version byte ("3…"); here they are refused, for nobody can tell
// which of the two chains they were meant for.
func litecoin(main, test Params) []Params {
	main.PubKeyHashID, main.ScriptHashIDs, main.CoinType, main.Dust = 0x30, []byte{0x32}, 2, litecoinDust
	test.ScriptHashIDs, test.Dust = []byte{0x3a}, litecoinDust
	return []Params{
		main.as("litecoin-main", "main", "ltc", "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2"),
		test.as("litecoin-test", "test", "tltc", "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0"),
		test.as("litecoin-regtest", "regtest", "rltc", "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9"),
	}
}

func (p Params) as(name, alias, hrp, genesis string) Params {
	p.Name, p.Alias, p.HRP, p.Genesis = name, alias, hrp, genesis
	return p
}

// KeyAddress returns the P2WPKH address of a compressed public key (BIP 84).
func (p Params) KeyAddress(publicKey []byte) (string, error) {
	return p.encodeWitness(0, address.Hash160(publicKey))
}

// KeyScript returns the P2WPKH output script of a compressed public key.
func KeyScript(publicKey []byte) []byte {
	return witnessScript(0, address.Hash160(publicKey))
}

// Derive returns the P2WPKH address of branch and index below an account's
// extended public key. Errors wrap ErrKey; private keys are refused, so that
// none is ever passed here by mistake.
func (p Params) Derive(xpub string, branch, index uint32) (string, error) {
	if branch >= hdkeychain.HardenedKeyStart || index >= hdkeychain.HardenedKeyStart {
		return "", fmt.Errorf("derive %d/%d: %w: hardened", branch, index, ErrKey)
	}
	key, err := hdkeychain.NewKeyFromString(xpub)
	if err != nil {
		return "", fmt.Errorf("read extended key: %w: %w", ErrKey, err)
	}
	if key.IsPrivate() || [4]byte(key.Version()) != p.HDPublicID {
		return "", fmt.Errorf("read extended key: %w", ErrKey)
	}
	for _, step := range []uint32{branch, index} {
		if key, err = key.Derive(step); err != nil {
			return "", fmt.Errorf("derive %d/%d: %w", branch, index, err)
		}
	}
	public, err := key.ECPubKey()
	if err != nil {
		return "", fmt.Errorf("derive %d/%d: %w", branch, index, err)
	}
	return p.KeyAddress(public.SerializeCompressed())
}

func doubleSHA256(b []byte) [sha256.Size]byte {
	first := sha256.Sum256(b)
	return sha256.Sum256(first[:])
}
