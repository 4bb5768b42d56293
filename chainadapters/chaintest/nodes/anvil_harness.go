package nodes

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/evm"
	"strongroom/contracts"
	"strongroom/money"
)

var _ chaintest.Harness = (*Anvil)(nil)

// anvilChainID is anvil's own default.
const anvilChainID = "31337"

// failingGas is given to a transaction that is to fail: nobody can estimate it.
const failingGas = 100_000

// hangTimeout is the adapter's patience with a node that hangs.
const hangTimeout = 300 * time.Millisecond

// Anvil is the evm adapter on a fresh anvil, with the test dollar deployed.
type Anvil struct {
	node     *AnvilNode
	rpc      *rpc.Client
	adapter  *evm.Adapter
	identity chainadapters.Identity
	stranger common.Address // rich, unlocked, and owner of the token
	token    common.Address
	abi      abi.ABI
	wallets  uint64
	deployed map[string]abi.ABI // by contract, what Deploy put on the chain
}

// NewAnvil starts a node and deploys the token.
func NewAnvil(tb testing.TB) *Anvil {
	tb.Helper()
	h := &Anvil{node: StartAnvil(tb)}
	client, err := rpc.DialContext(tb.Context(), h.node.URL)
	if err != nil {
		tb.Fatalf("reach anvil: %v", err)
	}
	tb.Cleanup(client.Close)
	h.rpc = client
	var accounts []common.Address
	h.call(tb, &accounts, "eth_accounts")
	h.stranger = accounts[0]
	var genesis struct {
		Hash common.Hash `json:"hash"`
	}
	h.call(tb, &genesis, "eth_getBlockByNumber", "0x0", false)
	h.identity = chainadapters.Identity{Network: anvilChainID, Genesis: genesis.Hash.Hex()}
	h.adapter = h.Open(tb, h.Config())
	h.deploy(tb)
	return h
}

// Config returns how to reach the healthy node.
func (h *Anvil) Config() chainadapters.Config {
	return chainadapters.Config{
		Chain: "ethereum-dev", Driver: "evm", URL: h.node.URL, Expect: h.identity, Timeout: 5 * time.Second,
	}
}

// Open returns an adapter or ends the test.
func (h *Anvil) Open(tb testing.TB, cfg chainadapters.Config) *evm.Adapter {
	tb.Helper()
	a, err := evm.New(cfg)
	if err != nil {
		tb.Fatalf("open adapter: %v", err)
	}
	return a
}

func (h *Anvil) deploy(tb testing.TB) {
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
func (h *Anvil) Adapter() chainadapters.Adapter { return h.adapter }

// Identity implements chaintest.Harness.
func (h *Anvil) Identity() chainadapters.Identity { return h.identity }

// Foreign implements chaintest.Harness.
func (h *Anvil) Foreign(tb testing.TB) []chainadapters.Adapter {
	tb.Helper()
	network, genesis := h.Config(), h.Config()
	network.Expect.Network = "1"
	genesis.Expect.Genesis = common.HexToHash("0x01").Hex()
	return []chainadapters.Adapter{h.Open(tb, network), h.Open(tb, genesis)}
}

// Mine implements chaintest.Harness.
func (h *Anvil) Mine(tb testing.TB, n int) {
	tb.Helper()
	h.call(tb, nil, "anvil_mine", fmt.Sprintf("0x%x", n))
}

// Reorg implements chaintest.Harness.
func (h *Anvil) Reorg(tb testing.TB, depth int) {
	tb.Helper()
	h.call(tb, nil, "anvil_reorg", depth, []any{})
	h.DropPool(tb)
	h.Mine(tb, 1)
}

// DropPool implements chaintest.Harness.
func (h *Anvil) DropPool(tb testing.TB) {
	tb.Helper()
	h.call(tb, nil, "anvil_dropAllTransactions")
}

// Plenty implements chaintest.Harness: one ether.
func (h *Anvil) Plenty() money.Units { return money.FromUint64(1e18) }

// Fund implements chaintest.Harness.
func (h *Anvil) Fund(tb testing.TB, address string, units money.Units) string {
	tb.Helper()
	return h.send(tb, map[string]any{"to": address, "value": (*hexutil.Big)(units.Big())})
}

// Token implements chaintest.Harness.
func (h *Anvil) Token() string { return h.token.Hex() }

// FundToken implements chaintest.Harness.
func (h *Anvil) FundToken(tb testing.TB, address string, units money.Units) string {
	tb.Helper()
	return h.invoke(tb, "transfer", common.HexToAddress(address), units.Big())
}

// FundMany implements chaintest.Harness.
func (h *Anvil) FundMany(tb testing.TB, payments []chainadapters.Payment) string {
	tb.Helper()
	var to []common.Address
	var amounts []*big.Int
	for _, p := range payments {
		to, amounts = append(to, common.HexToAddress(p.To)), append(amounts, p.Amount.Big())
	}
	return h.invoke(tb, "pay", to, amounts)
}

// FundFailing implements chaintest.Harness: the token takes no ether.
func (h *Anvil) FundFailing(tb testing.TB, units money.Units) (txid, to string) {
	tb.Helper()
	return h.send(tb, map[string]any{
		"to": h.token, "value": (*hexutil.Big)(units.Big()), "gas": hexutil.Uint64(failingGas),
	}), h.token.Hex()
}

// invoke calls a function of the token as its owner.
func (h *Anvil) invoke(tb testing.TB, method string, args ...any) string {
	tb.Helper()
	data, err := h.abi.Pack(method, args...)
	if err != nil {
		tb.Fatalf("encode %s: %v", method, err)
	}
	return h.send(tb, map[string]any{"to": h.token, "data": hexutil.Bytes(data)})
}

// send lets anvil sign a transaction of the stranger.
func (h *Anvil) send(tb testing.TB, tx map[string]any) string {
	tb.Helper()
	tx["from"] = h.stranger
	var hash common.Hash
	h.call(tb, &hash, "eth_sendTransaction", tx)
	return hash.Hex()
}

func (h *Anvil) call(tb testing.TB, result any, method string, params ...any) {
	tb.Helper()
	var discard json.RawMessage
	if result == nil {
		result = &discard
	}
	if err := h.rpc.CallContext(tb.Context(), result, method, params...); err != nil {
		tb.Fatalf("%s: %v", method, err)
	}
}
