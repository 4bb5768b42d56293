package signer

import (
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	signerv1 "strongroom/internal/gen/signer/v1"
)

const (
	mutants      = 10_000
	mutantsShort = 1_000
)

// mutator changes something of a well-formed, already signed request.
type mutator func(r *rand.Rand, req *signerv1.SignRequest)

// Whoever owns the worker can change anything in a request. None of 10,000
// changed requests is signed, and none reaches the journal.
func TestNoMutantIsSigned(t *testing.T) {
	s := newSigner(t)
	all := everyKind(t, s)
	names := make([]string, 0, len(all))
	for name, req := range all {
		if _, err := s.Sign(req); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	entries := s.journal.head.seq
	r := rand.New(rand.NewPCG(1, 2))
	n := mutants
	if testing.Short() {
		n = mutantsShort
	}
	for i := range n {
		name := names[i%len(names)]
		mutant := mutate(t, r, s, all[name])
		if out, err := s.Sign(mutant); err == nil {
			t.Fatalf("mutant %d of %s was signed: %v\nanswer %v", i, name, mutant, out)
		}
	}
	if s.journal.head.seq != entries {
		t.Errorf("mutants left %d records", s.journal.head.seq-entries)
	}
}

// mutate applies one to three changes and makes sure that something changed.
func mutate(t *testing.T, r *rand.Rand, s *Signer, base *signerv1.SignRequest) *signerv1.SignRequest {
	t.Helper()
	family := evmMutators(t)
	if base.GetIntent().GetChain() == btcName {
		family = psbtMutators(t, s)
	}
	choices := slices.Concat(intentMutators(s), pathMutators(), byteMutators(), family)
	for {
		mutant := clone(base)
		for range 1 + r.IntN(3) {
			choices[r.IntN(len(choices))](r, mutant)
		}
		if !proto.Equal(mutant, base) {
			return mutant
		}
	}
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func intentMutators(s *Signer) []mutator {
	return []mutator{
		func(r *rand.Rand, q *signerv1.SignRequest) {
			// Not a fresh id of the same kind: with a nonce of its own that would be
			// another withdrawal, which only caps and approvals can tell.
			q.Intent.Id = pick(r, "dep_zz", "", "wdr_a1", "wdr_a5", "WDR_A1", "wdr_a1 ", "wdr_")
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.Intent.Kind = signerv1.IntentKind(r.IntN(6))
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.Intent.Chain = pick(r, evmName, btcName, "ethereum-main", "")
		},
		func(r *rand.Rand, q *signerv1.SignRequest) { q.Intent.Asset = pick(r, "ETH", "TUSD", "BTC", "XXX", "") },
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.Intent.Contract = pick(r, "", tokenHex, outsideEVM, "0x", "0x5FbDB2315678afecb367f032d93F642f64180aa3")
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.Intent.To = pick(r, "", outsideEVM, tokenHex, "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc",
				"bcrt1qcr8te4kr609gcawutmrza0j4xv80jy8zeqchgx", "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu")
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.Intent.Amount = pick(r, "0", "499", "501", "-500", "500.0", "0500", "", "5e2", "60001", "59999", "1"+q.Intent.Amount)
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.Intent.ToPath = pick(r, nil, wirePath(hotPath), wirePath(depositPath), wirePath(changePath))
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.MaxFee = pick(r, "", "0", "1", "-1", "1.5", "1e18", "1999")
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			m := pick[proto.Message](r, q, q.Intent).ProtoReflect()
			m.SetUnknown([]byte{0xf8, 0x07, 0x01}) // field 127
		},
	}
}

func pathMutators() []mutator {
	some := func(r *rand.Rand) *signerv1.KeyPath {
		return &signerv1.KeyPath{
			Account: uint32(r.IntN(4)), Branch: uint32(r.IntN(3)), Index: pick[uint32](r, 0, 1, 3, 7, 8, 1<<31, 1<<32-1),
		}
	}
	return []mutator{
		func(r *rand.Rand, q *signerv1.SignRequest) { q.FromPath = pick(r, nil, some(r)) },
		func(r *rand.Rand, q *signerv1.SignRequest) { q.ChangePath = pick(r, nil, some(r)) },
		func(r *rand.Rand, q *signerv1.SignRequest) {
			if n := len(q.InputPaths); n > 0 && r.IntN(2) == 0 {
				q.InputPaths[r.IntN(n)] = pick(r, nil, some(r))
				return
			}
			q.InputPaths = append(q.InputPaths, some(r))
		},
		func(_ *rand.Rand, q *signerv1.SignRequest) { q.InputPaths = nil },
	}
}

// byteMutators damage the unsigned transaction blindly.
func byteMutators() []mutator {
	return []mutator{
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.UnsignedTx[r.IntN(len(q.UnsignedTx))] ^= byte(1 << r.IntN(8))
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.UnsignedTx[r.IntN(len(q.UnsignedTx))] = byte(r.IntN(256))
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			at := r.IntN(len(q.UnsignedTx))
			q.UnsignedTx = slices.Insert(q.UnsignedTx, at, byte(r.IntN(256)))
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			if at := r.IntN(len(q.UnsignedTx)); len(q.UnsignedTx) > 1 {
				q.UnsignedTx = slices.Delete(q.UnsignedTx, at, at+1)
			}
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.UnsignedTx = q.UnsignedTx[:1+r.IntN(len(q.UnsignedTx))]
		},
		func(r *rand.Rand, q *signerv1.SignRequest) {
			q.UnsignedTx = append(q.UnsignedTx, byte(r.IntN(256)))
		},
	}
}
