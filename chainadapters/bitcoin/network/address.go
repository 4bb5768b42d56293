package network

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/btcsuite/btcd/address/v2/base58"
	"github.com/btcsuite/btcd/address/v2/bech32"
)

// Sizes and opcodes of the standard output scripts.
const (
	hashSize        = 20
	longHashSize    = 32
	minProgram      = 2
	maxProgram      = 40
	maxWitnessVer   = 16
	maxAddressChars = 90 // BIP 173
	checksumSize    = 4
	opDup           = 0x76
	opHash160       = 0xa9
	opEqual         = 0x87
	opEqualVerify   = 0x88
	opCheckSig      = 0xac
	opOne           = 0x51 // OP_1; OP_n is opOne+n-1
)

// Parse returns the canonical form of an address: witness addresses in lower
// case, others as they are. Errors wrap ErrAddress and say what is wrong.
func (p Params) Parse(s string) (string, error) {
	script, err := p.Script(s)
	if err != nil {
		return "", err
	}
	canonical, ok := p.Address(script)
	if !ok {
		return "", fmt.Errorf("%w: no standard script", ErrAddress)
	}
	return canonical, nil
}

// Script returns the output script that pays to an address. Errors wrap
// ErrAddress and say what is wrong.
func (p Params) Script(s string) ([]byte, error) {
	if s == "" || len(s) > maxAddressChars {
		return nil, fmt.Errorf("%w: %d characters", ErrAddress, len(s))
	}
	// A separator after a known-looking prefix decides the grammar; base58 has
	// letters of both cases and never the digit 0, which every HRP1 string may.
	if i := strings.LastIndexByte(s, '1'); i > 0 && strings.EqualFold(s[:i], p.HRP) {
		return p.witnessAddressScript(s)
	}
	return p.base58Script(s)
}

func (p Params) witnessAddressScript(s string) ([]byte, error) {
	hrp, data, variant, err := bech32.DecodeGeneric(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if hrp != p.HRP || len(data) < 1 {
		return nil, fmt.Errorf("%w: no witness program", ErrAddress)
	}
	version := data[0]
	program, err := bech32.ConvertBits(data[1:], 5, 8, false)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAddress, err)
	}
	if err := checkProgram(version, len(program), variant == bech32.Version0); err != nil {
		return nil, err
	}
	return witnessScript(version, program), nil
}

// checkProgram says whether rules exist for a witness program of this version
// and length, and whether its checksum is of the kind that belongs to it.
func checkProgram(version byte, length int, plainChecksum bool) error {
	switch {
	case version > maxWitnessVer, length < minProgram, length > maxProgram:
		return fmt.Errorf("%w: witness program of version %d with %d bytes", ErrAddress, version, length)
	case version == 0 && length != hashSize && length != longHashSize:
		return fmt.Errorf("%w: witness program of %d bytes", ErrAddress, length)
	case version == 1 && length != longHashSize:
		// Other version 1 programs (pay to anchor) are spendable by anyone.
		return fmt.Errorf("%w: witness program of version 1 with %d bytes", ErrAddress, length)
	case version > 1:
		// Rules for these versions do not exist yet: whatever is sent there can
		// be taken by any miner.
		return fmt.Errorf("%w: witness version %d has no rules yet", ErrAddress, version)
	case (version == 0) != plainChecksum:
		return fmt.Errorf("%w: checksum of the wrong kind (BIP 350)", ErrAddress)
	}
	return nil
}

func (p Params) base58Script(s string) ([]byte, error) {
	raw := base58.Decode(s)
	if len(raw) != 1+hashSize+checksumSize {
		return nil, fmt.Errorf("%w: neither %s1… nor base58check", ErrAddress, p.HRP)
	}
	body, checksum := raw[:1+hashSize], raw[1+hashSize:]
	if sum := doubleSHA256(body); !bytes.Equal(sum[:checksumSize], checksum) {
		return nil, fmt.Errorf("%w: checksum does not match", ErrAddress)
	}
	switch {
	case body[0] == p.PubKeyHashID:
		return keyHashScript(body[1:]), nil
	case slices.Contains(p.ScriptHashIDs, body[0]):
		return scriptHashScript(body[1:]), nil
	}
	return nil, fmt.Errorf("%w: version %#02x belongs elsewhere", ErrAddress, body[0])
}

// Address returns the address of an output script, and whether it has one:
// P2PKH, P2SH, P2WPKH, P2WSH and P2TR do.
func (p Params) Address(script []byte) (string, bool) {
	switch n := len(script); {
	case n == 25 && bytes.Equal(script, keyHashScript(script[3:23])):
		return base58Address(p.PubKeyHashID, script[3:23]), true
	case n == 23 && len(p.ScriptHashIDs) > 0 && bytes.Equal(script, scriptHashScript(script[2:22])):
		return base58Address(p.ScriptHashIDs[0], script[2:22]), true
	case (n == 2+hashSize || n == 2+longHashSize) && bytes.Equal(script, witnessScript(0, script[2:])),
		n == 2+longHashSize && bytes.Equal(script, witnessScript(1, script[2:])):
		s, err := p.encodeWitness(witnessVersion(script[0]), script[2:])
		return s, err == nil
	}
	return "", false
}

func (p Params) encodeWitness(version byte, program []byte) (string, error) {
	data, err := bech32.ConvertBits(program, 8, 5, true)
	if err != nil {
		return "", fmt.Errorf("encode witness program: %w", err)
	}
	encode := bech32.EncodeM
	if version == 0 {
		encode = bech32.Encode
	}
	s, err := encode(p.HRP, append([]byte{version}, data...))
	if err != nil {
		return "", fmt.Errorf("encode witness address: %w", err)
	}
	return s, nil
}

func base58Address(version byte, hash []byte) string {
	body := append([]byte{version}, hash...)
	sum := doubleSHA256(body)
	return base58.Encode(append(body, sum[:checksumSize]...))
}

func keyHashScript(hash []byte) []byte {
	return slices.Concat([]byte{opDup, opHash160, hashSize}, hash, []byte{opEqualVerify, opCheckSig})
}

func scriptHashScript(hash []byte) []byte {
	return slices.Concat([]byte{opHash160, hashSize}, hash, []byte{opEqual})
}

func witnessScript(version byte, program []byte) []byte {
	opcode := version
	if version > 0 {
		opcode = opOne + version - 1
	}
	return append([]byte{opcode, byte(len(program))}, program...) //nolint:gosec // at most maxProgram
}

func witnessVersion(opcode byte) byte {
	if opcode == 0 {
		return 0
	}
	return opcode - opOne + 1
}
