package faucet

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/chainadapters/bitcoin/network"
	"strongroom/internal/devstack"
)

// Sizes and fees of the faucet's transactions.
const (
	satPerVByte    = 3
	inputVBytes    = 68
	outputVBytes   = 43 // the largest standard output; the rest is margin
	overheadVBytes = 11
	dustSats       = 6_000 // more than Litecoin's nodes ask for
	coinbaseDepth  = 100
	maxInputs      = 200
	maxScan        = 1_000_000 // blocks in one look at the chain
	maxPool        = 2_000     // transactions of the pool that are looked at
)

// purse is the faucet's money on one chain of the Bitcoin family.
type purse struct {
	chain  string
	rpc    devstack.RPC
	params network.Params
	key    *btcec.PrivateKey
	site   site
	wallet wallet
}

// site is where the coins are.
type site struct {
	address string
	script  []byte
}

// wallet is what the faucet knows of its coins: the chain up to a block, and
// what it spent since.
type wallet struct {
	mu     sync.Mutex
	height int64
	hash   string
	coins  map[wire.OutPoint]coin
	spent  map[wire.OutPoint]bool
}

type coin struct {
	sats     int64
	height   int64
	coinbase bool
}

func newWallet(genesis string) wallet {
	return wallet{hash: genesis, coins: map[wire.OutPoint]coin{}, spent: map[wire.OutPoint]bool{}}
}

// newPurse derives the key of the purse, the same on every chain: the first BIP 84
// key of the development phrase.
func newPurse(chain, name string, rpc devstack.RPC) (*purse, error) {
	params, known := network.ByName(name)
	if !known {
		return nil, fmt.Errorf("network %s is unknown", name)
	}
	key, err := derive(hardened+84, hardened+1, hardened, 0, 0)
	if err != nil {
		return nil, err
	}
	place, err := siteOf(params, key)
	if err != nil {
		return nil, err
	}
	return &purse{chain: chain, rpc: rpc, params: params, key: key, site: place, wallet: newWallet(params.Genesis)}, nil
}

func siteOf(params network.Params, key *btcec.PrivateKey) (site, error) {
	public := key.PubKey().SerializeCompressed()
	address, err := params.KeyAddress(public)
	if err != nil {
		return site{}, fmt.Errorf("make address: %w", err)
	}
	return site{address: address, script: network.KeyScript(public)}, nil
}

// SendBTC pays satoshi to an address on Bitcoin's regtest.
func (f *Faucet) SendBTC(ctx context.Context, to string, sats int64) (Sent, error) {
	return f.bitcoin.send(ctx, to, sats)
}

// SendLTC pays base units to an address on Litecoin's regtest.
func (f *Faucet) SendLTC(ctx context.Context, to string, units int64) (Sent, error) {
	return f.litecoin.send(ctx, to, units)
}

func (p *purse) send(ctx context.Context, to string, sats int64) (Sent, error) {
	if sats < dustSats {
		return Sent{}, fmt.Errorf("%d base units are dust; pay at least %d", sats, dustSats)
	}
	script, err := p.params.Script(to)
	if err != nil {
		return Sent{}, fmt.Errorf("%q is no address of %s: %w", to, p.chain, err)
	}
	w := &p.wallet
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := p.look(ctx); err != nil {
		return Sent{}, err
	}
	tx, err := p.pay(ctx, wire.NewTxOut(sats, script))
	if err != nil {
		return Sent{}, err
	}
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return Sent{}, fmt.Errorf("encode: %w", err)
	}
	sent := Sent{Chain: p.chain, TxID: tx.TxHash().String(), raw: hex.EncodeToString(raw.Bytes())}
	if err := p.rpc.Call(ctx, nil, "sendrawtransaction", sent.raw); err != nil {
		return Sent{}, fmt.Errorf("send: %w", err)
	}
	w.note(tx, p.site.script)
	return sent, nil
}

// note remembers what a transaction of ours consumed and gave back.
func (w *wallet) note(tx *wire.MsgTx, script []byte) {
	for _, in := range tx.TxIn {
		w.spent[in.PreviousOutPoint] = true
	}
	for i, out := range tx.TxOut {
		if bytes.Equal(out.PkScript, script) {
			w.coins[wire.OutPoint{Hash: tx.TxHash(), Index: uint32(i)}] = coin{sats: out.Value, height: w.height}
		}
	}
}

// pay picks coins, oldest first, and signs.
func (p *purse) pay(ctx context.Context, out *wire.TxOut) (*wire.MsgTx, error) {
	tx := wire.NewMsgTx(2)
	tx.AddTxOut(out)
	sums := txscript.NewMultiPrevOutFetcher(nil)
	var have, need int64
	taken, err := p.taken(ctx)
	if err != nil {
		return nil, err
	}
	for _, point := range p.wallet.usable() {
		c := p.wallet.coins[point]
		there, err := p.unspent(ctx, point)
		if err != nil {
			return nil, err
		}
		if !there || taken[point] {
			continue
		}
		tx.AddTxIn(wire.NewTxIn(&point, nil, nil))
		sums.AddPrevOut(point, wire.NewTxOut(c.sats, p.site.script))
		have += c.sats
		need = out.Value + satPerVByte*(overheadVBytes+inputVBytes*int64(len(tx.TxIn))+2*outputVBytes)
		if have >= need || len(tx.TxIn) == maxInputs {
			break
		}
	}
	if need == 0 || have < need {
		return nil, fmt.Errorf("%w: %d of %d satoshi; mine more blocks", ErrDry, have, out.Value)
	}
	if rest := have - need; rest >= dustSats {
		tx.AddTxOut(wire.NewTxOut(rest, p.site.script))
	}
	return tx, p.sign(tx, sums)
}

func (p *purse) sign(tx *wire.MsgTx, sums *txscript.MultiPrevOutFetcher) error {
	hashes := txscript.NewTxSigHashes(tx, sums)
	for i, in := range tx.TxIn {
		from := sums.FetchPrevOutput(in.PreviousOutPoint)
		witness, err := txscript.WitnessSignature(tx, hashes, i, from.Value, from.PkScript, txscript.SigHashAll, p.key, true)
		if err != nil {
			return fmt.Errorf("sign: %w", err)
		}
		in.Witness = witness
	}
	return nil
}

// usable lists the coins that a block could spend now, oldest first.
func (w *wallet) usable() []wire.OutPoint {
	var points []wire.OutPoint
	for point, c := range w.coins {
		if !w.spent[point] && (!c.coinbase || w.height-c.height >= coinbaseDepth) {
			points = append(points, point)
		}
	}
	sort.Slice(points, func(i, j int) bool {
		a, b := w.coins[points[i]], w.coins[points[j]]
		if a.height != b.height {
			return a.height < b.height
		}
		return points[i].String() < points[j].String()
	})
	return points
}

// taken lists the coins that the node's pool spends: another faucet may have
// been here.
func (p *purse) taken(ctx context.Context) (map[wire.OutPoint]bool, error) {
	var pool []string
	if err := p.rpc.Call(ctx, &pool, "getrawmempool"); err != nil {
		return nil, fmt.Errorf("ask for the pool: %w", err)
	}
	taken := map[wire.OutPoint]bool{}
	for _, txid := range pool[:min(len(pool), maxPool)] {
		var text string
		err := p.rpc.Call(ctx, &text, "getrawtransaction", txid, 0)
		if _, gone := errors.AsType[*devstack.RPCError](err); gone {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ask for %s: %w", txid, err)
		}
		var tx wire.MsgTx
		if err := tx.Deserialize(hex.NewDecoder(strings.NewReader(text))); err != nil {
			return nil, fmt.Errorf("read %s: %w", txid, err)
		}
		for _, in := range tx.TxIn {
			taken[in.PreviousOutPoint] = true
		}
	}
	return taken, nil
}

// unspent asks the node whether it knows the coin: our own change is unknown
// again where a killed node lost its pool.
func (p *purse) unspent(ctx context.Context, point wire.OutPoint) (bool, error) {
	var out *struct{}
	if err := p.rpc.Call(ctx, &out, "gettxout", point.Hash.String(), point.Index, true); err != nil {
		return false, fmt.Errorf("look at coin: %w", err)
	}
	return out != nil, nil
}

// look reads the blocks since the last look; after a reorganisation, all.
func (p *purse) look(ctx context.Context) error {
	w := &p.wallet
	var at string
	err := p.rpc.Call(ctx, &at, "getblockhash", w.height)
	var refusal *devstack.RPCError
	if errors.As(err, &refusal) || (err == nil && at != w.hash) {
		w.height, w.hash, w.coins, w.spent = 0, p.params.Genesis, map[wire.OutPoint]coin{}, map[wire.OutPoint]bool{}
	} else if err != nil {
		return fmt.Errorf("ask for block %d: %w", w.height, err)
	}
	var top int64
	if err := p.rpc.Call(ctx, &top, "getblockcount"); err != nil {
		return fmt.Errorf("ask for the height: %w", err)
	}
	for n := 0; w.height < top && n < maxScan; n++ {
		if err := p.read(ctx, w.height+1); err != nil {
			return err
		}
	}
	return nil
}

// read takes one block into the wallet.
func (p *purse) read(ctx context.Context, height int64) error {
	w := &p.wallet
	var hash, text string
	if err := p.rpc.Call(ctx, &hash, "getblockhash", height); err != nil {
		return fmt.Errorf("ask for block %d: %w", height, err)
	}
	if err := p.rpc.Call(ctx, &text, "getblock", hash, 0); err != nil {
		return fmt.Errorf("ask for block %s: %w", hash, err)
	}
	var block wire.MsgBlock
	if err := block.Deserialize(hex.NewDecoder(strings.NewReader(text))); err != nil {
		return fmt.Errorf("read block %s: %w", hash, err)
	}
	for i, tx := range block.Transactions {
		for _, in := range tx.TxIn {
			delete(w.coins, in.PreviousOutPoint)
			delete(w.spent, in.PreviousOutPoint)
		}
		for n, out := range tx.TxOut {
			if bytes.Equal(out.PkScript, p.site.script) {
				point := wire.OutPoint{Hash: tx.TxHash(), Index: uint32(n)}
				w.coins[point] = coin{sats: out.Value, height: height, coinbase: i == 0}
			}
		}
	}
	w.height, w.hash = height, hash
	return nil
}

func (p *purse) mined(ctx context.Context, s Sent) (bool, error) {
	var tx struct{ Confirmations uint64 }
	err := p.rpc.Call(ctx, &tx, "getrawtransaction", s.TxID, 1)
	if _, ok := errors.AsType[*devstack.RPCError](err); ok {
		return false, nil // the node does not know it
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", s.TxID, err)
	}
	return tx.Confirmations > 0, nil
}
