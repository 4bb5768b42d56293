package safechain

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// Bounds of waiting for a block, and of what is paid.
const (
	askEvery   = 100 * time.Millisecond
	askAtMost  = 600           // times: a minute
	tipWei     = 1_000_000_000 // per gas, to the maker of the block
	feeHeadway = 2             // of the price now
)

// sender sends transactions of one key on a development chain.
type sender struct {
	ctx   context.Context //nolint:containedctx // lives for one deployment
	node  Node
	key   *ecdsa.PrivateKey
	from  common.Address
	chain *big.Int
	nonce uint64
	sent  []common.Hash
}

func newSender(ctx context.Context, node Node, key *ecdsa.PrivateKey) (*sender, error) {
	s := &sender{ctx: ctx, node: node, key: key, from: crypto.PubkeyToAddress(key.PublicKey)}
	var chain, nonce hexutil.Uint64
	if err := node.Call(ctx, &chain, "eth_chainId"); err != nil {
		return nil, fmt.Errorf("ask for chain: %w", err)
	}
	if err := node.Call(ctx, &nonce, "eth_getTransactionCount", s.from, "pending"); err != nil {
		return nil, fmt.Errorf("ask for nonce: %w", err)
	}
	s.chain, s.nonce = new(big.Int).SetUint64(uint64(chain)), uint64(nonce)
	return s, nil
}

func (s *sender) hasCode(at common.Address) (bool, error) {
	var code hexutil.Bytes
	if err := s.node.Call(s.ctx, &code, "eth_getCode", at, "latest"); err != nil {
		return false, fmt.Errorf("ask for code: %w", err)
	}
	return len(code) > 0, nil
}

// send signs and sends one transaction; a nil to creates a contract.
func (s *sender) send(to *common.Address, value *big.Int, data []byte) error {
	if value == nil {
		value = new(big.Int)
	}
	call := map[string]any{"from": s.from, "value": (*hexutil.Big)(value), "data": hexutil.Bytes(data)}
	if to != nil {
		call["to"] = to
	}
	var gas hexutil.Uint64
	if err := s.node.Call(s.ctx, &gas, "eth_estimateGas", call); err != nil {
		return fmt.Errorf("%w: estimate gas: %w", ErrDeploy, err)
	}
	var price hexutil.Big
	if err := s.node.Call(s.ctx, &price, "eth_gasPrice"); err != nil {
		return fmt.Errorf("ask for price: %w", err)
	}
	fee := new(big.Int).Mul(price.ToInt(), big.NewInt(feeHeadway))
	tx, err := types.SignNewTx(s.key, types.LatestSignerForChainID(s.chain), &types.DynamicFeeTx{
		ChainID: s.chain, Nonce: s.nonce, To: to, Value: value, Data: data, Gas: uint64(gas),
		GasTipCap: big.NewInt(tipWei), GasFeeCap: fee.Add(fee, big.NewInt(tipWei)),
	})
	if err != nil {
		return fmt.Errorf("%w: sign: %w", ErrDeploy, err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return fmt.Errorf("%w: encode: %w", ErrDeploy, err)
	}
	if err := s.node.Call(s.ctx, nil, "eth_sendRawTransaction", hexutil.Bytes(raw)); err != nil {
		return fmt.Errorf("%w: send: %w", ErrDeploy, err)
	}
	s.nonce++
	s.sent = append(s.sent, tx.Hash())
	return nil
}

func (s *sender) sendAndWait(to *common.Address, value *big.Int, data []byte) error {
	if err := s.send(to, value, data); err != nil {
		return err
	}
	return s.wait()
}

// wait returns once all that was sent is in blocks.
func (s *sender) wait() error {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for range askAtMost {
		open, err := s.open()
		if err != nil || open == 0 {
			return err
		}
		select {
		case <-s.ctx.Done():
			return fmt.Errorf("wait for block: %w", s.ctx.Err())
		case <-ticker.C:
		}
	}
	return fmt.Errorf("%w: no block has it", ErrDeploy)
}

// open is how many transactions are in no block yet.
func (s *sender) open() (int, error) {
	for len(s.sent) > 0 {
		var receipt *struct {
			Status hexutil.Uint64 `json:"status"`
		}
		if err := s.node.Call(s.ctx, &receipt, "eth_getTransactionReceipt", s.sent[0]); err != nil {
			return 0, fmt.Errorf("ask for receipt: %w", err)
		}
		if receipt == nil {
			break
		}
		if receipt.Status == 0 {
			return 0, fmt.Errorf("%w: transaction %s failed", ErrDeploy, s.sent[0])
		}
		s.sent = s.sent[1:]
	}
	return len(s.sent), nil
}
