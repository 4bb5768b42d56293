package nodes

import (
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
)

// NewWallet implements chaintest.Harness.
func (h *EVM) NewWallet(tb testing.TB) chaintest.Wallet {
	tb.Helper()
	h.wallets++
	seed := binary.BigEndian.AppendUint64([]byte("wallet of a test "), h.wallets)
	key, err := crypto.ToECDSA(crypto.Keccak256(seed))
	if err != nil {
		tb.Fatalf("make key: %v", err)
	}
	return chaintest.Wallet{
		Address: crypto.PubkeyToAddress(key.PublicKey).Hex(),
		Path:    chainadapters.KeyPath{Account: chainadapters.HotAccount, Index: uint32(h.wallets)}, //nolint:gosec // a few per test
		Sign: func(tb testing.TB, unsigned []byte) []byte {
			tb.Helper()
			signature, err := crypto.Sign(crypto.Keccak256(unsigned), key)
			if err != nil {
				tb.Fatalf("sign: %v", err)
			}
			return withSignature(tb, unsigned, signature)
		},
	}
}

// withSignature puts payload (EIP-1559) and signature together.
func withSignature(tb testing.TB, unsigned, signature []byte) []byte {
	tb.Helper()
	var p struct {
		ChainID    *big.Int
		Nonce      uint64
		TipCap     *big.Int
		FeeCap     *big.Int
		Gas        uint64
		To         common.Address
		Value      *big.Int
		Data       []byte
		AccessList types.AccessList
	}
	if err := rlp.DecodeBytes(unsigned[1:], &p); err != nil {
		tb.Fatalf("read payload: %v", err)
	}
	raw, err := types.NewTx(&types.DynamicFeeTx{
		ChainID: p.ChainID, Nonce: p.Nonce, GasTipCap: p.TipCap, GasFeeCap: p.FeeCap, Gas: p.Gas,
		To: &p.To, Value: p.Value, Data: p.Data, AccessList: p.AccessList,
		R: new(big.Int).SetBytes(signature[:32]), S: new(big.Int).SetBytes(signature[32:64]), V: new(big.Int).SetBytes(signature[64:]),
	}).MarshalBinary()
	if err != nil {
		tb.Fatalf("encode signed transaction: %v", err)
	}
	return raw
}

// Addresses implements chaintest.Harness. The valid ones are examples of
// EIP-55; the derived ones are the first accounts that every EVM development
// tool offers by default.
func (h *EVM) Addresses() chaintest.AddressCases {
	valid := map[string]string{}
	for _, a := range []string{
		"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
		"0x52908400098527886E0F7030069857D2E4169EE7",
		"0xde709f2102306220921060314715629080e2fb77",
		"0x0000000000000000000000000000000000000001",
	} {
		valid[a] = a
	}
	return chaintest.AddressCases{
		Valid: valid,
		Invalid: []string{
			"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",  // no checksum
			"0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED",  // no checksum
			"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",  // wrong checksum
			"5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",    // no prefix
			"0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",  // other prefix
			"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",   // short
			"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed0", // long
			" 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
			"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg",
			"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
		},
		Derived: []chaintest.Derived{
			{XPub: junkXPub, Branch: 0, Index: 0, Address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"},
			{XPub: junkXPub, Branch: 0, Index: 1, Address: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"},
		},
	}
}

// junkXPub is m/44'/60'/0' of those tools' common mnemonic.
const junkXPub = "xpub6Ce9NcJvTk36xtLSrJLZqE7wtgA5deCeYs7rSQtreh4cj6ByPtrg9sD7V2FNFLPnf8heNP3FGkeV9qwfzvZNSd54JoNXVsXFYSYwHsnJxqP"
