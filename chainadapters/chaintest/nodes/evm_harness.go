package nodes

import (
	"crypto/ecdsa"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/evm"
	"strongroom/contracts"
	"strongroom/money"
)

var _ chaintest.Harness = (*EVM)(nil)

// devChainID is anvil's own default; geth is told to have it too.
const devChainID = "31337"

// failingGas is given to a transaction that is to fail: nobody can estimate it.
const failingGas = 100_000

// hangTimeout is the adapter's patience with a node that hangs.
const hangTimeout = 300 * time.Millisecond

// power is what only a node's own miner can do.
type power interface {
	mine(tb testing.TB, n int)
	reorg(tb testing.TB, depth int)
	dropPool(tb testing.TB)
}

// EVM is the evm adapter on a fresh node, with the test dollar deployed.
type EVM struct {
	url      string
	power    power
	rpc      *rpc.Client
	adapter  *evm.Adapter
	identity chainadapters.Identity
	key      *ecdsa.PrivateKey
	stranger common.Address // of key: rich, and owner of the token
	token    common.Address
	abi      abi.ABI
	wallets  uint64
	deployed map[string]abi.ABI // by contract, what Deploy put on the chain
}

// NewAnvil starts anvil and deploys the token.
func NewAnvil(tb testing.TB) *EVM {
	tb.Helper()
	h := newEVM(tb, StartAnvil(tb).URL)
	h.power = anvilPower{h}
	h.deploy(tb)
	return h
}

func newEVM(tb testing.TB, url string) *EVM {
	tb.Helper()
	h := &EVM{url: url}
	client, err := rpc.DialContext(tb.Context(), url)
	if err != nil {
		tb.Fatalf("reach node: %v", err)
	}
	tb.Cleanup(client.Close)
	h.rpc = client
	if h.key, err = crypto.HexToECDSA(strangerKey); err != nil {
		tb.Fatalf("read key: %v", err)
	}
	h.stranger = crypto.PubkeyToAddress(h.key.PublicKey)
	var genesis struct {
		Hash common.Hash `json:"hash"`
	}
	h.call(tb, &genesis, "eth_getBlockByNumber", "0x0", false)
	h.identity = chainadapters.Identity{Network: devChainID, Genesis: genesis.Hash.Hex()}
	h.adapter = h.Open(tb, h.Config())
	return h
}

// Config returns how to reach the healthy node.
func (h *EVM) Config() chainadapters.Config {
	return chainadapters.Config{
		Chain: "ethereum-dev", Driver: "evm", URL: h.url, Expect: h.identity, Timeout: 5 * time.Second,
	}
}

// Open returns an adapter or ends the test.
func (h *EVM) Open(tb testing.TB, cfg chainadapters.Config) *evm.Adapter {
	tb.Helper()
	a, err := evm.New(cfg)
	if err != nil {
		tb.Fatalf("open adapter: %v", err)
	}
	return a
}

func (h *EVM) deploy(tb testing.TB) {
	tb.Helper()
	artifact, err := contracts.TestDollar()
	if err != nil {
		tb.Fatalf("read token: %v", err)
	}
	if h.abi, err = abi.JSON(strings.NewReader(string(artifact.ABI))); err != nil {
		tb.Fatalf("read ABI of the token: %v", err)
	}
	txid := h.send(tb, map[string]any{"data": hexutil.Bytes(artifact.Code)})
	h.Mine(tb, 1)
	var receipt struct {
		Contract common.Address `json:"contractAddress"`
	}
	h.call(tb, &receipt, "eth_getTransactionReceipt", txid)
	h.token = receipt.Contract
	h.invoke(tb, "mint", h.stranger, new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil))
	h.Mine(tb, 1)
}

// Adapter implements chaintest.Harness.
func (h *EVM) Adapter() chainadapters.Adapter { return h.adapter }

// Identity implements chaintest.Harness.
func (h *EVM) Identity() chainadapters.Identity { return h.identity }

// Foreign implements chaintest.Harness.
func (h *EVM) Foreign(tb testing.TB) []chainadapters.Adapter {
	tb.Helper()
	network, genesis := h.Config(), h.Config()
	network.Expect.Network = "1"
	genesis.Expect.Genesis = common.HexToHash("0x01").Hex()
	return []chainadapters.Adapter{h.Open(tb, network), h.Open(tb, genesis)}
}

// Mine implements chaintest.Harness.
func (h *EVM) Mine(tb testing.TB, n int) {
	tb.Helper()
	h.power.mine(tb, n)
}

// Reorg implements chaintest.Harness.
func (h *EVM) Reorg(tb testing.TB, depth int) {
	tb.Helper()
	h.power.reorg(tb, depth)
}

// DropPool implements chaintest.Harness.
func (h *EVM) DropPool(tb testing.TB) {
	tb.Helper()
	h.power.dropPool(tb)
}

// Plenty implements chaintest.Harness: one ether.
func (h *EVM) Plenty() money.Units { return money.FromUint64(1e18) }

// Fund implements chaintest.Harness.
func (h *EVM) Fund(tb testing.TB, address string, units money.Units) string {
	tb.Helper()
	return h.send(tb, map[string]any{"to": address, "value": (*hexutil.Big)(units.Big())})
}

// Token implements chaintest.Harness.
func (h *EVM) Token() string { return h.token.Hex() }

// FundToken implements chaintest.Harness.
func (h *EVM) FundToken(tb testing.TB, address string, units money.Units) string {
	tb.Helper()
	return h.invoke(tb, "transfer", common.HexToAddress(address), units.Big())
}

// FundMany implements chaintest.Harness.
func (h *EVM) FundMany(tb testing.TB, payments []chainadapters.Payment) string {
	tb.Helper()
	var to []common.Address
	var amounts []*big.Int
	for _, p := range payments {
		to, amounts = append(to, common.HexToAddress(p.To)), append(amounts, p.Amount.Big())
	}
	return h.invoke(tb, "pay", to, amounts)
}

// FundFailing implements chaintest.Harness: the token takes no ether.
func (h *EVM) FundFailing(tb testing.TB, units money.Units) (txid, to string) {
	tb.Helper()
	return h.send(tb, map[string]any{
		"to": h.token, "value": (*hexutil.Big)(units.Big()), "gas": hexutil.Uint64(failingGas),
	}), h.token.Hex()
}

// invoke calls a function of the token as its owner.
func (h *EVM) invoke(tb testing.TB, method string, args ...any) string {
	tb.Helper()
	data, err := h.abi.Pack(method, args...)
	if err != nil {
		tb.Fatalf("encode %s: %v", method, err)
	}
	return h.send(tb, map[string]any{"to": h.token, "data": hexutil.Bytes(data)})
}

func (h *EVM) call(tb testing.TB, result any, method string, params ...any) {
	tb.Helper()
	var discard json.RawMessage
	if result == nil {
		result = &discard
	}
	if err := h.rpc.CallContext(tb.Context(), result, method, params...); err != nil {
		tb.Fatalf("%s: %v", method, err)
	}
}
