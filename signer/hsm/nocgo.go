//go:build !cgo

package hsm

import (
	"fmt"

	"github.com/btcsuite/btcd/btcec/v2"
)

// Token stands for one that cannot be opened here.
type Token struct{}

func noCgo() error {
	return fmt.Errorf("%w: this binary was built without cgo: build it with CGO_ENABLED=1, or use the seed file", ErrToken)
}

// Open reports ErrToken: PKCS#11 modules are C libraries.
func Open(Config) (*Token, error) { return nil, noCgo() }

// Import reports ErrToken.
func (*Token) Import(string, *btcec.PrivateKey) error { return noCgo() }

// Public reports ErrToken.
func (*Token) Public(string) (*btcec.PublicKey, error) { return nil, noCgo() }

// Sign reports ErrToken.
func (*Token) Sign(string, []byte) ([]byte, error) { return nil, noCgo() }

// Close does nothing.
func (*Token) Close() error { return nil }
