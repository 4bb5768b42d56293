package evm_test

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"

	"strongroom/chainadapters"
	"strongroom/chainadapters/evm"
)

// recorded is a block as a node tells it, with all that belongs to it: transactions
// of every type, two token events in each, one of them of the wanted token, and the
// calls that each made. Its hashes are real.
type recorded struct {
	ref     chainadapters.Ref
	genesis string
	answers map[string]string // method → result
}

const recordedGas = 90_000

func (r *recorded) open(tb testing.TB) *evm.Adapter {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var call struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params []any           `json:"params"`
		}
		if json.NewDecoder(req.Body).Decode(&call) != nil {
			return
		}
		result := r.answers[call.Method]
		if call.Method == "eth_getBlockByNumber" && call.Params[0] == "0x0" {
			result = r.answers["genesis"]
		}
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", call.ID, result)
	}))
	tb.Cleanup(server.Close)
	a, err := evm.New(chainadapters.Config{
		Chain: "ethereum-dev", Driver: "evm", URL: server.URL, Expect: chainadapters.Identity{Network: chainID, Genesis: r.genesis},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// record makes a block of so many transactions.
func record(tb testing.TB, txs int) *recorded {
	tb.Helper()
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("recorded block")))
	if err != nil {
		tb.Fatal(err)
	}
	sender := crypto.PubkeyToAddress(key.PublicKey)
	body := &types.Body{Withdrawals: types.Withdrawals{}}
	receipts := make(types.Receipts, txs)
	for i := range txs {
		tx := recordedTx(tb, key, i)
		body.Transactions = append(body.Transactions, tx)
		receipts[i] = recordedReceipt(tx, sender, i)
	}
	genesis := recordedHeader(0, common.Hash{})
	block := types.NewBlock(recordedHeader(1, genesis.Hash()), body, receipts, trie.NewStackTrie(nil))
	r := &recorded{
		ref: chainadapters.Ref{Height: 1, Hash: block.Hash().Hex()}, genesis: genesis.Hash().Hex(),
		answers: map[string]string{"eth_chainId": `"0x7a69"`, "genesis": jsonText(tb, genesis)},
	}
	var list, told, wanted, traces []string
	for i, tx := range block.Transactions() {
		place := fmt.Sprintf(`"blockHash":%q,"blockNumber":"0x1","transactionIndex":"0x%x"`, block.Hash(), i)
		list = append(list, with(jsonText(tb, tx), place, fmt.Sprintf(`"from":%q,"gasPrice":"0x7"`, lower(sender))))
		rc := receipts[i]
		rc.BlockHash, rc.BlockNumber, rc.TransactionIndex = block.Hash(), block.Number(), uint(i)
		for j, l := range rc.Logs {
			l.BlockHash, l.BlockNumber, l.TxHash, l.TxIndex, l.Index = block.Hash(), 1, tx.Hash(), uint(i), uint(2*i+j)
		}
		told = append(told, with(jsonText(tb, rc), fmt.Sprintf(`"from":%q,"to":%q`, lower(sender), lower(*tx.To()))))
		wanted = append(wanted, jsonText(tb, rc.Logs[0]))
		traces = append(traces, recordedTrace(tx, sender))
	}
	r.answers["eth_getBlockByHash"] = with(jsonText(tb, block.Header()), `"size":"0x1234","uncles":[],"withdrawals":[]`, `"transactions":`+array(list))
	r.answers["eth_getBlockReceipts"], r.answers["eth_getLogs"], r.answers["debug_traceBlockByHash"] = array(told), array(wanted), array(traces)
	return r
}

func recordedHeader(height int64, parent common.Hash) *types.Header {
	blobGas, excess := uint64(131_072), uint64(7)
	return &types.Header{
		Number: big.NewInt(height), ParentHash: parent, Difficulty: new(big.Int), BaseFee: big.NewInt(7), Time: 1_700_000_000,
		UncleHash: types.EmptyUncleHash, TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash, GasLimit: 30_000_000,
		WithdrawalsHash: &types.EmptyWithdrawalsHash, BlobGasUsed: &blobGas, ExcessBlobGas: &excess, ParentBeaconRoot: &common.Hash{1},
		RequestsHash: &types.EmptyRequestsHash, Extra: []byte("recorded"),
		Coinbase: common.Address{2}, MixDigest: common.Hash{3}, Nonce: types.BlockNonce{4},
	}
}

func recordedTx(tb testing.TB, key *ecdsa.PrivateKey, i int) *types.Transaction {
	tb.Helper()
	contract, chain := common.HexToAddress(token), big.NewInt(31_337)
	data := append(common.FromHex("a9059cbb"), words(int64(i)+1_000, 10_000)...)
	access := types.AccessList{{Address: contract, StorageKeys: []common.Hash{{1}, {byte(i)}}}}
	nonce, price := uint64(i), big.NewInt(int64(i)+7)
	var inner types.TxData
	switch i % 10 {
	case 0:
		inner = &types.LegacyTx{Nonce: nonce, GasPrice: price, Gas: recordedGas, To: &contract, Data: data}
	case 1:
		inner = &types.AccessListTx{ChainID: chain, Nonce: nonce, GasPrice: price, Gas: recordedGas, To: &contract, Data: data, AccessList: access}
	case 2:
		inner = &types.BlobTx{
			ChainID: uint256.NewInt(31_337), Nonce: nonce, GasTipCap: uint256.NewInt(1), GasFeeCap: uint256.NewInt(9), Gas: recordedGas, To: contract,
			Data: data, AccessList: access, BlobFeeCap: uint256.NewInt(3), BlobHashes: []common.Hash{{1, 2}, {1, 3}}, Value: new(uint256.Int),
		}
	case 3:
		auth, err := types.SignSetCode(key, types.SetCodeAuthorization{ChainID: *uint256.NewInt(31_337), Address: contract, Nonce: nonce})
		if err != nil {
			tb.Fatal(err)
		}
		inner = &types.SetCodeTx{
			ChainID: uint256.NewInt(31_337), Nonce: nonce, GasTipCap: uint256.NewInt(1), GasFeeCap: uint256.NewInt(9), Gas: recordedGas, To: contract,
			Data: data, Value: new(uint256.Int), AuthList: []types.SetCodeAuthorization{auth},
		}
	default:
		inner = &types.DynamicFeeTx{ChainID: chain, Nonce: nonce, GasTipCap: big.NewInt(1), GasFeeCap: price, Gas: recordedGas, To: &contract, Data: data, Value: big.NewInt(int64(i))}
	}
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(chain), inner)
	if err != nil {
		tb.Fatal(err)
	}
	return tx
}

func recordedReceipt(tx *types.Transaction, sender common.Address, i int) *types.Receipt {
	event := func(contract string) *types.Log {
		return &types.Log{
			Address: common.HexToAddress(contract), Data: words(10_000),
			Topics: []common.Hash{crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)")), common.BytesToHash(sender.Bytes()), common.BytesToHash(words(int64(i) + 1_000))},
		}
	}
	r := &types.Receipt{
		Type: tx.Type(), Status: types.ReceiptStatusSuccessful, CumulativeGasUsed: uint64(i+1) * recordedGas, GasUsed: recordedGas,
		TxHash: tx.Hash(), EffectiveGasPrice: big.NewInt(7), Logs: []*types.Log{event(token), event(to)},
	}
	r.Bloom = types.CreateBloom(r)
	return r
}

// recordedTrace is what geth's callTracer tells of a transfer through a proxy.
func recordedTrace(tx *types.Transaction, sender common.Address) string {
	call := func(kind string, from, to common.Address, value *big.Int, more string) string {
		return fmt.Sprintf(`{"from":%q,"gas":"0x15f90","gasUsed":"0x5208","to":%q,"input":"0x%x","output":"0x%x","value":"0x%x","type":%q%s}`,
			lower(from), lower(to), tx.Data(), words(1), value, kind, more)
	}
	inner := call("DELEGATECALL", *tx.To(), common.HexToAddress(to), tx.Value(), "")
	return fmt.Sprintf(`{"txHash":%q,"result":%s}`, tx.Hash(), call("CALL", sender, *tx.To(), tx.Value(), `,"calls":[`+inner+`]`))
}

func lower(a common.Address) string { return strings.ToLower(a.Hex()) }

// words returns numbers as 32 bytes each.
func words(numbers ...int64) []byte {
	var out []byte
	for _, n := range numbers {
		out = append(out, common.BigToHash(big.NewInt(n)).Bytes()...)
	}
	return out
}

func jsonText(tb testing.TB, v any) string {
	tb.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

// with adds members to a JSON object where it does not have them.
func with(object string, members ...string) string {
	text := strings.TrimSuffix(object, "}")
	for _, m := range members {
		for _, one := range split(m) {
			name, _, _ := strings.Cut(one, ":")
			if at := strings.Index(text, name+":"); at < 0 {
				text += "," + one
			} else if strings.HasPrefix(text[at:], name+":null") {
				text = strings.Replace(text, name+":null", one, 1)
			}
		}
	}
	return text + "}"
}

// split cuts plain members apart; a list of objects stays whole.
func split(members string) []string {
	if strings.Contains(members, "{") {
		return []string{members}
	}
	return strings.Split(members, ",")
}

func array(list []string) string { return "[" + strings.Join(list, ",") + "]" }

// BenchmarkBlock reads a block of 200 transactions with 400 events over HTTP.
func BenchmarkBlock(b *testing.B) {
	r := record(b, 200)
	a := r.open(b)
	size := 0
	for _, text := range r.answers {
		size += len(text)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		block, err := a.Block(b.Context(), r.ref, []string{token})
		if err != nil || len(block.Movements) < 200 {
			b.Fatalf("%d movements, %v", len(block.Movements), err)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// cpuTime is what this process has used: other processes do not disturb it.
func cpuTime(tb testing.TB) int64 {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
