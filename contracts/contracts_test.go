package contracts_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"

	"strongroom/contracts"
)

func TestTestDollar(t *testing.T) {
	artifact, err := contracts.TestDollar()
	if err != nil {
		t.Fatal(err)
	}
	if artifact.Name != "TestDollar" || artifact.Compiler != "0.8.28" || len(artifact.Code) == 0 {
		t.Fatalf("artifact: %s, compiler %s, %d bytes", artifact.Name, artifact.Compiler, len(artifact.Code))
	}
	parsed, err := abi.JSON(bytes.NewReader(artifact.ABI))
	if err != nil {
		t.Fatal(err)
	}
	// The selectors are those of ERC-20 and of what the tests call.
	for signature, selector := range map[string]string{
		"transfer(address,uint256)": "\xa9\x05\x9c\xbb",
		"balanceOf(address)":        "\x70\xa0\x82\x31",
		"decimals()":                "\x31\x3c\xe5\x67",
		"mint(address,uint256)":     "\x40\xc1\x0f\x19",
	} {
		method, err := parsed.MethodById([]byte(selector))
		if err != nil || method.Sig != signature {
			t.Errorf("%s is not in the ABI: %v", signature, err)
		}
	}
	if got := parsed.Methods["pay"].Sig; got != "pay(address[],uint256[])" {
		t.Errorf("pay: got %q", got)
	}
	if len(parsed.Constructor.Inputs) != 0 {
		t.Errorf("the constructor takes %d arguments", len(parsed.Constructor.Inputs))
	}
}

func TestHostileTokens(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"LyingTransfer", "FeeToken", "Rebasing", "Reverting", "ReturnsFalse", "ReturnsNothing", "Reentrant", "ChangingDecimals", "HugeRevert",
	} {
		artifact, err := contracts.Named(name)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := abi.JSON(bytes.NewReader(artifact.ABI))
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.Methods["transfer"].Sig; got != "transfer(address,uint256)" || len(artifact.Code) == 0 {
			t.Errorf("%s: transfer is %q, %d bytes", name, got, len(artifact.Code))
		}
		if outputs := len(parsed.Methods["transfer"].Outputs); (outputs == 0) != (name == "ReturnsNothing") {
			t.Errorf("%s: transfer returns %d values", name, outputs)
		}
	}
	if _, err := contracts.Named("../contracts"); !errors.Is(err, contracts.ErrUnknown) {
		t.Errorf("a name from elsewhere: %v", err)
	}
}

func TestSafe(t *testing.T) {
	t.Parallel()
	for name, method := range map[string]string{
		"Safe": "execTransaction", "SafeProxyFactory": "createProxyWithNonce", "CompatibilityFallbackHandler": "isValidSignature",
		"MultiSendCallOnly": "multiSend", "SafeProxy": "",
	} {
		artifact, err := contracts.Safe(name)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := abi.JSON(bytes.NewReader(artifact.ABI))
		if err != nil {
			t.Fatal(err)
		}
		if _, has := parsed.Methods[method]; !has && method != "" {
			t.Errorf("%s has no %s", name, method)
		}
		if artifact.Name != name || artifact.Compiler != "@safe-global/safe-contracts 1.4.1" || len(artifact.Code) == 0 {
			t.Errorf("%s: %s from %s, %d bytes", name, artifact.Name, artifact.Compiler, len(artifact.Code))
		}
	}
	if _, err := contracts.Safe("SafeL2"); !errors.Is(err, contracts.ErrUnknown) {
		t.Errorf("a contract that is not carried: %v", err)
	}
}
