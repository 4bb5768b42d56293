package consent

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/treasury/intent"
)

const (
	addressBytes    = 20
	walletSignature = 65
	word            = 32
	typedName       = "Strongroom"
	typedVersion    = "1"
	domainType      = "EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)"
	approvalType    = "Approval(bytes32 intent,string action,string summary,bool approve,string person,uint256 at,string reason)"
	freezeType      = "Freeze(string environment,string person,uint256 at,string reason)"
	// mainnet is the chain that a wallet is shown where no EVM chain is meant: each knows it.
	mainnet = 1
)

// field is one member of a struct of EIP-712: its name, type, value for JSON, and the word
// that stands for it.
type field struct {
	name, kind string
	value      any
	word       [word]byte
}

func textField(name, value string) field {
	return field{name, "string", value, keccak([]byte(value))}
}

func numberField(name string, value uint64) field {
	f := field{name: name, kind: "uint256", value: strconv.FormatUint(value, 10)}
	new(big.Int).SetUint64(value).FillBytes(f.word[:])
	return f
}

func bytesField(name string, value [word]byte) field {
	return field{name, "bytes32", fmt.Sprintf("0x%x", value), value}
}

func boolField(name string, value bool) field {
	f := field{name: name, kind: "bool", value: value}
	if value {
		f.word[word-1] = 1
	}
	return f
}

func keccak(parts ...[]byte) [word]byte { return [word]byte(crypto.Keccak256(parts...)) }

// typed is a message of EIP-712.
type typed struct {
	domain, fields   []field
	primary, pattern string
}

func newTyped(environment string, chain uint64, pattern, primary string, fields ...field) *typed {
	return &typed{
		domain: []field{
			textField("name", typedName), textField("version", typedVersion),
			numberField("chainId", chain), bytesField("salt", sha256.Sum256([]byte(environment))),
		},
		fields: fields, primary: primary, pattern: pattern,
	}
}

func structHash(pattern string, fields []field) [word]byte {
	of := keccak([]byte(pattern))
	words := append(make([]byte, 0, word*(len(fields)+1)), of[:]...)
	for at := range fields {
		words = append(words, fields[at].word[:]...)
	}
	return keccak(words)
}

// hash is what the wallet signs.
func (t *typed) hash() [word]byte {
	domain, message := structHash(domainType, t.domain), structHash(t.pattern, t.fields)
	return keccak([]byte{0x19, 0x01}, domain[:], message[:])
}

// json is what eth_signTypedData_v4 takes.
func (t *typed) json() ([]byte, error) {
	type member struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	list := func(fields []field) (types []member, values map[string]any) {
		values = map[string]any{}
		for _, f := range fields {
			types = append(types, member{f.name, f.kind})
			values[f.name] = f.value
		}
		return types, values
	}
	domainTypes, domain := list(t.domain)
	types, message := list(t.fields)
	text, err := json.Marshal(map[string]any{
		"types":       map[string]any{"EIP712Domain": domainTypes, t.primary: types},
		"primaryType": t.primary, "domain": domain, "message": message,
	})
	if err != nil {
		return nil, fmt.Errorf("write typed data: %w", err)
	}
	return text, nil
}

// Summary says an intent in one sentence that a hardware wallet can show.
func Summary(i *intent.Intent) string {
	var text string
	switch {
	case i.Action.Moves():
		text = fmt.Sprintf("%s %s: %s base units of %s", i.Action, i.ID, i.Amount, i.Asset)
		if i.Contract != "" {
			text += " (contract " + i.Contract + ")"
		}
		if i.Vault != "" {
			text += " from " + i.Vault
		}
		text += fmt.Sprintf(" on %s to %s, network fee at most %s", i.Chain, i.To, i.MaxFee)
	default:
		text = fmt.Sprintf("%s %s: document %s", i.Action, i.ID, i.Document)
	}
	text += "; asked for by " + i.Requester
	if i.Reason != "" {
		text += ": " + i.Reason
	}
	return text
}

// typedApproval is the message for an approval. The chain is that of the intent where it
// is an EVM chain, else the main network.
func typedApproval(i *intent.Intent, h intent.Hash, a *Approval) *typed {
	chain, err := strconv.ParseUint(i.Genesis, 10, 64)
	if err != nil || chain == 0 {
		chain = mainnet
	}
	return newTyped(i.Environment, chain, approvalType, "Approval",
		bytesField("intent", h), textField("action", string(i.Action)), textField("summary", Summary(i)),
		boolField("approve", a.Verdict == Approve), textField("person", a.Person),
		numberField("at", uint64(max(a.At, 0))), textField("reason", a.Reason))
}

// TypedHash is what a hardware wallet signs for an approval: the EIP-712 hash. Only
// Verdict, Person, At and Reason of a are read. Errors: intent.ErrInvalid.
func TypedHash(i *intent.Intent, a *Approval) ([32]byte, error) {
	h, err := i.Hash()
	if err != nil {
		return [32]byte{}, err
	}
	return typedApproval(i, h, a).hash(), nil
}

// TypedData is the same as JSON, for eth_signTypedData_v4. Errors: intent.ErrInvalid.
func TypedData(i *intent.Intent, a *Approval) ([]byte, error) {
	h, err := i.Hash()
	if err != nil {
		return nil, err
	}
	return typedApproval(i, h, a).json()
}

var errWallet = errors.New("it is not 65 bytes r, s, v with v of 27 or 28 and s in the lower half")

// recoverWallet returns the address that signed.
func recoverWallet(hash [word]byte, signature []byte) ([addressBytes]byte, error) {
	if len(signature) != walletSignature || signature[64] != 27 && signature[64] != 28 {
		return [addressBytes]byte{}, errWallet
	}
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:64])
	v := signature[64] - 27
	if !crypto.ValidateSignatureValues(v, r, s, true) {
		return [addressBytes]byte{}, errWallet
	}
	plain := append(append(make([]byte, 0, walletSignature), signature[:64]...), v)
	public, err := crypto.SigToPub(hash[:], plain)
	if err != nil {
		return [addressBytes]byte{}, errWallet
	}
	return crypto.PubkeyToAddress(*public), nil
}
