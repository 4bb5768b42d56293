package safechain_test

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/evm/safe"
	"strongroom/chainadapters/evm/safe/safechain"
)

// The set of public chains is where its makers say that it is, out of the code in npm alone.
func TestTheSetIsWhereItWasPublished(t *testing.T) {
	set := safe.Canonical()
	for at, want := range map[common.Address]string{ // npm @safe-global/safe-deployments 1.37.63, dist/assets/v1.4.1
		set.Singleton:       "0x41675C099F32341bf84BFc5382aF534df5C7461a",
		set.Factory:         "0x4e1DCf7AD4e460CfD30791CCC4F9c8a4f820ec67",
		set.FallbackHandler: "0xfd0732Dc9E303f09fCEf3a7388Ad10A83459Ec99",
		set.MultiSend:       "0x9641d764fc13c8B624c04430C7356C1C7C8102e2",
	} {
		if at.Hex() != want {
			t.Errorf("%s is not %s", at, want)
		}
	}
	for _, name := range []string{"Safe", "SafeProxyFactory", "CompatibilityFallbackHandler", "MultiSendCallOnly"} {
		made := crypto.CreateAddress2(set.Deployer, [32]byte{}, crypto.Keccak256(published(t, name).Code))
		if made != set.Singleton && made != set.Factory && made != set.FallbackHandler && made != set.MultiSend {
			t.Errorf("%s of npm is not in the set", name)
		}
	}
}

func TestDeployedCodeIsWhatWasPublished(t *testing.T) {
	onEach(t, func(t *testing.T, c *chain) {
		t.Helper()
		for at, want := range map[common.Address]string{
			c.set.Singleton: safe.SingletonCode, c.set.Factory: safe.FactoryCode,
			c.set.FallbackHandler: safe.FallbackHandlerCode, c.set.MultiSend: safe.MultiSendCode,
		} {
			var code hexutil.Bytes
			must(t, c.Call(t.Context(), &code, "eth_getCode", at, "latest"))
			if got := crypto.Keccak256Hash(code).Hex(); got != want {
				t.Errorf("%s: %s and not %s", at, got, want)
			}
		}
		var before, after hexutil.Uint64
		from := crypto.PubkeyToAddress(c.rich.PublicKey)
		must(t, c.Call(t.Context(), &before, "eth_getTransactionCount", from, "latest"))
		again, err := safechain.DeployCanonical(t.Context(), c, c.rich)
		must(t, err)
		must(t, c.Call(t.Context(), &after, "eth_getTransactionCount", from, "latest"))
		if again != c.set || before != after {
			t.Errorf("deployed again: %+v, %d transactions", again, after-before)
		}
		if err := safechain.CheckSet(t.Context(), c, safe.Canonical()); !errors.Is(err, safechain.ErrState) {
			t.Errorf("a set that is not there: %v", err)
		}
	})
}

// The hash is the contract's own, whatever is in the transaction.
func TestHashIsTheContracts(t *testing.T) {
	onEach(t, func(t *testing.T, c *chain) {
		t.Helper()
		_, owners := people(3)
		v := c.vault(t, owners, 2, 1)
		random := rand.New(rand.NewPCG(1, 2))
		for i := range 200 {
			tx := anyTx(random)
			got := c.view(t, v.Address, pack(t, published(t, "Safe"), "getTransactionHash", tx.To, tx.Value, tx.Data, tx.Operation,
				tx.SafeTxGas, tx.BaseGas, tx.GasPrice, tx.GasToken, tx.RefundReceiver, new(big.Int).SetUint64(tx.Nonce)))
			if want := v.Hash(tx); !bytes.Equal(got, want[:]) {
				t.Fatalf("transaction %d: %s, and the contract says %x", i, want, got)
			}
		}
		domain := v.DomainHash()
		if got := c.view(t, v.Address, pack(t, published(t, "Safe"), "domainSeparator")); !bytes.Equal(got, domain[:]) {
			t.Errorf("domain: %s, and the contract says %x", domain, got)
		}
	})
}

func anyTx(random *rand.Rand) safe.Tx {
	number := func() *big.Int {
		b := make([]byte, random.IntN(33))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return new(big.Int).SetBytes(b)
	}
	address := func() common.Address { return common.BigToAddress(number()) }
	data := make([]byte, random.IntN(200))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return safe.Tx{
		To: address(), Value: number(), Data: data, Operation: uint8(random.IntN(2)), SafeTxGas: number(), BaseGas: number(),
		GasPrice: number(), GasToken: address(), RefundReceiver: address(), Nonce: random.Uint64(),
	}
}

// 2 of 3 and 3 of 5 owners, each with an own copy, pay ether, a token, and both at once.
func TestVaultsPay(t *testing.T) {
	onEach(t, func(t *testing.T, c *chain) {
		t.Helper()
		for _, size := range []struct{ threshold, owners int }{{2, 3}, {3, 5}} {
			keys, owners := people(size.owners)
			v := c.vault(t, owners, size.threshold, 7)
			token := c.dollar(t, v.Address, 1_000_000)
			known := safe.Known{Tokens: map[common.Address]safe.Token{token: {Symbol: "USDC", Decimals: 6}}, Set: c.set}
			to := common.BytesToAddress([]byte{byte(size.owners), 0xaa, 0xbb})

			for n, tx := range []safe.Tx{
				safe.PayNative(to, big.NewInt(1e15), 0),
				safe.PayToken(token, to, big.NewInt(250_000), 1),
				batch(t, c.set, safe.PayNative(to, big.NewInt(2e15), 2), safe.PayToken(token, to, big.NewInt(1), 2)),
			} {
				e, err := safe.Decode(v, tx, known)
				must(t, err)
				if e.Nonce != uint64(n) || e.Hash != v.Hash(tx) {
					t.Fatalf("effect: %+v", e)
				}
				c.signedApart(t, v, tx, keys)
			}
			if got := c.balance(t, to); got.Int64() != 3e15 {
				t.Errorf("%s wei arrived", got)
			}
			if got := c.tokens(t, token, to); got != 250_001 {
				t.Errorf("%d of the token arrived", got)
			}
			if got := c.nonce(t, v); got != 3 {
				t.Errorf("nonce is %d", got)
			}
		}
	})
}

func batch(t *testing.T, set safe.Set, calls ...safe.Tx) safe.Tx {
	t.Helper()
	tx, err := safe.Batch(set, calls...)
	must(t, err)
	return tx
}

// signedApart has the last owners sign copies that travelled as text, joins them, and sends
// what comes of it; before, one signature too few and an altered call fail on the chain.
func (c *chain) signedApart(t *testing.T, v safe.Vault, tx safe.Tx, keys []*ecdsa.PrivateKey) {
	t.Helper()
	blank := safe.File{Vault: v, Tx: tx}.Encode()
	var copies []safe.File
	for _, key := range keys[len(keys)-v.Threshold:] {
		f, err := safe.ParseFile(blank)
		must(t, err)
		f, err = f.Sign(key)
		must(t, err)
		f, err = safe.ParseFile(f.Encode())
		must(t, err)
		copies = append(copies, f)
	}
	few, err := safe.Combine(copies[1:]...)
	must(t, err)
	if _, err := few.ExecCalldata(); !errors.Is(err, safe.ErrIncomplete) {
		t.Fatalf("one signature too few: %v", err)
	}
	// By hand: the contract refuses it too.
	var short []byte
	for _, s := range few.Signatures {
		short = append(short, s.Bytes[:]...)
	}
	if done, _ := c.send(t, &v.Address, nil, exec(t, tx, short)); done {
		t.Fatal("the contract took one signature too few")
	}
	joined, err := safe.Combine(copies...)
	must(t, err)
	call, err := joined.ExecCalldata()
	must(t, err)
	altered := bytes.Clone(call)
	altered[4+31] ^= 1 // the last byte of the receiver
	if done, _ := c.send(t, &v.Address, nil, altered); done {
		t.Fatal("the contract took an altered call")
	}
	if _, err := v.CheckExec(altered, tx.Nonce); !errors.Is(err, safe.ErrSignature) {
		t.Fatalf("an altered call: %v", err)
	}
	if _, err := v.CheckExec(call, tx.Nonce); err != nil {
		t.Fatal(err)
	}
	if done, _ := c.send(t, &v.Address, nil, call); !done {
		t.Fatal("the contract refused what owners signed")
	}
	if done, _ := c.send(t, &v.Address, nil, call); done {
		t.Fatal("the contract took the same twice")
	}
}

// exec encodes by the contract's ABI.
func exec(t *testing.T, tx safe.Tx, signatures []byte) []byte {
	t.Helper()
	or := func(n *big.Int) *big.Int {
		if n == nil {
			return new(big.Int)
		}
		return n
	}
	return pack(t, published(t, "Safe"), "execTransaction", tx.To, or(tx.Value), tx.Data, tx.Operation, or(tx.SafeTxGas),
		or(tx.BaseGas), or(tx.GasPrice), tx.GasToken, tx.RefundReceiver, signatures)
}

// The call is what the contract's own ABI makes, byte for byte.
func TestCallIsOfTheContractsABI(t *testing.T) {
	keys, owners := people(3)
	v := safe.Vault{ChainID: chainID, Address: common.BytesToAddress([]byte("vault")), Version: safe.Version, Owners: owners, Threshold: 2}
	random := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		f := safe.File{Vault: v, Tx: anyTx(random)}
		var signatures []byte
		for _, key := range keys[:2] {
			var err error
			f, err = f.Sign(key)
			must(t, err)
		}
		for _, s := range f.Signatures {
			signatures = append(signatures, s.Bytes[:]...)
		}
		call, err := f.ExecCalldata()
		must(t, err)
		if !bytes.Equal(call, exec(t, f.Tx, signatures)) {
			t.Fatalf("%x", call)
		}
		back, err := v.CheckExec(call, f.Tx.Nonce)
		must(t, err)
		if v.Hash(back) != f.Hash() {
			t.Fatal("another transaction was read back")
		}
	}
}
