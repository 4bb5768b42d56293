package signer

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/money"
)

// ownersSigned is what two owners signed, as far as the signer can tell.
func ownersSigned() []byte {
	one := append(bytes.Repeat([]byte{7}, 64), 27)
	return append(one, append(bytes.Repeat([]byte{9}, 64), 28)...)
}

// refill is a payment of the Safe to the hot wallet, which people agreed to.
func (c *chamber) refill(tb testing.TB, id string, nonce, value uint64, people ...string) *signerv1.SignRequest {
	tb.Helper()
	hot := c.evmAddressOf(tb, hotPath)
	req := ethWithdrawal(tb, id, nonce, value)
	req.Intent.Kind, req.Intent.To = signerv1.IntentKind_INTENT_KIND_REFILL, hot.Hex()
	req.UnsignedTx = execPayload(nonce, execCall(hot, units(value), nil, ownersSigned())).bytes(tb)
	return c.with(tb, req, c.meaning(tb, req), people...)
}

func (c *chamber) tokenRefill(tb testing.TB, id string, nonce, value uint64, people ...string) *signerv1.SignRequest {
	tb.Helper()
	hot := c.evmAddressOf(tb, hotPath)
	req := tokenWithdrawal(tb, id, nonce, value)
	req.Intent.Kind, req.Intent.To = signerv1.IntentKind_INTENT_KIND_REFILL, hot.Hex()
	call := execCall(common.HexToAddress(tokenHex), units(0), transferCall(hot, units(value)), ownersSigned())
	req.UnsignedTx = execPayload(nonce, call).bytes(tb)
	return c.with(tb, req, c.meaning(tb, req), people...)
}

func execPayload(nonce uint64, call []byte) evmPayload {
	p := plainPayload(nonce, common.HexToAddress(coldSafe), 0)
	p.Gas, p.Data = 120_000, call
	return p
}

func TestRefillsComeFromSafesOnly(t *testing.T) {
	c := newChamber(t)
	require.Equal(t, execSelector, hex.EncodeToString(crypto.Keccak256(
		[]byte("execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"))[:4]))
	c.refuses(t, c.refill(t, "rfl_1", 0, 300_000), ErrRefused, "it still takes 2 of treasury")
	c.refuses(t, c.refill(t, "rfl_1", 0, 300_000, "ada"), ErrRefused, "it still takes 1 of treasury")
	first := c.refill(t, "rfl_1", 0, 300_000, "ada", "cem")
	once := c.signs(t, first)
	require.True(t, proto.Equal(once, c.signs(t, clone(first))))
	c.signs(t, c.tokenRefill(t, "rfl_2", 1, 300_000, "ada", "cem"))

	to := func(address string) *signerv1.SignRequest {
		req := c.refill(t, "rfl_3", 2, 300_000, "ada", "cem")
		p, err := decodeEVM(req.UnsignedTx)
		require.NoError(t, err)
		p.To = common.HexToAddress(address)
		req.UnsignedTx = p.bytes(t)
		return req
	}
	c.refuses(t, to(coldAlone), ErrInvalid, "from the Safes of the configuration")
	c.refuses(t, to(outsideEVM), ErrInvalid, "from the Safes of the configuration")
	c.signs(t, to(coldSafe))

	bare := c.refill(t, "rfl_4", 3, 300_000, "ada", "cem")
	bare.IntentText, bare.Approvals, bare.PolicyVersion = nil, nil, ""
	c.refuses(t, bare, ErrInvalid, "intent_text")
	_, err := newSigner(t).Sign(bare)
	require.ErrorContains(t, err, "need a signer with a treasury")
}

// A higher bid sends the same call of the vault, and no other.
func TestRefillsKeepTheirCall(t *testing.T) {
	c := newChamber(t)
	req := c.refill(t, "rfl_1", 0, 300_000, "ada", "cem")
	c.signs(t, req)
	again := func(attempt uint32, change func(p *evmPayload)) *signerv1.SignRequest {
		next := clone(req)
		p, err := decodeEVM(next.UnsignedTx)
		require.NoError(t, err)
		p.FeeCap = new(big.Int).Mul(p.FeeCap, big.NewInt(int64(attempt)))
		change(&p)
		next.Attempt, next.UnsignedTx = attempt, p.bytes(t)
		return next
	}
	c.refuses(t, again(2, func(p *evmPayload) {
		p.Data = execCall(c.evmAddressOf(t, hotPath), units(300_000), nil, ownersSigned()[:ownerSignature])
	}), ErrRefused, "another call of the vault")
	c.signs(t, again(2, func(*evmPayload) {}))
	c.signs(t, ethCancel(t, c.Signer, "rfl_1", 3, 0, 40e9))
	c.refuses(t, again(4, func(*evmPayload) {}), ErrRefused, "was cancelled")
}

// changed returns a call with one of its words set.
func changed(call []byte, word int, value byte) []byte {
	out := bytes.Clone(call)
	out[4+word*wordSize+wordSize-1] = value
	return out
}

func TestCallsOfVaultsThatAreRefused(t *testing.T) {
	c := newChamber(t)
	hot, token := c.evmAddressOf(t, hotPath), common.HexToAddress(tokenHex)
	thief := common.HexToAddress("0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc")
	native := func(to common.Address, value uint64) []byte { return execCall(to, units(value), nil, ownersSigned()) }
	good := native(hot, 500)
	kind := func(v byte) []byte {
		signed := ownersSigned()
		signed[ownerSignature-1] = v
		return execCall(hot, units(500), nil, signed)
	}
	for name, call := range map[string][]byte{
		"to somebody else":              native(thief, 500),
		"to the vault itself":           native(common.HexToAddress(coldSafe), 500),
		"another amount":                native(hot, 501),
		"a token in place of ether":     execCall(token, units(0), transferCall(hot, units(500)), ownersSigned()),
		"ether with a call":             execCall(hot, units(500), []byte{1}, ownersSigned()),
		"approve":                       execCall(token, units(0), append([]byte{9, 0x5e, 0xa7, 0xb3}, transferCall(hot, units(500))[4:]...), ownersSigned()),
		"delegated":                     changed(good, 3, 1),
		"gas of its own":                changed(good, 4, 1),
		"base gas":                      changed(good, 5, 1),
		"a gas price":                   changed(good, 6, 1),
		"a gas token":                   changed(good, 7, 1),
		"a refund receiver":             changed(good, 8, 1),
		"data elsewhere":                changed(good, 2, 0x20),
		"signatures elsewhere":          changed(good, 9, 0x20),
		"more behind":                   append(bytes.Clone(good), make([]byte, wordSize)...),
		"cut short":                     good[:len(good)-wordSize],
		"another function":              append([]byte{1, 2, 3, 4}, good[4:]...),
		"nothing":                       nil,
		"a selector alone":              good[:4],
		"no signatures":                 execCall(hot, units(500), nil, nil),
		"half a signature":              execCall(hot, units(500), nil, ownersSigned()[:100]),
		"too many signatures":           execCall(hot, units(500), nil, bytes.Repeat(ownersSigned(), 9)),
		"a contract's signature":        kind(0),
		"a sender's approval":           kind(1),
		"a signature of a text":         kind(31),
		"bytes above the first word":    append(good[:4:4], append(bytes.Repeat([]byte{1}, 12), good[16:]...)...),
		"a length beyond all numbers":   append(bytes.Clone(good[:4+9*wordSize]), append(bytes.Repeat([]byte{0xff}, wordSize), good[4+10*wordSize:]...)...),
		"a plain transfer of the hot's": transferCall(hot, units(500)),
	} {
		t.Run(name, func(t *testing.T) {
			req := c.refill(t, "rfl_1", 0, 500, "ada", "cem")
			req.UnsignedTx = execPayload(0, call).bytes(t)
			c.refuses(t, req, ErrInvalid, "")
		})
	}
	req := c.refill(t, "rfl_1", 0, 500, "ada", "cem")
	p := execPayload(0, good)
	p.Value = big.NewInt(1)
	req.UnsignedTx = p.bytes(t)
	c.refuses(t, req, ErrInvalid, "of value")
	req = c.refill(t, "rfl_1", 0, 500, "ada", "cem")
	req.Intent.To = thief.Hex()
	req.UnsignedTx = execPayload(0, native(thief, 500)).bytes(t)
	c.refuses(t, c.with(t, req, c.meaning(t, req), "ada", "cem"), ErrInvalid, "goes to the hot wallet")
	req = c.refill(t, "rfl_1", 0, 500, "ada", "cem")
	req.Intent.Kind = signerv1.IntentKind_INTENT_KIND_WITHDRAWAL
	c.refuses(t, req, ErrInvalid, "")
	c.signs(t, c.refill(t, "rfl_1", 0, 500, "ada", "cem"))
}

// No bit of a call can be another one: of each, one is signed or none.
func TestNoChangedCallIsRead(t *testing.T) {
	hot := common.HexToAddress("0x1111111111111111111111111111111111111111")
	call := execCall(common.HexToAddress(tokenHex), units(0), transferCall(hot, units(500)), ownersSigned())
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		mutant := bytes.Clone(call)
		for range 1 + r.IntN(3) {
			mutant[r.IntN(len(mutant))] ^= 1 << r.IntN(8)
		}
		if inner, signatures, err := decodeExec(mutant); err == nil {
			value, _ := money.FromBig(inner.Value)
			require.Equal(t, mutant, execCall(inner.To, value, inner.Data, signatures))
		}
	}
}

func FuzzDecodeExec(f *testing.F) {
	f.Add(execCall(common.HexToAddress(tokenHex), units(3), []byte{1, 2, 3}, ownersSigned()))
	f.Fuzz(func(t *testing.T, call []byte) {
		inner, signatures, err := decodeExec(call)
		if err != nil {
			return
		}
		value, err := money.FromBig(inner.Value)
		if err != nil || !bytes.Equal(execCall(inner.To, value, inner.Data, signatures), call) {
			t.Errorf("%x is read as another call, %v", call, err)
		}
	})
}
