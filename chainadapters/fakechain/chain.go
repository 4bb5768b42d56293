// Package fakechain is a chain in memory for tests of what uses the chain port.
// It behaves like either family as far as the port can tell: blocks, pool,
// nonces or coins, replacement, reorganisation, faults. It is deterministic, is
// held to the same conformance suite as the real adapters, and secures nothing:
// whoever has the bytes can sign them. It never runs in production.
package fakechain

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"strongroom/chainadapters"
	"strongroom/money"
)

// blockInterval is the time between blocks.
const blockInterval = 10 * time.Second

// maxBlocks bounds one call of Mine and the depth of Reorg.
const maxBlocks = 10_000

// ErrConfig reports a Config or an order to the miner that makes no sense.
var ErrConfig = errors.New("fake chain")

// Config describes a fake chain.
type Config struct {
	Family  chainadapters.Family
	Network string    // part of every address and transaction; default "fakenet"
	Start   time.Time // of the genesis block; default 2026-01-01 UTC
}

// Chain is the network: its blocks and the pool of its one node. It is safe for
// concurrent use.
type Chain struct {
	family  chainadapters.Family
	network string
	start   time.Time
	genesis string

	mu     sync.Mutex
	blocks []*block
	now    *state // after the newest block
	pool   []*transaction
	salt   uint64 // makes the blocks of a reorganisation differ
	faucet uint64 // transactions from nowhere so far
	price  uint64 // least that miners take now; zero for any
}

// block is a mined block.
type block struct {
	header   chainadapters.Header
	base     money.Units // that its transactions paid per gas; the newest header says what the next will
	receipts []receipt
}

// New returns a chain that holds its genesis block. Errors wrap ErrConfig.
func New(cfg Config) (*Chain, error) {
	if cfg.Family != chainadapters.Account && cfg.Family != chainadapters.UTXO {
		return nil, fmt.Errorf("%w: family %d", ErrConfig, cfg.Family)
	}
	if cfg.Network == "" {
		cfg.Network = "fakenet"
	}
	if cfg.Start.IsZero() {
		cfg.Start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	c := &Chain{family: cfg.Family, network: cfg.Network, start: cfg.Start, now: newState(cfg.Family, tokenAddress(cfg.Network))}
	c.append(nil)
	c.genesis = c.blocks[0].header.Hash
	return c, nil
}

// Identity returns how the chain names itself.
func (c *Chain) Identity() chainadapters.Identity {
	return chainadapters.Identity{Network: c.network, Genesis: c.genesis}
}

// Token returns the canonical contract of the chain's token; empty on UTXO chains.
// It takes no native value: a payment of that to it fails.
func (c *Chain) Token() string {
	if c.family == chainadapters.UTXO {
		return ""
	}
	return tokenAddress(c.network)
}

// Mine adds n blocks; the first takes what it can of the pool, in order of
// arrival. Errors wrap ErrConfig.
func (c *Chain) Mine(n int) error {
	if n < 1 || n > maxBlocks {
		return fmt.Errorf("%w: mine %d blocks", ErrConfig, n)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.append(c.pool)
		c.prune()
	}
	return nil
}

// SetPrice makes miners leave what pays less, in the pool: on account chains by
// fee cap in wei per gas, which is the base fee of the blocks from now on; on
// UTXO chains by satoshi per 1,000 virtual bytes. Zero takes anything.
func (c *Chain) SetPrice(price uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.price = price
	c.blocks[len(c.blocks)-1].header.BaseFee = c.baseFee()
}

// baseFee is what a header says of the price.
func (c *Chain) baseFee() money.Units {
	if c.family == chainadapters.UTXO {
		return money.Units{}
	}
	return money.FromUint64(max(c.price, baseFee))
}

// cheap reports whether miners leave a transaction.
func (c *Chain) cheap(tx *transaction) bool {
	if c.price == 0 || tx.body.Faucet > 0 {
		return false
	}
	if c.family == chainadapters.Account {
		return tx.body.Fee.FeeCap.Less(money.FromUint64(c.price))
	}
	fee, err := c.now.feeOf(tx)
	size := sizeOf(len(tx.body.Inputs), len(tx.body.Outputs))
	return err == nil && fee.Less(money.FromUint64((size*c.price+999)/1000))
}

// Reorg replaces the newest depth blocks by depth+1 empty ones. On UTXO chains
// their transactions return to the pool, on account chains they are forgotten.
// Errors wrap ErrConfig.
func (c *Chain) Reorg(depth int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if depth < 1 || depth >= len(c.blocks) || depth > maxBlocks {
		return fmt.Errorf("%w: reorganise %d of %d blocks", ErrConfig, depth, len(c.blocks))
	}
	keep := len(c.blocks) - depth
	var gone []*transaction
	for _, b := range c.blocks[keep:] {
		for i := range b.receipts {
			gone = append(gone, b.receipts[i].tx)
		}
	}
	c.blocks = slices.Clone(c.blocks[:keep])
	c.now = c.stateAt(c.blocks[keep-1].header.Height)
	c.salt++
	for range depth + 1 {
		c.append(nil)
	}
	if c.family == chainadapters.UTXO {
		c.pool = append(gone, c.pool...)
	}
	c.prune()
	return nil
}

// DropPool makes the node forget what waits.
func (c *Chain) DropPool() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pool = nil
}

// Pay puts one transaction from nowhere into the pool, which makes all payments.
// On account chains it fails where it pays native value to the token. Errors
// wrap chainadapters.ErrAddress or ErrPlan.
func (c *Chain) Pay(payments ...chainadapters.Payment) (txid string, err error) {
	for _, p := range payments {
		if _, err := parseAddress(c.network, p.To); err != nil {
			return "", err
		}
		if p.Amount.IsZero() || (p.Contract != "" && p.Contract != c.Token()) {
			return "", fmt.Errorf("%w: %+v", chainadapters.ErrPlan, p)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faucet++
	tx, err := seal(body{Network: c.network, From: c.faucetFrom(), Nonce: c.faucet - 1, Faucet: c.faucet, Outputs: payments})
	if err != nil {
		return "", err
	}
	c.pool = append(c.pool, tx)
	return tx.id, nil
}

func (c *Chain) faucetFrom() string {
	if c.family == chainadapters.UTXO {
		return ""
	}
	return Address(c.network, "faucet")
}

// append mines one block from what of candidates is valid in order.
func (c *Chain) append(candidates []*transaction) {
	height := uint64(len(c.blocks))
	b := &block{base: c.baseFee()}
	c.now.base = b.base
	waiting := slices.Clone(candidates)
	for again := true; again; { // a transaction may wait for one that arrived later
		again = false
		waiting = slices.DeleteFunc(waiting, func(tx *transaction) bool {
			if c.cheap(tx) {
				return false
			}
			r, err := c.now.apply(tx)
			if err != nil {
				return false
			}
			b.receipts, again = append(b.receipts, r), true
			return true
		})
	}
	b.header = chainadapters.Header{
		Ref:     chainadapters.Ref{Height: height},
		Time:    c.start.Add(time.Duration(height) * blockInterval), //nolint:gosec // heights of tests
		BaseFee: c.baseFee(),
	}
	digest := sha256.New()
	if height > 0 {
		b.header.Parent = c.blocks[height-1].header.Hash
	}
	_, _ = fmt.Fprintf(digest, "%s %d %s %d %d", c.network, height, b.header.Parent, c.salt, c.family)
	for i := range b.receipts {
		_, _ = fmt.Fprintf(digest, " %s", b.receipts[i].tx.id)
	}
	b.header.Hash = hex.EncodeToString(digest.Sum(nil))
	c.blocks = append(c.blocks, b)
}

// prune drops from the pool what was mined and what can never be.
func (c *Chain) prune() {
	ahead := c.now.clone()
	waiting := c.pool
	c.pool = nil
	for _, tx := range waiting {
		if c.mined(tx.id) != nil {
			continue
		}
		_, err := ahead.apply(tx)
		if err == nil || errors.Is(err, errTooEarly) {
			c.pool = append(c.pool, tx)
		}
	}
}

// stateAt replays the chain up to a height.
func (c *Chain) stateAt(height uint64) *state {
	s := newState(c.family, tokenAddress(c.network))
	for _, b := range c.blocks[:height+1] {
		s.base = b.base
		for i := range b.receipts {
			_, _ = s.apply(b.receipts[i].tx) // it was applied before, in this order
		}
	}
	return s
}

// mined returns the block that holds a transaction, or nil.
func (c *Chain) mined(txid string) *block {
	for _, b := range slices.Backward(c.blocks) {
		if slices.ContainsFunc(b.receipts, func(r receipt) bool { return r.tx.id == txid }) {
			return b
		}
	}
	return nil
}

// Balance returns what an address holds after the newest block, pool excluded.
func (c *Chain) Balance(address, contract string) money.Units {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.balance(address, contract)
}
