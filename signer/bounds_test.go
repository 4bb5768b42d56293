package signer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/money"
)

// wantBound: with n = 0 something is exactly at its bound and passes, with 1 it is
// beyond and wraps the error.
func wantBound(t *testing.T, name string, beyond error, try func(n int) error) {
	t.Helper()
	if err := try(0); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if err := try(1); !errors.Is(err, beyond) {
		t.Errorf("%s, one beyond: got %v, want %v", name, err, beyond)
	}
}

func TestBoundsOfARequest(t *testing.T) {
	for name, at := range map[string]func(req *signerv1.SignRequest, n int){
		"128 KiB of transaction": func(req *signerv1.SignRequest, n int) { req.UnsignedTx = make([]byte, 128<<10+n) },
		"a transaction":          func(req *signerv1.SignRequest, n int) { req.UnsignedTx = req.UnsignedTx[:1-n] },
		"an intent": func(req *signerv1.SignRequest, n int) {
			if n > 0 {
				req.Intent = nil
			}
		},
		"256 inputs": func(req *signerv1.SignRequest, n int) { req.InputPaths = fill(256+n, wirePath(hotPath)) },
		"an input path": func(req *signerv1.SignRequest, n int) {
			req.InputPaths = []*signerv1.KeyPath{wirePath(hotPath), nil}[:1+n]
		},
		"128 bytes of address":  func(req *signerv1.SignRequest, n int) { req.Intent.To = strings.Repeat("a", 128+n) },
		"an address":            func(req *signerv1.SignRequest, n int) { req.Intent.To = req.Intent.To[:1-n] },
		"128 bytes of contract": func(req *signerv1.SignRequest, n int) { req.Intent.Contract = strings.Repeat("a", 128+n) },
		"68 bytes of id":        func(req *signerv1.SignRequest, n int) { req.Intent.Id = "wdr_" + strings.Repeat("a", 64+n) },
		"an amount":             func(req *signerv1.SignRequest, n int) { req.Intent.Amount = strconv.Itoa(1 - n) },
		"a max_fee":             func(req *signerv1.SignRequest, n int) { req.MaxFee = "0x"[:1+n] },
		"no path of an outsider": func(req *signerv1.SignRequest, n int) {
			req.Intent.ToPath = []*signerv1.KeyPath{nil, wirePath(hotPath)}[n]
		},
		"16 approvals":                func(req *signerv1.SignRequest, n int) { req.Approvals = fill(16+n, &signerv1.Approval{}) },
		"128 bytes of policy":         func(req *signerv1.SignRequest, n int) { req.PolicyVersion = strings.Repeat("p", 128+n) },
		"128 bytes of approver":       func(req *signerv1.SignRequest, n int) { approve(req).Approver = strings.Repeat("a", 128+n) },
		"128 bytes of scheme":         func(req *signerv1.SignRequest, n int) { approve(req).Scheme = strings.Repeat("a", 128+n) },
		"128 bytes of key":            func(req *signerv1.SignRequest, n int) { approve(req).Key = strings.Repeat("a", 128+n) },
		"128 bytes of verdict":        func(req *signerv1.SignRequest, n int) { approve(req).Verdict = strings.Repeat("a", 128+n) },
		"512 bytes of reason":         func(req *signerv1.SignRequest, n int) { approve(req).Reason = strings.Repeat("a", 512+n) },
		"8 KiB of intent's text":      func(req *signerv1.SignRequest, n int) { req.IntentText = make([]byte, 8<<10+n) },
		"8 KiB of approval":           func(req *signerv1.SignRequest, n int) { approve(req).Payload = make([]byte, 8<<10+n) },
		"8 KiB of approval's sign":    func(req *signerv1.SignRequest, n int) { approve(req).Signature = make([]byte, 8<<10+n) },
		"a kind":                      func(req *signerv1.SignRequest, n int) { req.Intent.Kind *= signerv1.IntentKind(1 - n) },
		"fields of the request":       func(req *signerv1.SignRequest, n int) { unknownField(req, n) },
		"fields of its intent":        func(req *signerv1.SignRequest, n int) { unknownField(req.Intent, n) },
		"fields of its path":          func(req *signerv1.SignRequest, n int) { unknownField(req.FromPath, n) },
		"fields of the last approval": func(req *signerv1.SignRequest, n int) { approve(req); unknownField(approve(req), n) },
		"fields of an approval": func(req *signerv1.SignRequest, n int) {
			unknownField(approve(req), n)
			approve(req)
		},
	} {
		wantBound(t, name, ErrInvalid, func(n int) error {
			req := ethWithdrawal(t, "wdr_1", 0, 5)
			at(req, n)
			_, err := parseRequest(req)
			return err
		})
	}
}

func fill[T any](n int, with T) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = with
	}
	return all
}

func approve(req *signerv1.SignRequest) *signerv1.Approval {
	req.Approvals = append(req.Approvals, &signerv1.Approval{})
	return req.Approvals[len(req.Approvals)-1]
}

// unknownField adds n fields that this program does not know.
func unknownField(m proto.Message, n int) {
	var raw protoreflect.RawFields
	for range n {
		raw = protowire.AppendVarint(protowire.AppendTag(raw, 900, protowire.VarintType), 1)
	}
	m.ProtoReflect().SetUnknown(raw)
}

func TestBytesOfIntentIDs(t *testing.T) {
	for c := range 256 {
		id := "wdr_" + string([]byte{byte(c)})
		want := strings.IndexByte("0123456789abcdefghijklmnopqrstuvwxyz", byte(c)) >= 0
		if validID("wdr", id) != want {
			t.Errorf("%q: %v", id, !want)
		}
	}
}

func TestBoundsOfAPolicy(t *testing.T) {
	for name, at := range map[string]func(p *Policy, n int){
		"a chain":   func(p *Policy, n int) { p.Chains, p.Assets = p.Chains[:1-n], nil },
		"64 chains": func(p *Policy, n int) { p.Chains = manyChains(64 + n); p.Assets = nil },
		"1,024 assets": func(p *Policy, n int) {
			p.Assets = nil
			for i := range 1024 + n {
				p.Assets = append(p.Assets, Asset{Code: fmt.Sprintf("A%d", i), Chain: evmName, Contract: fmt.Sprintf("0x%040x", i+1)})
			}
		},
		"63 bytes of chain name":       func(p *Policy, n int) { p.Chains[0].Name = strings.Repeat("a", 63+n); p.Assets = nil },
		"16 bytes of asset code":       func(p *Policy, n int) { p.Assets[0].Code = strings.Repeat("A", 16+n) },
		"chains that differ":           func(p *Policy, n int) { p.Chains[0].Name, p.Assets = []string{"x", btcName}[n], nil },
		"contracts that differ":        func(p *Policy, n int) { p.Assets[0].Contract = []string{"", common.HexToAddress(tokenHex).Hex()}[n] },
		"no network of an EVM chain":   func(p *Policy, n int) { p.Chains[0].Network = []string{"", "regtest"}[n] },
		"no chain id of Bitcoin":       func(p *Policy, n int) { p.Chains[1].ChainID = uint64(n) },
		"gas of the native asset":      func(p *Policy, n int) { p.Assets[n].GasTopUp.PerTransaction = units(1) },
		"an hour of ceilings that fit": func(p *Policy, n int) { p.Chains[0].FeeCeiling, p.Chains[0].FeePerDay = share(t, 100, n), units(1) },
		"a day of ceilings that fit":   func(p *Policy, n int) { p.Chains[0].FeeCeiling, p.Chains[0].FeePerHour = share(t, 500, n), units(1) },
	} {
		wantBound(t, name, ErrPolicy, func(n int) error {
			p := testPolicy()
			at(&p, n)
			return p.check()
		})
	}
	wantBound(t, "1 MiB of policy", ErrPolicy, func(n int) error {
		raw, err := json.Marshal(testPolicy())
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParsePolicy(append(raw, strings.Repeat(" ", 1<<20+n-len(raw))...))
		return err
	})
}

func manyChains(n int) (chains []Chain) {
	for i := range n {
		chains = append(chains, Chain{Name: fmt.Sprintf("c%d", i), Family: familyEVM, ChainID: 1, FeeCeiling: units(1)})
	}
	return chains
}

// share is a part of the largest amount, and more.
func share(t *testing.T, parts, more int) money.Units {
	t.Helper()
	n := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	u, err := money.FromBig(n.Div(n, big.NewInt(int64(parts))).Add(n, big.NewInt(int64(more))))
	if err != nil {
		t.Fatal(err)
	}
	return u
}
