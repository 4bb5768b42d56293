package bitcoin

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters"
	"strongroom/money"
)

// headerView is what getblockheader says.
type headerView struct {
	Hash          string `json:"hash"`
	Height        int64  `json:"height"`
	Previous      string `json:"previousblockhash"`
	Time          int64  `json:"time"`
	Confirmations int64  `json:"confirmations"`
}

// Head implements the port. It asks for the node's identity each time.
func (a *Adapter) Head(ctx context.Context) (chainadapters.Header, error) {
	if _, err := a.Identity(ctx); err != nil {
		return chainadapters.Header{}, err
	}
	return a.head(ctx)
}

func (a *Adapter) head(ctx context.Context) (chainadapters.Header, error) {
	hash, err := must[string](ctx, a.rpc, "getbestblockhash")
	if err != nil {
		return chainadapters.Header{}, fmt.Errorf("read head: %w", err)
	}
	return a.header(ctx, hash)
}

// HeaderAt implements the port.
func (a *Adapter) HeaderAt(ctx context.Context, height uint64) (chainadapters.Header, error) {
	if err := a.ensure(ctx); err != nil {
		return chainadapters.Header{}, err
	}
	hash, err := a.hashAt(ctx, height)
	if err != nil {
		return chainadapters.Header{}, err
	}
	header, err := a.header(ctx, hash)
	if err == nil && header.Height != height {
		err = fmt.Errorf("%w: block %s at height %d says %d", chainadapters.ErrIncomplete, hash, height, header.Height)
	}
	if err != nil {
		return chainadapters.Header{}, err
	}
	return header, nil
}

// hashAt returns the hash at a height of the node's chain. A refusal is
// ErrNotFound only where the node's own height agrees.
func (a *Adapter) hashAt(ctx context.Context, height uint64) (string, error) {
	hash, err := must[string](ctx, a.rpc, "getblockhash", height)
	if err == nil {
		return hash, nil
	}
	if _, refused := refusal(err); !refused {
		return "", fmt.Errorf("read hash at %d: %w", height, err)
	}
	top, topErr := must[uint64](ctx, a.rpc, "getblockcount")
	switch {
	case topErr != nil:
		return "", fmt.Errorf("read height: %w", topErr)
	case height > top:
		return "", fmt.Errorf("height %d: %w: the node is at %d", height, chainadapters.ErrNotFound, top)
	}
	return "", fmt.Errorf("read hash at %d: %w: %w", height, chainadapters.ErrIncomplete, err)
}

func (a *Adapter) header(ctx context.Context, hash string) (chainadapters.Header, error) {
	v, err := must[headerView](ctx, a.rpc, "getblockheader", hash, true)
	if err != nil {
		if _, refused := refusal(err); refused {
			err = fmt.Errorf("%w: %w", chainadapters.ErrIncomplete, err)
		}
		return chainadapters.Header{}, fmt.Errorf("read header %s: %w", hash, err)
	}
	if v.Hash != hash || v.Height < 0 || (v.Height > 0 && len(v.Previous) != chainhash.MaxHashStringSize) {
		return chainadapters.Header{}, fmt.Errorf("read header %s: %w: it contradicts itself", hash, chainadapters.ErrIncomplete)
	}
	return chainadapters.Header{
		Ref:    chainadapters.Ref{Height: uint64(v.Height), Hash: hash},
		Parent: v.Previous, Time: time.Unix(v.Time, 0).UTC(),
	}, nil
}

// Block implements the port. Contracts do not exist here and are ignored. The
// raw block is checked against its hash and its Merkle root: nothing can be
// missing, and nothing can be there twice.
func (a *Adapter) Block(ctx context.Context, ref chainadapters.Ref, _ []string) (chainadapters.Block, error) {
	if err := a.ensure(ctx); err != nil {
		return chainadapters.Block{}, err
	}
	header, err := a.header(ctx, ref.Hash)
	if err != nil {
		return chainadapters.Block{}, err
	}
	if header.Height != ref.Height {
		return chainadapters.Block{}, fmt.Errorf("%w: block %s is at %d, not %d", chainadapters.ErrIncomplete, ref.Hash, header.Height, ref.Height)
	}
	text, err := must[string](ctx, a.rpc, "getblock", ref.Hash, 0)
	if err != nil {
		if _, refused := refusal(err); refused {
			err = fmt.Errorf("%w: %w", chainadapters.ErrIncomplete, err)
		}
		return chainadapters.Block{}, fmt.Errorf("read block %s: %w", ref.Hash, err)
	}
	raw, err := parseBlock(ref.Hash, text)
	if err != nil {
		return chainadapters.Block{}, fmt.Errorf("read block %s: %w: %w", ref.Hash, chainadapters.ErrIncomplete, err)
	}
	if raw.Header.PrevBlock.String() != header.Parent && header.Height > 0 {
		return chainadapters.Block{}, fmt.Errorf("read block %s: %w: its parent is another", ref.Hash, chainadapters.ErrIncomplete)
	}
	return a.view(header, raw), nil
}

// parseBlock reads a raw block and checks it against its hash.
func parseBlock(hash, text string) (*wire.MsgBlock, error) {
	data, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("decode hexadecimal: %w", err)
	}
	r := bytes.NewReader(data)
	var block wire.MsgBlock
	if err := block.Deserialize(r); err != nil {
		return nil, fmt.Errorf("decode block: %w", err)
	}
	switch {
	case r.Len() > 0:
		return nil, fmt.Errorf("%w: %d trailing bytes", errBlock, r.Len())
	case block.BlockHash().String() != hash:
		return nil, fmt.Errorf("%w: its hash is %s", errBlock, block.BlockHash())
	}
	return &block, checkMerkle(&block)
}

// checkMerkle compares the transactions with the header. A transaction that
// appears twice is refused: it can leave the root as it is (CVE-2012-2459).
func checkMerkle(block *wire.MsgBlock) error {
	if len(block.Transactions) == 0 {
		return fmt.Errorf("%w: no transaction", errBlock)
	}
	level := make([]chainhash.Hash, 0, len(block.Transactions)+1)
	seen := make(map[chainhash.Hash]bool, len(block.Transactions))
	for _, tx := range block.Transactions {
		txid := tx.TxHash()
		if seen[txid] {
			return fmt.Errorf("%w: %s is there twice", errBlock, txid)
		}
		seen[txid] = true
		level = append(level, txid)
	}
	for len(level) > 1 {
		if len(level)%2 == 1 {
			level = append(level, level[len(level)-1])
		}
		for i := 0; i < len(level); i += 2 {
			level[i/2] = chainhash.DoubleHashH(append(level[i][:], level[i+1][:]...))
		}
		level = level[:len(level)/2]
	}
	if level[0] != block.Header.MerkleRoot {
		return fmt.Errorf("%w: Merkle root does not match", errBlock)
	}
	return nil
}

// view lists what a block brought and took. Outputs without an address (bare
// scripts, data) belong to nobody that custody knows.
func (a *Adapter) view(header chainadapters.Header, raw *wire.MsgBlock) chainadapters.Block {
	block := chainadapters.Block{Header: header}
	for n, tx := range raw.Transactions {
		txid := tx.TxHash().String()
		block.TxIDs = append(block.TxIDs, txid)
		for vout, out := range tx.TxOut {
			address, known := a.params.Address(out.PkScript)
			if !known || out.Value <= 0 {
				continue
			}
			block.Movements = append(block.Movements, chainadapters.Movement{
				TxID: txid, Index: uint32(vout), To: address, Amount: money.FromUint64(uint64(out.Value)),
			})
		}
		if n > 0 { // the first transaction makes coins and spends none
			block.Spends = append(block.Spends, spends(txid, tx)...)
		}
	}
	return block
}

func spends(txid string, tx *wire.MsgTx) []chainadapters.Spend {
	all := make([]chainadapters.Spend, len(tx.TxIn))
	for i, in := range tx.TxIn {
		all[i] = chainadapters.Spend{TxID: txid, Outpoint: outpoint(in.PreviousOutPoint)}
	}
	return all
}

func outpoint(o wire.OutPoint) chainadapters.Outpoint {
	return chainadapters.Outpoint{TxID: o.Hash.String(), Vout: o.Index}
}
