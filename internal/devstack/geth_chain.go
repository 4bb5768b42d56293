package devstack

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// finalDepth is how far behind the head the finalized block is, as on anvil.
const finalDepth = 64

// zeroHash stands for "nothing" in the engine's API.
const zeroHash = "0x0000000000000000000000000000000000000000000000000000000000000000"

// gethBlock is what the miner reads of a block.
type gethBlock struct {
	Hash      string
	Number    string
	Timestamp string
}

// Mine makes n blocks. The first takes what the pool offers at the block's base
// fee.
func (g *Geth) Mine(ctx context.Context, n int) error { return g.cfg.Mine(ctx, n) }

// Mine is Geth.Mine for a node that somebody else started.
func (c GethConfig) Mine(ctx context.Context, n int) error {
	for range n {
		if err := c.commit(ctx, nil, ""); err != nil {
			return err
		}
	}
	return c.finalize(ctx)
}

// MineOnly makes one block of exactly these raw transactions, whatever the pool
// holds.
func (g *Geth) MineOnly(ctx context.Context, raw ...string) error {
	if raw == nil {
		raw = []string{}
	}
	if err := g.cfg.commit(ctx, raw, ""); err != nil {
		return err
	}
	return g.cfg.finalize(ctx)
}

// Reorg replaces the newest depth blocks by depth+1 others. The first of them holds
// exactly the raw transactions that are given; what was replaced may be back in the
// pool afterwards.
func (g *Geth) Reorg(ctx context.Context, depth int, raw ...string) error {
	head, err := g.cfg.block(ctx, "latest")
	if err != nil {
		return err
	}
	height, err := strconv.ParseInt(strings.TrimPrefix(head.Number, "0x"), 16, 64)
	if err != nil {
		return fmt.Errorf("read height: %w", err)
	}
	if err := g.Call(ctx, nil, "debug_setHead", hexInt(height-int64(depth))); err != nil {
		return wrap("rewind", err)
	}
	if raw == nil {
		raw = []string{}
	}
	for range depth + 1 {
		// The old head's name in the new blocks: what is made in the same second from
		// the same content would be the same block.
		if err := g.cfg.commit(ctx, raw, head.Hash); err != nil {
			return err
		}
		raw = []string{}
	}
	return g.cfg.finalize(ctx)
}

// commit adds one block: of the pool's transactions where raw is nil. Its time is
// now, or a second after its parent where blocks come faster. The tag, empty or
// hexadecimal, is its extra data.
func (c GethConfig) commit(ctx context.Context, raw []string, tag string) error {
	head, err := c.block(ctx, "latest")
	if err != nil {
		return err
	}
	before, err := strconv.ParseInt(strings.TrimPrefix(head.Timestamp, "0x"), 16, 64)
	if err != nil {
		return fmt.Errorf("read time of %s: %w", head.Hash, err)
	}
	at := max(time.Now().Unix(), before+1) //nolint:forbidigo // the node runs on the machine's clock
	attributes := map[string]any{
		"timestamp": hexInt(at), "prevRandao": head.Hash, "suggestedFeeRecipient": DevAccounts()[8],
		"withdrawals": []any{}, "parentBeaconBlockRoot": head.Hash,
	}
	var extra *string
	if tag != "" {
		extra = &tag
	}
	return wrap("make block", c.RPC().Call(ctx, nil, "testing_commitBlockV1", attributes, raw, extra))
}

// RawBlock returns a block of the node's chain in RLP, as Import takes it.
func (c GethConfig) RawBlock(ctx context.Context, height uint64) ([]byte, error) {
	var text string
	if err := c.RPC().Call(ctx, &text, "debug_getRawBlock", "0x"+strconv.FormatUint(height, 16)); err != nil {
		return nil, fmt.Errorf("ask for block %d: %w", height, err)
	}
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	return raw, wrap("read block", err)
}

// Import gives the node blocks, oldest first; the last is its head then. Blocks that
// it has are passed over.
func (c GethConfig) Import(ctx context.Context, blocks [][]byte) error {
	file := c.file("import.rlp")
	if err := os.WriteFile(file, slices.Concat(blocks...), 0o600); err != nil {
		return fmt.Errorf("write blocks: %w", err)
	}
	if err := c.RPC().Call(ctx, nil, "admin_importChain", file); err != nil {
		return fmt.Errorf("import blocks: %w", err)
	}
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("remove blocks: %w", err)
	}
	return c.finalize(ctx)
}

// finalize tells the node what its consensus side would: the head, and what can
// no longer be replaced.
func (c GethConfig) finalize(ctx context.Context) error {
	head, err := c.block(ctx, "latest")
	if err != nil {
		return err
	}
	height, err := strconv.ParseInt(strings.TrimPrefix(head.Number, "0x"), 16, 64)
	if err != nil {
		return fmt.Errorf("read height: %w", err)
	}
	final := gethBlock{Hash: zeroHash}
	if height >= finalDepth {
		if final, err = c.block(ctx, hexInt(height-finalDepth)); err != nil {
			return err
		}
	}
	engine, err := c.engine()
	if err != nil {
		return err
	}
	return wrap("finalize", engine.Call(ctx, nil, "engine_forkchoiceUpdatedV3", map[string]string{
		"headBlockHash": head.Hash, "safeBlockHash": final.Hash, "finalizedBlockHash": final.Hash,
	}, nil))
}

func (c GethConfig) block(ctx context.Context, which string) (gethBlock, error) {
	var block gethBlock
	err := c.RPC().Call(ctx, &block, "eth_getBlockByNumber", which, false)
	return block, wrap("ask for block "+which, err)
}

// engine returns a client of the consensus side's API, for a minute: its token
// says when it was made.
func (c GethConfig) engine() (RPC, error) {
	text, err := os.ReadFile(c.file("jwt.hex"))
	if err != nil {
		return RPC{}, fmt.Errorf("read secret: %w", err)
	}
	secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return RPC{}, fmt.Errorf("read secret: %w", err)
	}
	now := time.Now().Unix() //nolint:forbidigo // the node runs on the machine's clock
	encode := base64.RawURLEncoding.EncodeToString
	body := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(fmt.Appendf(nil, `{"iat":%d}`, now))
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(body))
	return RPC{URL: "http://" + Loopback(c.EnginePort), Bearer: body + "." + encode(mac.Sum(nil))}, nil
}
