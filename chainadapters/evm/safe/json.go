package safe

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
)

// kind says of a file what it is.
const kind = "safe"

// MaxFile bounds a file, in bytes.
const MaxFile = 4*MaxData + 64<<10

const maxDigits = 78 // of a number of 256 bits

// fileJSON is how a file is written. Numbers that may be large are texts; addresses have
// their checksum (EIP-55).
type fileJSON struct {
	Kind           string          `json:"kind"`
	Version        string          `json:"version"`
	ChainID        uint64          `json:"chainId"`
	Safe           string          `json:"safe"`
	Threshold      int             `json:"threshold"`
	Owners         []string        `json:"owners"`
	Nonce          uint64          `json:"nonce"`
	To             string          `json:"to"`
	Value          string          `json:"value"`
	Data           string          `json:"data"`
	Operation      uint8           `json:"operation"`
	SafeTxGas      string          `json:"safeTxGas"`
	BaseGas        string          `json:"baseGas"`
	GasPrice       string          `json:"gasPrice"`
	GasToken       string          `json:"gasToken"`
	RefundReceiver string          `json:"refundReceiver"`
	SafeTxHash     string          `json:"safeTxHash"`
	Signatures     []signatureJSON `json:"signatures"`
}

type signatureJSON struct {
	Owner     string `json:"owner"`
	Signature string `json:"signature"`
}

// Encode is the file's text: JSON in the one form that ParseFile takes, up to white space.
// The file passes Check.
func (f File) Encode() []byte {
	v, t := f.Vault, f.Tx
	out := fileJSON{
		Kind: kind, Version: v.Version, ChainID: v.ChainID, Safe: v.Address.Hex(), Threshold: v.Threshold, Owners: []string{},
		Nonce: t.Nonce, To: t.To.Hex(), Value: decimal(t.Value), Data: "0x" + hex.EncodeToString(t.Data), Operation: t.Operation,
		SafeTxGas: decimal(t.SafeTxGas), BaseGas: decimal(t.BaseGas), GasPrice: decimal(t.GasPrice),
		GasToken: t.GasToken.Hex(), RefundReceiver: t.RefundReceiver.Hex(), SafeTxHash: f.Hash().Hex(), Signatures: []signatureJSON{},
	}
	for _, owner := range v.Owners {
		out.Owners = append(out.Owners, owner.Hex())
	}
	for _, s := range f.Signatures {
		out.Signatures = append(out.Signatures, signatureJSON{s.Owner.Hex(), "0x" + hex.EncodeToString(s.Bytes[:])})
	}
	text, _ := json.MarshalIndent(out, "", "  ") // texts and numbers: nothing in it can fail
	return append(text, '\n')
}

func decimal(n *big.Int) string {
	if n == nil {
		return "0"
	}
	return n.String()
}

// ParseFile reads a file and derives again all that it says: the hash, and who signed. It
// takes the one form that Encode writes, up to white space. It does not say whether the
// vault is one's own (its threshold and owners are in nothing that is signed) or whether
// anybody should sign: compare Vault, and Decode. Errors:
// ErrFile, ErrVault, ErrRefused, ErrSignature.
func ParseFile(text []byte) (File, error) {
	if len(text) > MaxFile {
		return File{}, fmt.Errorf("%w: %d bytes, at most %d", ErrFile, len(text), MaxFile)
	}
	in, err := readJSON(text)
	if err != nil {
		return File{}, err
	}
	f, err := in.file()
	if err != nil {
		return File{}, err
	}
	if err := f.Check(); err != nil {
		return File{}, err
	}
	if in.SafeTxHash != f.Hash().Hex() {
		return File{}, fmt.Errorf("%w: it says hash %.70q, and its transaction has %s", ErrFile, in.SafeTxHash, f.Hash())
	}
	var given, own bytes.Buffer
	if err := json.Compact(&given, text); err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if err := json.Compact(&own, f.Encode()); err != nil {
		return File{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if !bytes.Equal(given.Bytes(), own.Bytes()) {
		return File{}, fmt.Errorf("%w: members are doubled, out of order, or otherwise spelled", ErrFile)
	}
	return f, nil
}

func readJSON(text []byte) (fileJSON, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var in fileJSON
	if err := decoder.Decode(&in); err != nil {
		return fileJSON{}, fmt.Errorf("%w: %w", ErrFile, err)
	}
	switch {
	case in.Kind != kind:
		return fileJSON{}, fmt.Errorf("%w: kind %.20q is not %q", ErrFile, in.Kind, kind)
	case len(in.Owners) > MaxOwners || len(in.Signatures) > MaxOwners:
		return fileJSON{}, fmt.Errorf("%w: %d owners and %d signatures, at most %d", ErrFile, len(in.Owners), len(in.Signatures), MaxOwners)
	}
	return in, nil
}

// fieldReader reads members until one is wrong.
type fieldReader struct{ err error }

func (r *fieldReader) fail(name, text string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s: %.60q", ErrFile, name, text)
	}
}

func (r *fieldReader) address(name, text string) common.Address {
	a := common.HexToAddress(text)
	if a.Hex() != text {
		r.fail(name+" is not an address with its checksum", text)
	}
	return a
}

func (r *fieldReader) number(name, text string) *big.Int {
	n, ok := new(big.Int), len(text) <= maxDigits
	if ok {
		n, ok = n.SetString(text, 10)
	}
	if !ok || n.String() != text || n.Sign() < 0 {
		r.fail(name+" is not a number", text)
		return new(big.Int)
	}
	return n
}

func (r *fieldReader) bytes(name, text string) []byte {
	digits, has := strings.CutPrefix(text, "0x")
	b, err := hex.DecodeString(digits)
	if !has || err != nil {
		r.fail(name+" is not hexadecimal", text)
	}
	return b
}

func (in fileJSON) file() (File, error) {
	var r fieldReader
	v := Vault{ChainID: in.ChainID, Address: r.address("safe", in.Safe), Version: in.Version, Threshold: in.Threshold}
	for _, owner := range in.Owners {
		v.Owners = append(v.Owners, r.address("owners", owner))
	}
	t := Tx{
		To: r.address("to", in.To), Value: r.number("value", in.Value), Data: r.bytes("data", in.Data), Operation: in.Operation,
		SafeTxGas: r.number("safeTxGas", in.SafeTxGas), BaseGas: r.number("baseGas", in.BaseGas), GasPrice: r.number("gasPrice", in.GasPrice),
		GasToken: r.address("gasToken", in.GasToken), RefundReceiver: r.address("refundReceiver", in.RefundReceiver), Nonce: in.Nonce,
	}
	var signatures []Signature
	for _, s := range in.Signatures {
		raw := r.bytes("signature", s.Signature)
		if len(raw) != SignatureBytes {
			r.fail("signature has another length", s.Signature)
			break
		}
		signatures = append(signatures, Signature{r.address("owner", s.Owner), [SignatureBytes]byte(raw)})
	}
	if r.err != nil {
		return File{}, r.err
	}
	return File{Vault: v, Tx: t, Signatures: signatures}, nil
}
