package signer

import (
	"bytes"
	"log/slog"
	"math/big"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
	"google.golang.org/protobuf/proto"

	"strongroom/chainadapters/bitcoin/network"
	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/money"
)

// The test signer's chains and assets.
const (
	evmName    = "ethereum-dev"
	evmID      = 31337
	btcName    = "bitcoin-regtest"
	tokenHex   = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
	outsideEVM = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
	testSecret = "correct horse battery staple"
	testWork   = 4 // log2 of scrypt's N: tests need no defence
)

var (
	hotPath     = keyPath{accountHot, branchReceive, 0}
	depositPath = keyPath{accountDeposit, branchReceive, 7}
)

func units(n uint64) money.Units { return money.FromUint64(n) }

func testPolicy() Policy {
	caps := Caps{PerTransaction: units(1000), PerHour: units(2000), PerDay: units(5000)}
	wide := Caps{PerTransaction: units(1e15), PerHour: units(1e16), PerDay: units(1e17)}
	return Policy{
		Chains: []Chain{
			{Name: evmName, Family: familyEVM, ChainID: evmID, FeeCeiling: units(1e16)},
			{Name: btcName, Family: familyBitcoin, Network: "regtest", FeeCeiling: units(100_000)},
		},
		Assets: []Asset{
			{Code: "ETH", Chain: evmName, Withdrawal: wide, GasTopUp: caps},
			{Code: "TUSD", Chain: evmName, Contract: tokenHex, Withdrawal: caps},
			{Code: "BTC", Chain: btcName, Withdrawal: wide},
		},
	}
}

// testClock is a clock that stands still until it is moved.
type testClock struct{ at time.Time }

func (c *testClock) now() time.Time          { return c.at }
func (c *testClock) advance(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *testClock { return &testClock{time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)} }

func testConfig(dir string, clock *testClock) Config {
	return Config{
		Dir: dir, Passphrase: testSecret, Policy: testPolicy(), Clock: clock.now,
		Log: slog.New(slog.DiscardHandler), WorkFactor: testWork,
	}
}

func openSigner(tb testing.TB, cfg Config) *Signer {
	tb.Helper()
	s, err := New(cfg)
	if err != nil {
		tb.Fatalf("open signer: %v", err)
	}
	return s
}

func newSigner(tb testing.TB) *Signer {
	tb.Helper()
	s, _ := newSignerAt(tb)
	return s
}

// newSignerAt returns the signer's clock too.
func newSignerAt(tb testing.TB) (*Signer, *testClock) {
	tb.Helper()
	clock := newClock()
	s := openSigner(tb, testConfig(tb.TempDir(), clock))
	tb.Cleanup(func() { _ = s.Close() })
	return s, clock
}

func wirePath(p keyPath) *signerv1.KeyPath {
	return &signerv1.KeyPath{Account: p.account, Branch: p.branch, Index: p.index}
}

func (s *Signer) evmAddressOf(tb testing.TB, p keyPath) common.Address {
	tb.Helper()
	key, err := s.chains[evmName].(*evmChain).keys.private(p)
	if err != nil {
		tb.Fatal(err)
	}
	return evmAddress(key.PubKey())
}

func (s *Signer) btcAddressOf(tb testing.TB, p keyPath) string {
	tb.Helper()
	c := s.chains[btcName].(*bitcoinChain)
	key, err := c.keys.private(p)
	if err != nil {
		tb.Fatal(err)
	}
	a, err := c.params.KeyAddress(key.PubKey().SerializeCompressed())
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// plainPayload is a native transfer as a signing payload.
func plainPayload(nonce uint64, to common.Address, value uint64) evmPayload {
	return evmPayload{
		ChainID: big.NewInt(evmID), Nonce: nonce, TipCap: big.NewInt(1e9), FeeCap: big.NewInt(2e9), Gas: 21000,
		To: to, Value: new(big.Int).SetUint64(value), Data: []byte{}, AccessList: []rlp.RawValue{},
	}
}

func tokenPayload(nonce uint64, to common.Address, amount uint64) evmPayload {
	p := plainPayload(nonce, common.HexToAddress(tokenHex), 0)
	p.Gas, p.Data = 90_000, transferCall(to, units(amount))
	return p
}

func (p evmPayload) bytes(tb testing.TB) []byte {
	tb.Helper()
	body, err := rlp.EncodeToBytes(&p)
	if err != nil {
		tb.Fatal(err)
	}
	return append([]byte{dynamicFeeType}, body...)
}

// ethWithdrawal is a well-formed request to pay value to outsideEVM.
func ethWithdrawal(tb testing.TB, id string, nonce, value uint64) *signerv1.SignRequest {
	tb.Helper()
	return &signerv1.SignRequest{
		Intent: &signerv1.Intent{
			Id: id, Kind: signerv1.IntentKind_INTENT_KIND_WITHDRAWAL, Chain: evmName, Asset: "ETH",
			To: outsideEVM, Amount: units(value).String(),
		},
		Attempt: 1, UnsignedTx: plainPayload(nonce, outsider(), value).bytes(tb),
		FromPath: wirePath(hotPath), MaxFee: "10000000000000000",
	}
}

func tokenWithdrawal(tb testing.TB, id string, nonce, amount uint64) *signerv1.SignRequest {
	tb.Helper()
	req := ethWithdrawal(tb, id, nonce, amount)
	req.Intent.Asset, req.Intent.Contract = "TUSD", tokenHex
	req.UnsignedTx = tokenPayload(nonce, outsider(), amount).bytes(tb)
	return req
}

func tokenCollect(tb testing.TB, s *Signer, id string, nonce, amount uint64) *signerv1.SignRequest {
	tb.Helper()
	hot := s.evmAddressOf(tb, hotPath)
	req := tokenWithdrawal(tb, id, nonce, amount)
	req.Intent.Kind, req.Intent.To, req.Intent.ToPath = signerv1.IntentKind_INTENT_KIND_COLLECT, hot.Hex(), wirePath(hotPath)
	req.FromPath = wirePath(depositPath)
	req.UnsignedTx = tokenPayload(nonce, hot, amount).bytes(tb)
	return req
}

func gasTopUp(tb testing.TB, s *Signer, id string, nonce, amount uint64) *signerv1.SignRequest {
	tb.Helper()
	to := s.evmAddressOf(tb, depositPath)
	req := ethWithdrawal(tb, id, nonce, amount)
	req.Intent.Kind, req.Intent.To, req.Intent.ToPath = signerv1.IntentKind_INTENT_KIND_GAS_TOPUP, to.Hex(), wirePath(depositPath)
	req.UnsignedTx = plainPayload(nonce, to, amount).bytes(tb)
	return req
}

// testCoin is a coin of the house: its number names its outpoint.
type testCoin struct {
	number byte
	path   keyPath
	value  int64
}

// btcPlan is what a test PSBT is made of.
type btcPlan struct {
	coins  []testCoin
	to     string
	amount int64
	change int64 // zero for none
}

var changePath = keyPath{accountHot, branchChange, 3}

// outsideBTC is a P2WSH address of nobody we know.
func outsideBTC(tb testing.TB) string {
	tb.Helper()
	params, _ := network.ByName("regtest")
	a, ok := params.Address(append([]byte{0x00, 0x20}, bytes.Repeat([]byte{0x42}, 32)...))
	if !ok {
		tb.Fatal("no address")
	}
	return a
}

func (p btcPlan) packet(tb testing.TB, s *Signer) *psbt.Packet {
	tb.Helper()
	params := s.chains[btcName].(*bitcoinChain).params
	script := func(a string) []byte {
		b, err := params.Script(a)
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
	tx := wire.NewMsgTx(2)
	for _, c := range p.coins {
		in := wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{c.number}, 1), nil, nil)
		in.Sequence = replaceable
		tx.AddTxIn(in)
	}
	tx.AddTxOut(wire.NewTxOut(p.amount, script(p.to)))
	if p.change > 0 {
		tx.AddTxOut(wire.NewTxOut(p.change, script(s.btcAddressOf(tb, changePath))))
	}
	packet, err := psbt.NewFromUnsignedTx(tx)
	if err != nil {
		tb.Fatal(err)
	}
	for i, c := range p.coins {
		packet.Inputs[i].WitnessUtxo = wire.NewTxOut(c.value, script(s.btcAddressOf(tb, c.path)))
	}
	return packet
}

func packetBytes(tb testing.TB, packet *psbt.Packet) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := packet.Serialize(&b); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func btcRequest(tb testing.TB, s *Signer, id string, p btcPlan) *signerv1.SignRequest {
	tb.Helper()
	req := &signerv1.SignRequest{
		Intent: &signerv1.Intent{
			Id: id, Kind: signerv1.IntentKind_INTENT_KIND_WITHDRAWAL, Chain: btcName, Asset: "BTC",
			To: p.to, Amount: units(uint64(p.amount)).String(),
		},
		Attempt: 1, UnsignedTx: packetBytes(tb, p.packet(tb, s)), MaxFee: "50000",
	}
	for _, c := range p.coins {
		req.InputPaths = append(req.InputPaths, wirePath(c.path))
	}
	if p.change > 0 {
		req.ChangePath = wirePath(changePath)
	}
	return req
}

// btcWithdrawal pays 60,000 of two hot coins worth 100,000, with change.
func btcWithdrawal(tb testing.TB, s *Signer, id string, coins ...byte) *signerv1.SignRequest {
	tb.Helper()
	p := btcPlan{to: outsideBTC(tb), amount: 60_000, change: int64(len(coins))*50_000 - 62_000}
	for _, n := range coins {
		p.coins = append(p.coins, testCoin{n, hotPath, 50_000})
	}
	return btcRequest(tb, s, id, p)
}

func btcCollect(tb testing.TB, s *Signer, id string) *signerv1.SignRequest {
	tb.Helper()
	p := btcPlan{
		to: s.btcAddressOf(tb, hotPath), amount: 98_000,
		coins: []testCoin{{200, depositPath, 50_000}, {201, keyPath{accountDeposit, branchReceive, 8}, 50_000}},
	}
	req := btcRequest(tb, s, id, p)
	req.Intent.Kind, req.Intent.ToPath = signerv1.IntentKind_INTENT_KIND_COLLECT, wirePath(hotPath)
	return req
}

func clone(req *signerv1.SignRequest) *signerv1.SignRequest {
	return proto.Clone(req).(*signerv1.SignRequest)
}

// outsider is outsideEVM as an address.
func outsider() common.Address { return common.HexToAddress(outsideEVM) }
