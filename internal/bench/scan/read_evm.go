package scanbench

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"

	"strongroom/chainadapters"
)

// The scripted EVM network and what its transactions cost.
const (
	evmChain     = 31_337
	transferGas  = 52_000
	transferCap  = 65_000
	baseFee      = 7
	blockTime    = 1_700_000_000
	transferSign = "Transfer(address,address,uint256)" // ERC-20
	transferCall = "transfer(address,uint256)"
)

func evmToken() string { return common.HexToAddress(token).Hex() }

// logBlock is a block of an EVM node whose transactions each move a token, as it is
// sent: real hashes and roots, because an adapter checks them.
type logBlock struct {
	ref                                    chainadapters.Ref
	identity                               chainadapters.Identity
	genesis, block, receipts, logs, traces string
}

// newLogBlock makes a block with so many transfers.
func newLogBlock(transfers int) (*logBlock, error) {
	genesis := evmHeader(0, common.Hash{})
	seed := sha256.Sum256([]byte("scan benchmark"))
	key, err := crypto.ToECDSA(seed[:])
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	contract, signer := common.HexToAddress(token), types.NewLondonSigner(big.NewInt(evmChain))
	from := crypto.PubkeyToAddress(key.PublicKey)
	var body types.Body
	receipts := make(types.Receipts, transfers)
	for i := range transfers {
		tx, err := types.SignNewTx(key, signer, &types.DynamicFeeTx{
			ChainID: big.NewInt(evmChain), Nonce: uint64(i), Gas: transferCap, To: &contract, Data: callData(i),
			GasTipCap: new(big.Int), GasFeeCap: big.NewInt(baseFee),
		})
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		body.Transactions = append(body.Transactions, tx)
		receipts[i] = &types.Receipt{
			Type: types.DynamicFeeTxType, Status: types.ReceiptStatusSuccessful, CumulativeGasUsed: uint64(i+1) * transferGas,
			Logs: []*types.Log{transferLog(contract, from, i)}, GasUsed: transferGas, TxHash: tx.Hash(), EffectiveGasPrice: big.NewInt(baseFee),
		}
		receipts[i].Bloom = types.CreateBloom(receipts[i])
	}
	block := types.NewBlock(evmHeader(1, genesis.Hash()), &body, receipts, trie.NewStackTrie(nil))
	b := &logBlock{
		ref:      chainadapters.Ref{Height: 1, Hash: block.Hash().Hex()},
		identity: chainadapters.Identity{Network: strconv.Itoa(evmChain), Genesis: genesis.Hash().Hex()},
	}
	return b, b.encode(genesis, block, from, receipts)
}

func evmHeader(height int64, parent common.Hash) *types.Header {
	return &types.Header{
		Number: big.NewInt(height), ParentHash: parent, Difficulty: new(big.Int), BaseFee: big.NewInt(baseFee), Time: blockTime,
		UncleHash: types.EmptyUncleHash, TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash,
	}
}

// words returns numbers as 32 bytes each.
func words(numbers ...uint64) []byte {
	var out []byte
	for _, n := range numbers {
		out = append(out, common.BigToHash(new(big.Int).SetUint64(n)).Bytes()...)
	}
	return out
}

func callData(i int) []byte {
	return append(crypto.Keccak256([]byte(transferCall))[:4], words(scatter(i), brought)...)
}

func transferLog(contract, from common.Address, i int) *types.Log {
	return &types.Log{
		Address: contract, Data: words(brought),
		Topics: []common.Hash{crypto.Keccak256Hash([]byte(transferSign)), common.BytesToHash(from.Bytes()), common.BytesToHash(words(scatter(i)))},
	}
}

// encode writes down what the node answers.
func (b *logBlock) encode(genesis *types.Header, block *types.Block, from common.Address, receipts types.Receipts) error {
	txs, logs := block.Transactions(), make([]*types.Log, len(receipts))
	for i, r := range receipts {
		r.BlockHash, r.BlockNumber, r.TransactionIndex = block.Hash(), block.Number(), uint(i)
		l := r.Logs[0]
		l.BlockHash, l.BlockNumber, l.TxHash, l.TxIndex, l.Index = r.BlockHash, block.NumberU64(), r.TxHash, r.TransactionIndex, r.TransactionIndex
		logs[i] = l
	}
	var errs []error
	text := func(v any, more string) string {
		raw, err := json.Marshal(v)
		if err != nil {
			errs = append(errs, err)
			return ""
		}
		if more != "" { // members that the node adds to what the library writes
			return string(bytes.TrimSuffix(raw, []byte("}"))) + "," + more + "}"
		}
		return string(raw)
	}
	b.genesis = text(genesis, `"transactions":[]`)
	b.logs = text(logs, "")
	b.block = text(block.Header(), `"transactions":`+join(len(txs), func(i int) string {
		return text(txs[i], fmt.Sprintf(`"from":%q,"blockHash":%q,"blockNumber":"0x1","transactionIndex":"0x%x"`, from, block.Hash(), i))
	}))
	b.receipts = join(len(txs), func(i int) string { return text(receipts[i], fmt.Sprintf(`"from":%q,"to":%q`, from, token)) })
	b.traces = join(len(txs), func(i int) string {
		return fmt.Sprintf(`{"txHash":%q,"result":{"type":"CALL","from":%q,"to":%q,"value":"0x0","gas":"0x%x","gasUsed":"0x%x","input":"0x%x"}}`,
			txs[i].Hash(), from, token, transferCap, transferGas, txs[i].Data())
	})
	if len(errs) > 0 {
		return fmt.Errorf("encode block: %w", errs[0])
	}
	return nil
}

// answer is the node's script.
func (b *logBlock) answer(method, params string) string {
	switch method {
	case "eth_chainId":
		return fmt.Sprintf(`"0x%x"`, evmChain)
	case "eth_getBlockByNumber":
		if strings.HasPrefix(params, `["0x0"`) {
			return b.genesis
		}
		return b.block
	case "eth_getBlockByHash":
		return b.block
	case "eth_getBlockReceipts":
		return b.receipts
	case "eth_getLogs":
		return b.logs
	case "debug_traceBlockByHash":
		return b.traces
	}
	return ""
}
