package safe

import (
	"encoding/binary"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// wordBytes is the width of everything in calldata.
const wordBytes = 32

// selectorBytes begin calldata.
const selectorBytes = 4

func selector(signature string) []byte { return crypto.Keccak256([]byte(signature))[:selectorBytes] }

func addressWord(a common.Address) []byte { return common.LeftPadBytes(a[:], wordBytes) }

// numberWord is n in one word; n is in range, which Tx.check makes sure of.
func numberWord(n *big.Int) []byte {
	if n == nil {
		n = new(big.Int)
	}
	return n.FillBytes(make([]byte, wordBytes))
}

func countWord[T int | uint64 | uint8](n T) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, wordBytes-8), uint64(n))
}

// padded fills bytes up to whole words.
func padded(b []byte) []byte {
	return append(append([]byte(nil), b...), make([]byte, (wordBytes-len(b)%wordBytes)%wordBytes)...)
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// wordAt is the word with index n; the caller made sure that there is one.
func wordAt(words []byte, n int) []byte { return words[n*wordBytes : (n+1)*wordBytes] }

// addressAt reads a word as an address; its first bytes must be zero, which encoding again
// makes sure of.
func addressAt(words []byte, n int) common.Address { return common.BytesToAddress(wordAt(words, n)) }

func numberAt(words []byte, n int) *big.Int { return new(big.Int).SetBytes(wordAt(words, n)) }

// bytesAt reads the bytes whose place the word with index n names, counted from the first
// word.
func bytesAt(words []byte, n int) ([]byte, bool) {
	start, ok := small(wordAt(words, n), len(words)-wordBytes)
	if !ok {
		return nil, false
	}
	length, ok := small(words[start:start+wordBytes], len(words)-wordBytes-start)
	if !ok {
		return nil, false
	}
	return words[start+wordBytes : start+wordBytes+length], true
}

// small reads a word that is at most most.
func small(word []byte, most int) (int, bool) {
	n := new(big.Int).SetBytes(word)
	if most < 0 || !n.IsInt64() || n.Int64() > int64(most) {
		return 0, false
	}
	return int(n.Int64()), true
}
