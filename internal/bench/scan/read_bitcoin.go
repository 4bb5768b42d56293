package scanbench

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
	"strongroom/chainadapters/bitcoin/network"
)

// coinBlock is a block of a Bitcoin node, as it is sent.
type coinBlock struct {
	ref            chainadapters.Ref
	raw            string
	header         string
	genesisAnswers string
}

// keyScript is what pays to a native witness key (BIP 141): version 0, 20 bytes.
func keyScript(number int) []byte {
	script := make([]byte, 22)
	script[1] = 20
	binary.BigEndian.PutUint64(script[2:], scatter(number))
	return script
}

// newCoinBlock makes a block with so many outputs to keys.
func newCoinBlock(outputs int) (*coinBlock, error) {
	params, known := network.ByName("regtest")
	if !known {
		return nil, fmt.Errorf("%w: no parameters of regtest", errMissed)
	}
	genesis, err := chainhash.NewHashFromStr(params.Genesis)
	if err != nil {
		return nil, fmt.Errorf("read genesis: %w", err)
	}
	block := wire.NewMsgBlock(wire.NewBlockHeader(1, genesis, &chainhash.Hash{}, 0, 0))
	block.Header.Timestamp = time.Unix(1_700_000_000, 0)
	// The first transaction makes coins: it spends nothing and pays to nobody here.
	first := wire.NewMsgTx(2)
	first.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, ^uint32(0)), []byte{1, 1}, nil))
	first.AddTxOut(wire.NewTxOut(0, []byte{0x6a}))
	block.Transactions = append(block.Transactions, first)
	for i := 0; i < outputs; i += perTx {
		tx := wire.NewMsgTx(2)
		for j := i; j < min(i+perTx, outputs); j++ {
			spent := chainhash.HashH([]byte(strconv.Itoa(j)))
			tx.AddTxIn(wire.NewTxIn(wire.NewOutPoint(&spent, 0), nil, wire.TxWitness{make([]byte, 71), make([]byte, 33)}))
			tx.AddTxOut(wire.NewTxOut(brought, keyScript(j)))
		}
		block.Transactions = append(block.Transactions, tx)
	}
	block.Header.MerkleRoot = merkle(block)
	var raw bytes.Buffer
	if err := block.Serialize(&raw); err != nil {
		return nil, fmt.Errorf("encode block: %w", err)
	}
	hash := block.BlockHash().String()
	return &coinBlock{
		ref: chainadapters.Ref{Height: 1, Hash: hash}, raw: fmt.Sprintf("%q", hex.EncodeToString(raw.Bytes())),
		header:         fmt.Sprintf(`{"hash":%q,"height":1,"previousblockhash":%q,"time":1700000000,"confirmations":1}`, hash, params.Genesis),
		genesisAnswers: fmt.Sprintf("%q", params.Genesis),
	}, nil
}

// merkle returns the root over a block's transactions.
func merkle(block *wire.MsgBlock) chainhash.Hash {
	level := make([]chainhash.Hash, 0, len(block.Transactions))
	for _, tx := range block.Transactions {
		level = append(level, tx.TxHash())
	}
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		next := make([]chainhash.Hash, 0, len(level)/2)
		for i := 0; i < len(level); i += 2 {
			next = append(next, chainhash.DoubleHashH(append(level[i][:], level[i+1][:]...)))
		}
		level = next
	}
	return level[0]
}

// answer is the node's script.
func (b *coinBlock) answer(method, _ string) string {
	switch method {
	case "getblockchaininfo":
		return `{"chain":"regtest"}`
	case "getblockhash":
		return b.genesisAnswers
	case "getblockheader":
		return b.header
	case "getblock":
		return b.raw
	}
	return ""
}
