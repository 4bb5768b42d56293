// Package contracts carries compiled contracts for development and tests. The
// sources are in src/, and `node contracts/build.mjs` compiles them with the
// pinned compiler; those of Safe are in artifacts/safe as their makers published
// them. It never talks to a node, and nothing in it is deployed to a production
// chain.
package contracts

import (
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

//go:embed artifacts
var artifacts embed.FS

// ErrUnknown reports a name under which no contract was compiled.
var ErrUnknown = errors.New("no such contract")

// Artifact is one compiled contract.
type Artifact struct {
	Name     string
	Compiler string          // version of solc, or the package that it was taken from
	ABI      json.RawMessage // as the compiler wrote it
	Code     []byte          // creation bytecode; constructor arguments follow it
}

// TestDollar returns the ERC-20 test token: six decimals, no constructor
// arguments, `mint(address,uint256)` for its deployer and
// `pay(address[],uint256[])` for anybody.
func TestDollar() (Artifact, error) { return Named("TestDollar") }

// Named returns one of the contracts in src/ by its name in Solidity: the test
// dollar, tokens that each break one promise of ERC-20, and EthSender, which
// sends ether on from within. None takes constructor arguments. ErrUnknown.
func Named(name string) (Artifact, error) {
	data, err := artifacts.ReadFile("artifacts/" + name + ".json")
	if err != nil {
		return Artifact{}, fmt.Errorf("%w: %.60q", ErrUnknown, name)
	}
	return read(data)
}

// Safe returns one of the contracts of Safe 1.4.1 as published: Safe (the singleton),
// SafeProxy, SafeProxyFactory, CompatibilityFallbackHandler or MultiSendCallOnly. They are
// their makers', under LGPL-3.0. ErrUnknown.
func Safe(name string) (Artifact, error) { return Named("safe/" + name) }

func read(data []byte) (Artifact, error) {
	var file struct {
		Name     string          `json:"name"`
		Compiler string          `json:"compiler"`
		ABI      json.RawMessage `json:"abi"`
		Bytecode string          `json:"bytecode"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return Artifact{}, fmt.Errorf("read artifact: %w", err)
	}
	code, err := hex.DecodeString(strings.TrimPrefix(file.Bytecode, "0x"))
	if err != nil {
		return Artifact{}, fmt.Errorf("read bytecode of %s: %w", file.Name, err)
	}
	return Artifact{Name: file.Name, Compiler: file.Compiler, ABI: file.ABI, Code: code}, nil
}
