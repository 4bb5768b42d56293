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
}

// NewAnvil starts a node and deploys the token.
func NewAnvil(t testing.TB) *Anvil {
	t.Helper()
	h := &Anvil{node: StartAnvil(t)}
	client, err := rpc.DialContext(t.Context(), h.node.URL)
	if err != nil {
		t.Fatalf("reach anvil: %v", err)
	}
	t.Cleanup(client.Close)
	h.rpc = client
	var accounts []common.Address
	h.call(t, &accounts, "eth_accounts")
	h.stranger = accounts[0]
	var genesis struct {
		Hash common.Hash `json:"hash"`
	}
	h.call(t, &genesis, "eth_getBlockByNumber", "0x0", false)
	h.identity = chainadapters.Identity{Network: anvilChainID, Genesis: genesis.Hash.Hex()}
	h.adapter = h.Open(t, h.Config())
	h.deploy(t)
	return h
}

// Config returns how to reach the healthy node.
func (h *Anvil) Config() chainadapters.Config {
	return chainadapters.Config{
		Chain: "ethereum-dev", Driver: "evm", URL: h.node.URL, Expect: h.identity, Timeout: 5 * time.Second,
	}
}

// Open returns an adapter or ends the test.
func (h *Anvil) Open(t testing.TB, cfg chainadapters.Config) *evm.Adapter {
	t.Helper()
	a, err := evm.New(cfg)
	if err != nil {
		t.Fatalf("open adapter: %v", err)
	}
	return a
}

func (h *Anvil) deploy(t testing.TB) {
	t.Helper()
	artifact, err := contracts.TestDollar()
	if err != nil {
		t.Fatalf("read token: %v", err)
	}
	if h.abi, err = abi.JSON(strings.NewReader(string(artifact.ABI))); err != nil {
		t.Fatalf("read ABI of the token: %v", err)
	}
	txid := h.send(t, map[string]any{"data": hexutil.Bytes(artifact.Code)})
	h.Mine(t, 1)
	var receipt struct {
		Contract common.Address `json:"contractAddress"`
	}
	h.call(t, &receipt, "eth_getTransactionReceipt", txid)
	h.token = receipt.Contract
	h.invoke(t, "mint", h.stranger, new(big.Int).Exp(big.NewInt(10), big.NewInt(18), nil))
	h.Mine(t, 1)
}

// Adapter implements chaintest.Harness.
func (h *Anvil) Adapter() chainadapters.Adapter { return h.adapter }

// Identity implements chaintest.Harness.
func (h *Anvil) Identity() chainadapters.Identity { return h.identity }

// Foreign implements chaintest.Harness.
func (h *Anvil) Foreign(t testing.TB) []chainadapters.Adapter {
	t.Helper()
	network, genesis := h.Config(), h.Config()
	network.Expect.Network = "1"
	genesis.Expect.Genesis = common.HexToHash("0x01").Hex()
	return []chainadapters.Adapter{h.Open(t, network), h.Open(t, genesis)}
}

// Mine implements chaintest.Harness.
func (h *Anvil) Mine(t testing.TB, n int) {
	t.Helper()
	h.call(t, nil, "anvil_mine", fmt.Sprintf("0x%x", n))
}

// Reorg implements chaintest.Harness.
func (h *Anvil) Reorg(t testing.TB, depth int) {
	t.Helper()
	h.call(t, nil, "anvil_reorg", depth, []any{})
	h.DropPool(t)
	h.Mine(t, 1)
}

// DropPool implements chaintest.Harness.
func (h *Anvil) DropPool(t testing.TB) {
	t.Helper()
	h.call(t, nil, "anvil_dropAllTransactions")
}

// Plenty implements chaintest.Harness: one ether.
func (h *Anvil) Plenty() money.Units { return money.FromUint64(1e18) }

// Fund implements chaintest.Harness.
func (h *Anvil) Fund(t testing.TB, address string, units money.Units) string {
	t.Helper()
	return h.send(t, map[string]any{"to": address, "value": (*hexutil.Big)(units.Big())})
}

// Token implements chaintest.Harness.
func (h *Anvil) Token() string { return h.token.Hex() }

// FundToken implements chaintest.Harness.
func (h *Anvil) FundToken(t testing.TB, address string, units money.Units) string {
	t.Helper()
	return h.invoke(t, "transfer", common.HexToAddress(address), units.Big())
}

// FundMany implements chaintest.Harness.
func (h *Anvil) FundMany(t testing.TB, payments []chainadapters.Payment) string {
	t.Helper()
	var to []common.Address
	var amounts []*big.Int
	for _, p := range payments {
		to, amounts = append(to, common.HexToAddress(p.To)), append(amounts, p.Amount.Big())
	}
	return h.invoke(t, "pay", to, amounts)
}

// FundFailing implements chaintest.Harness: the token takes no ether.
func (h *Anvil) FundFailing(t testing.TB, units money.Units) (txid, to string) {
	t.Helper()
	return h.send(t, map[string]any{
		"to": h.token, "value": (*hexutil.Big)(units.Big()), "gas": hexutil.Uint64(failingGas),
	}), h.token.Hex()
}

// invoke calls a function of the token as its owner.
func (h *Anvil) invoke(t testing.TB, method string, args ...any) string {
	t.Helper()
	data, err := h.abi.Pack(method, args...)
	if err != nil {
		t.Fatalf("encode %s: %v", method, err)
	}
	return h.send(t, map[string]any{"to": h.token, "data": hexutil.Bytes(data)})
}

// send lets anvil sign a transaction of the stranger.
func (h *Anvil) send(t testing.TB, tx map[string]any) string {
	t.Helper()
	tx["from"] = h.stranger
	var hash common.Hash
	h.call(t, &hash, "eth_sendTransaction", tx)
	return hash.Hex()
}

func (h *Anvil) call(t testing.TB, result any, method string, params ...any) {
	t.Helper()
	var discard json.RawMessage
	if result == nil {
		result = &discard
	}
	if err := h.rpc.CallContext(t.Context(), result, method, params...); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
}
