package evm

import (
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"
)

// seal appends the transaction to list in the form that is hashed: EIP-155 without
// a type, EIP-2930, EIP-1559, EIP-4844 and EIP-7702 after theirs. A member that its
// type needs and that is lacking, or is no number, is an error, as is a signature
// that cannot be one.
func (t *rpcTransaction) seal(list *sealedList) error {
	s := sealer{tx: t}
	list.add(t.Type, func(w rlp.EncoderBuffer) {
		s.w = w
		s.write()
	})
	return s.err
}

// sealer writes one transaction and keeps the first fault.
type sealer struct {
	tx  *rpcTransaction
	w   rlp.EncoderBuffer
	err error
}

func (s *sealer) write() {
	t := s.tx
	if t.Type != types.LegacyTxType {
		s.word(sealedChain)
	}
	s.w.WriteUint64(t.Nonce.V)
	if t.Type <= types.AccessListTxType {
		s.word(sealedGasPrice)
	} else {
		s.word(sealedTipCap)
		s.word(sealedFeeCap)
	}
	s.uint(sealedGas)
	if t.To.Set {
		s.w.WriteBytes(t.To.V[:])
	} else {
		s.require(t.Type < types.BlobTxType, "it cannot create a contract")
		s.w.WriteBytes(nil)
	}
	s.w.WriteUint256(&t.Value.V)
	s.require(t.Input.Set, "it lacks its input")
	s.w.WriteBytes(t.Input.V)
	if t.Type != types.LegacyTxType {
		s.access()
	}
	switch t.Type {
	case types.BlobTxType:
		s.word(sealedBlobCap)
		s.blobs()
	case types.SetCodeTxType:
		s.authorizations()
	}
	s.signature()
}

func (s *sealer) require(holds bool, otherwise string) {
	if !holds && s.err == nil {
		s.err = errors.New(otherwise)
	}
}

// member reads a member; it is an error where it is lacking.
func (s *sealer) member(which int, read func(*reader)) {
	if s.tx.sealed[which] == nil {
		s.require(false, "it lacks "+sealedNames()[which])
		return
	}
	r := &reader{data: s.tx.sealed[which]}
	read(r)
	if err := r.end(); err != nil && s.err == nil {
		s.err = err
	}
}

func (s *sealer) number(which int) (n uint256.Int) {
	s.member(which, func(r *reader) { r.word(&n) })
	return n
}

func (s *sealer) word(which int) {
	n := s.number(which)
	s.w.WriteUint256(&n)
}

func (s *sealer) uint(which int) {
	var n uint64
	s.member(which, func(r *reader) { r.uint(&n) })
	s.w.WriteUint64(n)
}

func (s *sealer) hashes(list []common.Hash) {
	at := s.w.List()
	for i := range list {
		s.w.WriteBytes(list[i][:])
	}
	s.w.ListEnd(at)
}

func (s *sealer) blobs() {
	var list []common.Hash
	s.member(sealedBlobs, func(r *reader) { r.hashes(&list) })
	s.require(len(list) > 0, "it has no blob")
	s.hashes(list)
}

// access writes the access list; a node may leave an empty one out.
func (s *sealer) access() {
	var tuples []types.AccessTuple
	if s.tx.sealed[sealedAccess] != nil {
		s.member(sealedAccess, func(r *reader) {
			tuples = readList(r, fields[types.AccessTuple]{known: []field[types.AccessTuple]{
				{"address", func(r *reader, a *types.AccessTuple) { r.address(&a.Address) }},
				{"storageKeys", func(r *reader, a *types.AccessTuple) { r.hashes(&a.StorageKeys) }},
			}}, 1)
		})
	}
	list := s.w.List()
	for i := range tuples {
		tuple := s.w.List()
		s.w.WriteBytes(tuples[i].Address[:])
		s.hashes(tuples[i].StorageKeys)
		s.w.ListEnd(tuple)
	}
	s.w.ListEnd(list)
}

// authorization is one entry of an EIP-7702 list.
type authorization struct {
	chain, r, s   uint256.Int
	address       common.Address
	nonce, parity uint64
}

func (s *sealer) authorizations() {
	var given []authorization
	s.member(sealedAuth, func(r *reader) {
		given = readList(r, fields[authorization]{known: []field[authorization]{
			{"chainId", func(r *reader, a *authorization) { r.word(&a.chain) }},
			{"address", func(r *reader, a *authorization) { r.address(&a.address) }},
			{"nonce", func(r *reader, a *authorization) { r.uint(&a.nonce) }},
			{"yParity", func(r *reader, a *authorization) { r.uint(&a.parity) }},
			{"r", func(r *reader, a *authorization) { r.word(&a.r) }},
			{"s", func(r *reader, a *authorization) { r.word(&a.s) }},
		}}, 1)
	})
	list := s.w.List()
	for i := range given {
		a := &given[i]
		entry := s.w.List()
		s.w.WriteUint256(&a.chain)
		s.w.WriteBytes(a.address[:])
		s.w.WriteUint64(a.nonce)
		s.w.WriteUint64(a.parity)
		s.w.WriteUint256(&a.r)
		s.w.WriteUint256(&a.s)
		s.w.ListEnd(entry)
	}
	s.w.ListEnd(list)
}

// signature writes v, r and s. Types after the first have a parity, which nodes
// tell as v, as yParity, or as both. Transactions that nobody signed, which some
// chains make themselves, have zeros.
func (s *sealer) signature() {
	var v uint256.Int
	if legacy := s.tx.Type == types.LegacyTxType; legacy || s.tx.sealed[sealedParity] == nil {
		v = s.number(sealedV)
	} else {
		v = s.number(sealedParity)
		if s.tx.sealed[sealedV] != nil {
			s.require(s.number(sealedV) == v, "v and yParity differ")
		}
	}
	r, other := s.number(sealedR), s.number(sealedS)
	if !v.IsZero() || !r.IsZero() || !other.IsZero() {
		parity, known := s.parity(&v)
		s.require(known && crypto.ValidateSignatureValues(parity, r.ToBig(), other.ToBig(), false), "its signature cannot be one")
	}
	s.w.WriteUint256(&v)
	s.w.WriteUint256(&r)
	s.w.WriteUint256(&other)
}

// parity is what v says about the point that signed: as itself, or on top of 27,
// or of 35 and twice the chain id (EIP-155).
func (s *sealer) parity(v *uint256.Int) (parity byte, known bool) {
	const bare, protected = 27, 35
	if s.tx.Type != types.LegacyTxType {
		return byte(v.Uint64()), v.LtUint64(2) //nolint:gosec // 0 or 1, or unknown
	}
	switch {
	case v.LtUint64(bare), v.GtUint64(bare+1) && v.LtUint64(protected):
		return 0, false
	case v.LtUint64(protected):
		return byte(v.Uint64() - bare), true //nolint:gosec // 0 or 1
	}
	return byte((v.Uint64() - protected) & 1), true
}
