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

	btcaddress "github.com/btcsuite/btcd/address/v2"
	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"strongroom/internal/devstack"
)

// Sizes and fees of the faucet's transactions.
const (
	satPerVByte    = 3
	inputVBytes    = 68
	outputVBytes   = 43 // the largest standard output; the rest is margin
	overheadVBytes = 11
	dustSats       = 1_000
	coinbaseDepth  = 100
	maxInputs      = 200
	maxScan        = 1_000_000 // blocks in one look at the chain
	maxPool        = 2_000     // transactions of the pool that are looked at
)

// site is where the faucet's coins are.
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

func newWallet() wallet {
	return wallet{
		hash: devstack.RegtestGenesis, coins: map[wire.OutPoint]coin{}, spent: map[wire.OutPoint]bool{},
	}
}

func siteOf(key *btcec.PrivateKey) (site, error) {
	program := btcaddress.Hash160(key.PubKey().SerializeCompressed())
	address, err := btcaddress.NewAddressWitnessPubKeyHash(program, &chaincfg.RegressionNetParams)
	if err != nil {
		return site{}, fmt.Errorf("make address: %w", err)
	}
	script, err := txscript.PayToAddrScript(address)
	if err != nil {
		return site{}, fmt.Errorf("make script: %w", err)
	}
	return site{address: address.EncodeAddress(), script: script}, nil
}

// SendBTC pays satoshi to a regtest address.
func (f *Faucet) SendBTC(ctx context.Context, to string, sats int64) (Sent, error) {
	if sats < dustSats {
		return Sent{}, fmt.Errorf("%d satoshi are dust; pay at least %d", sats, dustSats)
	}
	target, err := btcaddress.DecodeAddress(to, &chaincfg.RegressionNetParams)
	if err != nil || !target.IsForNet(&chaincfg.RegressionNetParams) {
		return Sent{}, fmt.Errorf("%q is not a regtest address: %w", to, errors.Join(err))
	}
	script, err := txscript.PayToAddrScript(target)
	if err != nil {
		return Sent{}, fmt.Errorf("make script: %w", err)
	}
	w := &f.wallet
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := f.look(ctx); err != nil {
		return Sent{}, err
	}
	tx, err := f.pay(ctx, wire.NewTxOut(sats, script))
	if err != nil {
		return Sent{}, err
	}
	var raw bytes.Buffer
	if err := tx.Serialize(&raw); err != nil {
		return Sent{}, fmt.Errorf("encode: %w", err)
	}
	sent := Sent{Chain: bitcoinChain, TxID: tx.TxHash().String(), raw: hex.EncodeToString(raw.Bytes())}
	if err := f.cfg.Bitcoin.Call(ctx, nil, "sendrawtransaction", sent.raw); err != nil {
		return Sent{}, fmt.Errorf("send: %w", err)
	}
	w.note(tx, f.btcSite.script)
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
func (f *Faucet) pay(ctx context.Context, out *wire.TxOut) (*wire.MsgTx, error) {
	tx := wire.NewMsgTx(2)
	tx.AddTxOut(out)
	sums := txscript.NewMultiPrevOutFetcher(nil)
	var have, need int64
	taken, err := f.taken(ctx)
	if err != nil {
		return nil, err
	}
	for _, point := range f.wallet.usable() {
		c := f.wallet.coins[point]
		there, err := f.unspent(ctx, point)
		if err != nil {
			return nil, err
		}
		if !there || taken[point] {
			continue
		}
		tx.AddTxIn(wire.NewTxIn(&point, nil, nil))
		sums.AddPrevOut(point, wire.NewTxOut(c.sats, f.btcSite.script))
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
		tx.AddTxOut(wire.NewTxOut(rest, f.btcSite.script))
	}
	return tx, f.sign(tx, sums)
}

func (f *Faucet) sign(tx *wire.MsgTx, sums *txscript.MultiPrevOutFetcher) error {
	hashes := txscript.NewTxSigHashes(tx, sums)
	for i, in := range tx.TxIn {
		from := sums.FetchPrevOutput(in.PreviousOutPoint)
		witness, err := txscript.WitnessSignature(tx, hashes, i, from.Value, from.PkScript, txscript.SigHashAll, f.btcKey, true)
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
func (f *Faucet) taken(ctx context.Context) (map[wire.OutPoint]bool, error) {
	var pool []string
	if err := f.cfg.Bitcoin.Call(ctx, &pool, "getrawmempool"); err != nil {
		return nil, fmt.Errorf("ask for the pool: %w", err)
	}
	taken := map[wire.OutPoint]bool{}
	for _, txid := range pool[:min(len(pool), maxPool)] {
		var text string
		err := f.cfg.Bitcoin.Call(ctx, &text, "getrawtransaction", txid, 0)
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
func (f *Faucet) unspent(ctx context.Context, point wire.OutPoint) (bool, error) {
	var out *struct{}
	if err := f.cfg.Bitcoin.Call(ctx, &out, "gettxout", point.Hash.String(), point.Index, true); err != nil {
		return false, fmt.Errorf("look at coin: %w", err)
	}
	return out != nil, nil
}

// look reads the blocks since the last look; after a reorganisation, all.
func (f *Faucet) look(ctx context.Context) error {
	w := &f.wallet
	var at string
	err := f.cfg.Bitcoin.Call(ctx, &at, "getblockhash", w.height)
	var refusal *devstack.RPCError
	if errors.As(err, &refusal) || (err == nil && at != w.hash) {
		w.height, w.hash, w.coins, w.spent = 0, devstack.RegtestGenesis, map[wire.OutPoint]coin{}, map[wire.OutPoint]bool{}
	} else if err != nil {
		return fmt.Errorf("ask for block %d: %w", w.height, err)
	}
	var top int64
	if err := f.cfg.Bitcoin.Call(ctx, &top, "getblockcount"); err != nil {
		return fmt.Errorf("ask for the height: %w", err)
	}
	for n := 0; w.height < top && n < maxScan; n++ {
		if err := f.read(ctx, w.height+1); err != nil {
			return err
		}
	}
	return nil
}

// read takes one block into the wallet.
func (f *Faucet) read(ctx context.Context, height int64) error {
	w := &f.wallet
	var hash, text string
	if err := f.cfg.Bitcoin.Call(ctx, &hash, "getblockhash", height); err != nil {
		return fmt.Errorf("ask for block %d: %w", height, err)
	}
	if err := f.cfg.Bitcoin.Call(ctx, &text, "getblock", hash, 0); err != nil {
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
			if bytes.Equal(out.PkScript, f.btcSite.script) {
				point := wire.OutPoint{Hash: tx.TxHash(), Index: uint32(n)}
				w.coins[point] = coin{sats: out.Value, height: height, coinbase: i == 0}
			}
		}
	}
	w.height, w.hash = height, hash
	return nil
}

func (f *Faucet) bitcoinMined(ctx context.Context, s Sent) (bool, error) {
	var tx struct{ Confirmations uint64 }
	err := f.cfg.Bitcoin.Call(ctx, &tx, "getrawtransaction", s.TxID, 1)
	if _, ok := errors.AsType[*devstack.RPCError](err); ok {
		return false, nil // the node does not know it
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", s.TxID, err)
	}
	return tx.Confirmations > 0, nil
}
