// Package outside is the world beyond the platform on the development chains:
// people who pay deposits and whom withdrawals are paid to. It looks at the
// nodes by itself, so that it can contradict the platform.
package outside

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"syscall"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"strongroom/chainadapters/bitcoin/network"
	"strongroom/internal/devstack"
	"strongroom/internal/devstack/faucet"
	"strongroom/money"
)

// Config says which nodes are asked and what the token's contract is.
type Config struct {
	Bitcoin  devstack.RPC
	Litecoin devstack.RPC
	Ethereum devstack.RPC
	Token    string // contract of USDC
	// Lock is a file that all processes which pay on these nodes have in common: one
	// sends at a time, for they have the same coins and nonces. Empty where nobody else
	// pays.
	Lock string
}

// World pays and is paid.
type World struct {
	cfg    Config
	faucet *faucet.Faucet
}

// maxCoinUnits is all that can exist on a chain of the Bitcoin family.
const maxCoinUnits = 84e14

// ErrAsset reports an asset that the outside world does not know.
var ErrAsset = errors.New("outside: no such asset")

// The assets of development.
const (
	btc  = "BTC"
	ltc  = "LTC"
	eth  = "ETH"
	usdc = "USDC"
)

// New returns the world behind these nodes.
func New(cfg Config) (*World, error) {
	f, err := faucet.New(faucet.Config{Bitcoin: cfg.Bitcoin, Litecoin: cfg.Litecoin, Ethereum: cfg.Ethereum})
	if err != nil {
		return nil, fmt.Errorf("open faucet: %w", err)
	}
	return &World{cfg: cfg, faucet: f}, nil
}

// Pay sends units to an address and waits until they are in a block, handing the
// same bytes over again where a node forgot them.
func (w *World) Pay(ctx context.Context, asset, to string, units money.Units) (string, error) {
	sent, err := w.alone(func() (faucet.Sent, error) { return w.send(ctx, asset, to, units) })
	if err != nil {
		return "", err
	}
	if err := w.faucet.Await(ctx, sent); err != nil {
		return "", fmt.Errorf("await payment: %w", err)
	}
	return sent.TxID, nil
}

// alone sends while no other process does.
func (w *World) alone(send func() (faucet.Sent, error)) (faucet.Sent, error) {
	if w.cfg.Lock == "" {
		return send()
	}
	file, err := os.OpenFile(w.cfg.Lock, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return faucet.Sent{}, fmt.Errorf("open lock of payers: %w", err)
	}
	defer func() { _ = file.Close() }() // which gives the lock back
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return faucet.Sent{}, fmt.Errorf("lock payers: %w", err)
	}
	return send()
}

func (w *World) send(ctx context.Context, asset, to string, units money.Units) (faucet.Sent, error) {
	var sent faucet.Sent
	var err error
	switch asset {
	case btc, ltc:
		pay := w.faucet.SendBTC
		if asset == ltc {
			pay = w.faucet.SendLTC
		}
		n, ok := units.Uint64()
		if !ok || n > maxCoinUnits {
			return sent, fmt.Errorf("pay %s: %w", asset, money.ErrRange)
		}
		sent, err = pay(ctx, to, int64(n))
	case eth:
		sent, err = w.faucet.SendETH(ctx, to, units)
	case usdc:
		sent, err = w.faucet.SendToken(ctx, w.cfg.Token, to, units)
	default:
		return sent, fmt.Errorf("%w: %s", ErrAsset, asset)
	}
	if err != nil {
		return sent, fmt.Errorf("pay %s: %w", asset, err)
	}
	return sent, nil
}

// Address returns the address of a key that the label decides.
func (w *World) Address(asset, label string) (string, error) {
	seed := sha256.Sum256([]byte("strongroom outside world\n" + asset + "\n" + label))
	switch asset {
	case btc, ltc:
		name := map[string]string{btc: "regtest", ltc: "litecoin-regtest"}[asset]
		params, _ := network.ByName(name)
		key, _ := btcec.PrivKeyFromBytes(seed[:])
		a, err := params.KeyAddress(key.PubKey().SerializeCompressed())
		if err != nil {
			return "", fmt.Errorf("make address: %w", err)
		}
		return a, nil
	case eth, usdc:
		key, err := crypto.ToECDSA(seed[:])
		if err != nil {
			return "", fmt.Errorf("make key: %w", err)
		}
		return crypto.PubkeyToAddress(key.PublicKey).Hex(), nil
	}
	return "", fmt.Errorf("%w: %s", ErrAsset, asset)
}

// Balance returns what the nodes say that an address has, in blocks.
func (w *World) Balance(ctx context.Context, asset, at string) (money.Units, error) {
	switch asset {
	case btc:
		return w.received(ctx, at)
	case ltc:
		return w.unspent(ctx, at)
	case eth:
		return w.quantity(ctx, "eth_getBalance", at, "latest")
	case usdc:
		const balanceOf = "0x70a08231" // keccak("balanceOf(address)")
		call := map[string]string{
			"to":   w.cfg.Token,
			"data": balanceOf + strings.Repeat("0", 24) + strings.TrimPrefix(strings.ToLower(at), "0x"),
		}
		return w.quantity(ctx, "eth_call", call, "latest")
	}
	return money.Units{}, fmt.Errorf("%w: %s", ErrAsset, asset)
}

func (w *World) quantity(ctx context.Context, method string, params ...any) (money.Units, error) {
	var text string
	if err := w.cfg.Ethereum.Call(ctx, &text, method, params...); err != nil {
		return money.Units{}, fmt.Errorf("read balance: %w", err)
	}
	if method == "eth_call" {
		return units(new(big.Int).SetBytes(common.FromHex(text)))
	}
	n, err := hexutil.DecodeBig(text)
	if err != nil {
		return money.Units{}, fmt.Errorf("read balance: %w", err)
	}
	return units(n)
}

func units(n *big.Int) (money.Units, error) {
	u, err := money.FromBig(n)
	if err != nil {
		return u, fmt.Errorf("read balance: %w", err)
	}
	return u, nil
}

// received sums what a Bitcoin address was ever paid in blocks; the addresses of
// this world never spend.
func (w *World) received(ctx context.Context, at string) (money.Units, error) {
	const most = 1000
	var txs []struct {
		Confirmations uint64
		Vout          []struct {
			Value        jsonSats
			ScriptPubKey struct {
				Address   string
				Addresses []string
			}
		}
	}
	err := w.cfg.Bitcoin.Call(ctx, &txs, "searchrawtransactions", at, 1, 0, most)
	var refused *devstack.RPCError
	if errors.As(err, &refused) && refused.Code == noTransactions {
		return money.Units{}, nil
	}
	if err != nil {
		return money.Units{}, fmt.Errorf("read balance: %w", err)
	}
	var total money.Units
	for _, tx := range txs {
		for _, out := range tx.Vout {
			mine := out.ScriptPubKey.Address == at || (len(out.ScriptPubKey.Addresses) == 1 && out.ScriptPubKey.Addresses[0] == at)
			if !mine || tx.Confirmations == 0 {
				continue
			}
			if total, err = total.Add(out.Value.Units); err != nil {
				return total, fmt.Errorf("sum outputs: %w", err)
			}
		}
	}
	return total, nil
}

// unspent sums what a Litecoin address has in blocks: its node has no index of
// addresses and looks through all unspent outputs.
func (w *World) unspent(ctx context.Context, at string) (money.Units, error) {
	var found struct {
		Success bool
		Total   jsonSats `json:"total_amount"`
	}
	err := w.cfg.Litecoin.Call(ctx, &found, "scantxoutset", "start", []string{"addr(" + at + ")"})
	if err != nil || !found.Success {
		return money.Units{}, fmt.Errorf("read balance: %w", errors.Join(err, errScan(found.Success)))
	}
	return found.Total.Units, nil
}

// errScan says that a scan was cut short.
func errScan(whole bool) error {
	if whole {
		return nil
	}
	return errors.New("the node did not finish its scan")
}

// noTransactions is btcd's code for an address that it has never seen.
const noTransactions = -5

// jsonSats reads a JSON number of bitcoins exactly.
type jsonSats struct{ money.Units }

// UnmarshalJSON takes the digits as they stand, for a float would round them.
func (s *jsonSats) UnmarshalJSON(b []byte) (err error) {
	text := string(b)
	if mantissa, exponent, ok := strings.Cut(text, "e-"); ok { // 1e-05 for small sums
		text, err = shift(mantissa, exponent)
		if err != nil {
			return err
		}
	}
	if s.Units, err = (money.Asset{Code: btc, Scale: 8}).Parse(text); err != nil {
		return fmt.Errorf("read output value: %w", err)
	}
	return nil
}

// shift writes mantissa·10^-exponent without an exponent.
func shift(mantissa, exponent string) (string, error) {
	var places int
	if _, err := fmt.Sscanf(exponent, "%d", &places); err != nil || places < 1 || places > 8 {
		return "", fmt.Errorf("read output value %se-%s: %w", mantissa, exponent, money.ErrSyntax)
	}
	whole, decimals, _ := strings.Cut(mantissa, ".")
	return "0." + strings.Repeat("0", places-len(whole)) + whole + decimals, nil
}
