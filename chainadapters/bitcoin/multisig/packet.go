package multisig

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"
)

// Field types (BIP 174) that a vault's PSBT has.
const (
	globalTx         = 0x00
	inPrevious       = 0x00
	inWitnessUTXO    = 0x01
	inSignature      = 0x02
	inSighash        = 0x03
	inWitnessScript  = 0x05
	inDerivation     = 0x06
	outWitnessScript = 0x01
	outDerivation    = 0x02
)

const magic = "psbt\xff"

// field is a key with its type, and a value.
type field struct{ key, value []byte }

// Decode returns the bytes of a PSBT in a file, which holds them as they are or in
// base 64. Errors wrap ErrPSBT.
func Decode(file []byte) ([]byte, error) {
	if len(file) > 2*MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrPSBT, len(file), MaxBytes)
	}
	if bytes.HasPrefix(file, []byte(magic)) {
		return file, nil
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSpace(file)))
	if err != nil || !bytes.HasPrefix(raw, []byte(magic)) {
		return nil, fmt.Errorf("%w: neither the bytes nor the base 64 of one", ErrPSBT)
	}
	return raw, nil
}

// Encode returns a PSBT in base 64, as other programs take it.
func Encode(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

// parse reads a PSBT that has the fields of a vault's and no other: what nobody
// understood could mean something to somebody else.
func parse(raw []byte) (*psbt.Packet, error) {
	fields, err := scan(raw)
	if err != nil {
		return nil, err
	}
	packet, err := psbt.NewFromRawBytes(bytes.NewReader(raw), false)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPSBT, err)
	}
	again, err := encode(packet)
	if err != nil {
		return nil, err
	}
	understood, err := scan(again)
	if err != nil {
		return nil, err
	}
	// Built anew from what was understood: what was lost makes a difference.
	if !slices.EqualFunc(fields, understood, sameMap) {
		return nil, fmt.Errorf("%w: a field is not in canonical form", ErrPSBT)
	}
	return packet, nil
}

func sameMap(a, b []field) bool {
	return slices.EqualFunc(a, b, func(x, y field) bool {
		return bytes.Equal(x.key, y.key) && bytes.Equal(x.value, y.value)
	})
}

func encode(packet *psbt.Packet) ([]byte, error) {
	var b bytes.Buffer
	if err := packet.Serialize(&b); err != nil {
		return nil, fmt.Errorf("encode PSBT: %w: %w", ErrPSBT, err)
	}
	return b.Bytes(), nil
}

// scan reads the maps of a PSBT (global, inputs, outputs), each in the order of its
// keys, and makes sure that nothing else is there.
func scan(raw []byte) ([][]field, error) {
	rest, found := bytes.CutPrefix(raw, []byte(magic))
	if !found || len(raw) > MaxBytes {
		return nil, fmt.Errorf("%w: no PSBT of version 0, or of %d bytes where %d are the most", ErrPSBT, len(raw), MaxBytes)
	}
	r := bytes.NewReader(rest)
	global, tx, err := scanGlobal(r)
	if err != nil {
		return nil, err
	}
	maps := [][]field{global}
	for i := range len(tx.TxIn) + len(tx.TxOut) {
		name, known := fmt.Sprintf("input %d", i), knownInput
		if i >= len(tx.TxIn) {
			name, known = fmt.Sprintf("output %d", i-len(tx.TxIn)), knownOutput
		}
		fields, err := scanMap(r, name, known)
		if err != nil {
			return nil, err
		}
		maps = append(maps, fields)
	}
	if r.Len() != 0 {
		return nil, fmt.Errorf("%w: %d bytes after its end", ErrPSBT, r.Len())
	}
	return maps, nil
}

// scanGlobal reads the global map, which has the transaction and nothing else.
func scanGlobal(r *bytes.Reader) ([]field, *wire.MsgTx, error) {
	global, err := scanMap(r, "global", func(key []byte) bool { return len(key) == 1 && key[0] == globalTx })
	if err != nil {
		return nil, nil, err
	}
	if len(global) != 1 {
		return nil, nil, fmt.Errorf("%w: without a transaction", ErrPSBT)
	}
	tx := wire.NewMsgTx(txVersion)
	if err := tx.DeserializeNoWitness(bytes.NewReader(global[0].value)); err != nil {
		return nil, nil, fmt.Errorf("%w: transaction: %w", ErrPSBT, err)
	}
	if len(tx.TxIn) == 0 || len(tx.TxIn) > MaxInputs || len(tx.TxOut) == 0 || len(tx.TxOut) > MaxOutputs {
		return nil, nil, fmt.Errorf("%w: %d inputs and %d outputs, at most %d and %d", ErrPSBT, len(tx.TxIn), len(tx.TxOut), MaxInputs, MaxOutputs)
	}
	return global, tx, nil
}

func knownInput(key []byte) bool {
	switch key[0] {
	case inPrevious, inWitnessUTXO, inSighash, inWitnessScript:
		return len(key) == 1
	case inSignature, inDerivation:
		return len(key) == 1+publicKeyBytes
	}
	return false
}

func knownOutput(key []byte) bool {
	switch key[0] {
	case outWitnessScript:
		return len(key) == 1
	case outDerivation:
		return len(key) == 1+publicKeyBytes
	}
	return false
}

// maxFields bounds a map: each cosigner's signature and path, and the rest.
const maxFields = 2*MaxKeys + 8

func scanMap(r *bytes.Reader, name string, known func(key []byte) bool) ([]field, error) {
	var fields []field
	for range maxFields {
		key, err := readBytes(r)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrPSBT, name, err)
		}
		if len(key) == 0 {
			slices.SortFunc(fields, func(a, b field) int { return bytes.Compare(a.key, b.key) })
			for i := 1; i < len(fields); i++ {
				if bytes.Equal(fields[i-1].key, fields[i].key) {
					return nil, fmt.Errorf("%w: %s: field %x is there twice", ErrPSBT, name, fields[i].key)
				}
			}
			return fields, nil
		}
		if !known(key) {
			return nil, fmt.Errorf("%w: %s: has field %.80x, which no PSBT of a vault has", ErrPSBT, name, key)
		}
		value, err := readBytes(r)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrPSBT, name, err)
		}
		fields = append(fields, field{key, value})
	}
	return nil, fmt.Errorf("%w: %s: more than %d fields", ErrPSBT, name, maxFields)
}

// readBytes reads a length and as many bytes.
func readBytes(r *bytes.Reader) ([]byte, error) {
	length, err := wire.ReadVarInt(r, 0)
	if err != nil {
		return nil, fmt.Errorf("read length: %w", err)
	}
	if length > uint64(r.Len()) { //nolint:gosec // never negative
		return nil, fmt.Errorf("ends within a field of %d bytes", length)
	}
	b := make([]byte, length)
	if _, err := r.Read(b); err != nil && length > 0 {
		return nil, fmt.Errorf("read field: %w", err)
	}
	return b, nil
}
