package nodes

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters/bitcoin/network"
	"strongroom/chainadapters/chaintest"
)

func upper(s string) string { return strings.ToUpper(s) }

// flipLast changes the last character to another of both alphabets.
func flipLast(s string) string {
	last := byte('q')
	if s[len(s)-1] == last {
		last = 'p'
	}
	return s[:len(s)-1] + string(last)
}

func decodeBlock(result json.RawMessage) (*wire.MsgBlock, error) {
	var text string
	if err := json.Unmarshal(result, &text); err != nil {
		return nil, fmt.Errorf("read text: %w", err)
	}
	var block wire.MsgBlock
	if err := block.Deserialize(hex.NewDecoder(strings.NewReader(text))); err != nil {
		return nil, fmt.Errorf("read block: %w", err)
	}
	return &block, nil
}

func encodeBlock(block *wire.MsgBlock) string {
	var raw bytes.Buffer
	if err := block.Serialize(&raw); err != nil {
		panic(err)
	}
	return hex.EncodeToString(raw.Bytes())
}

// bip84Account is account 0 of BIP 84's own vector (abandon … about), with the
// version of test networks in place of zpub.
const bip84Account = "tpubDCxX2sYFS5bDkSe5GKKYHjBW7tgyN1R3UchpLJvdbf54ohxeGRtd8MbDUe1cguVHe4vnK68DsuD5MXjxi9EXx16rb9EnNsaF5KT99CinaJz"

// Addresses gives examples of known origin: BIP 84 and BIP 173/350 vectors
// carried over to the network's prefix, and keys of these tests.
func (h *Coin) Addresses() chaintest.AddressCases {
	witnessKey, _ := h.params.KeyAddress(keyOf(7).PubKey().SerializeCompressed())
	taproot, _ := h.params.Address(append([]byte{0x51, 0x20}, keyOf(7).PubKey().SerializeCompressed()[1:]...))
	scriptHash, _ := h.params.Address(mustHex("a914" + "89abcdefabbaabbaabbaabbaabbaabbaabbaabba" + "87"))
	keyHash, _ := h.params.Address(mustHex("76a914" + "89abcdefabbaabbaabbaabbaabbaabbaabbaabba" + "88ac"))
	longWitness, _ := h.params.Address(mustHex("0020" + "1863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"))
	return chaintest.AddressCases{
		Valid: map[string]string{
			witnessKey: witnessKey, upper(witnessKey): witnessKey, taproot: taproot,
			scriptHash: scriptHash, keyHash: keyHash, longWitness: longWitness,
		},
		Invalid: []string{
			witnessKey[:len(witnessKey)-1], witnessKey + "q", flipLast(witnessKey), flipLast(taproot), flipLast(keyHash),
			upper(witnessKey[:1]) + witnessKey[1:],       // mixed case
			"bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", // main network
			"tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", // test network
			"1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
			"0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
			" " + witnessKey, witnessKey + "\n", keyHash + " ",
		},
		Derived: []chaintest.Derived{
			// The account key of BIP 84's own vector, re-encoded for a test network.
			{XPub: bip84Account, Branch: 0, Index: 0, Address: h.carry("bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu")},
			{XPub: bip84Account, Branch: 0, Index: 1, Address: h.carry("bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g")},
			{XPub: bip84Account, Branch: 1, Index: 0, Address: h.carry("bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el")},
		},
	}
}

// carry writes an address of Bitcoin's main network with this network's prefix.
func (h *Coin) carry(main string) string {
	bitcoin, _ := network.ByName("main")
	script, err := bitcoin.Script(main)
	if err != nil {
		panic(err)
	}
	address, _ := h.params.Address(script)
	return address
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
