package signer

import (
	"bytes"
	"errors"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/wire/v2"

	signerv1 "strongroom/internal/gen/signer/v1"
)

// hotMerge merges coins of the hot wallet with these values into one of amount.
func hotMerge(tb testing.TB, s *Signer, amount int64, values ...int64) *signerv1.SignRequest {
	tb.Helper()
	p := btcPlan{to: s.btcAddressOf(tb, hotPath), amount: amount}
	for _, v := range values {
		p.coins = append(p.coins, testCoin{byte(100 + len(p.coins)), hotPath, v})
	}
	req := btcRequest(tb, s, "col_1", p)
	req.Intent.Kind, req.Intent.ToPath = signerv1.IntentKind_INTENT_KIND_COLLECT, wirePath(hotPath)
	return req
}

// All that can exist is worth 84 million coins; nothing at all is worth no coin.
func TestCoinsAreWorthWhatCanExist(t *testing.T) {
	s := newSigner(t)
	const all = 84_000_000 * 100_000_000
	wantInvalid(t, s, hotMerge(t, s, 40_000, 41_000, 0), "a coin of nothing")
	wantInvalid(t, s, hotMerge(t, s, 40_000, 41_000, -1), "a coin of less than nothing")
	wantInvalid(t, s, hotMerge(t, s, all, all+1, 1), "a coin of more than there is")
	wantInvalid(t, s, hotMerge(t, s, all+1, all, 2), "a payment of more than there is")
	wantInvalid(t, s, hotMerge(t, s, all, all-1), "more than the coins hold")
	wantSigned(t, s, hotMerge(t, s, all, all, 2), "all that there is")
	wantInvalid(t, s, btcCancel(t, s, "wdr_1", 1, 50_000, 8), "all for the miners")
}

// A transaction has 256 inputs at most.
func TestBoundOfInputs(t *testing.T) {
	s := newSigner(t)
	packet := func(n int) []byte {
		tx := wire.NewMsgTx(2)
		for i := range n {
			in := wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{byte(i)}, uint32(i)), nil, nil)
			in.Sequence = replaceable
			tx.AddTxIn(in)
		}
		tx.AddTxOut(wire.NewTxOut(5, []byte{0x00}))
		p, err := psbt.NewFromUnsignedTx(tx)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.Inputs {
			p.Inputs[i].WitnessUtxo = wire.NewTxOut(1, []byte{0x00})
		}
		return packetBytes(t, p)
	}
	wantBound(t, "256 inputs", ErrInvalid, func(n int) error {
		_, err := decodePSBT(packet(256 + n))
		return err
	})
	req := btcWithdrawal(t, s, "wdr_1", 1, 2)
	req.InputPaths = req.GetInputPaths()[:1]
	wantInvalid(t, s, req, "a path too few")
	req.InputPaths = fill(3, wirePath(hotPath))
	wantInvalid(t, s, req, "a path too many")
}

// What leaves must go to somebody else, and what stays to a key that exists, on
// the branch that is meant for it.
func TestCoinsGoWhereTheyBelong(t *testing.T) {
	s := newSigner(t)
	home := btcPlan{to: s.btcAddressOf(t, hotPath), amount: 48_000, coins: []testCoin{{1, hotPath, 50_000}}}
	wantInvalid(t, s, btcRequest(t, s, "wdr_1", home), "a withdrawal to ourselves")
	for name, to := range map[string]keyPath{
		"a key that is not the address's": {accountHot, branchReceive, 1},
		"a branch for change":             {accountHot, branchChange, 0},
		"an index that has no key":        {accountHot, branchReceive, hardened},
		"an account that has none":        {accounts, branchReceive, 0},
	} {
		req := hotMerge(t, s, 40_000, 41_000)
		req.Intent.ToPath = wirePath(to)
		wantInvalid(t, s, req, name)
	}
	for name, path := range map[string]keyPath{
		"change that customers get":   {accountHot, branchReceive, 3},
		"change to a deposit address": {accountDeposit, branchChange, 3},
		"change to another key":       {accountHot, branchChange, 4},
		"change to no key":            {accountHot, branchChange, hardened},
	} {
		req := btcWithdrawal(t, s, "wdr_1", 1, 2)
		req.ChangePath = wirePath(path)
		wantInvalid(t, s, req, name)
	}
	for name, path := range map[string]keyPath{
		"a coin of another key":   {accountHot, branchReceive, 9},
		"a coin of a deposit":     depositPath,
		"a coin of no key at all": {accountHot, branchReceive, hardened},
		"a coin of no branch":     {accountHot, branchChange + 1, 0},
	} {
		req := btcWithdrawal(t, s, "wdr_1", 1, 2)
		req.InputPaths[1] = wirePath(path)
		wantInvalid(t, s, req, name)
	}
}

// Outputs are the payment once, and change once where it was announced.
func TestOutputsAreThePaymentAndChange(t *testing.T) {
	s := newSigner(t)
	pay, change := s.script(t, outsideBTC(t)), s.script(t, s.btcAddressOf(t, changePath))
	out := func(script []byte, value int64) *wire.TxOut { return wire.NewTxOut(value, script) }
	for name, outs := range map[string][]*wire.TxOut{
		"change only":             {out(change, 60_000), out(change, 38_000)},
		"the payment twice":       {out(pay, 60_000), out(pay, 38_000)},
		"two equal payments":      {out(pay, 49_000), out(pay, 49_000)},
		"a payment short of one":  {out(pay, 59_999), out(change, 38_000)},
		"no change":               {out(pay, 60_000)},
		"change of nothing":       {out(pay, 60_000), out(change, 0)},
		"change twice":            {out(pay, 60_000), out(change, 19_000), out(change, 19_000)},
		"nothing":                 {},
		"more than the coins":     {out(pay, 60_000), out(change, 40_001)},
		"a stranger's share":      {out(pay, 60_000), out([]byte{0x51}, 38_000)},
		"change to nobody":        {out(pay, 60_000), out(nil, 38_000)},
		"the payee's script, cut": {out(pay[:len(pay)-1], 60_000), out(change, 38_000)},
	} {
		wantInvalid(t, s, withOutputs(t, btcWithdrawal(t, s, "wdr_1", 1, 2), outs...), name)
	}
	wantSigned(t, s, withOutputs(t, btcWithdrawal(t, s, "wdr_1", 1, 2), out(change, 38_000), out(pay, 60_000)), "change first")
	unannounced := btcWithdrawal(t, s, "wdr_2", 3, 4)
	unannounced.ChangePath = nil
	wantInvalid(t, s, unannounced, "change that was not announced")
}

func (s *Signer) script(tb testing.TB, address string) []byte {
	tb.Helper()
	script, err := s.chains[btcName].(*bitcoinChain).params.Script(address)
	if err != nil {
		tb.Fatal(err)
	}
	return script
}

func withOutputs(t *testing.T, req *signerv1.SignRequest, outs ...*wire.TxOut) *signerv1.SignRequest {
	t.Helper()
	p, err := psbt.NewFromRawBytes(bytes.NewReader(req.GetUnsignedTx()), false)
	if err != nil {
		t.Fatal(err)
	}
	p.UnsignedTx.TxOut, p.Outputs = outs, make([]psbt.POutput, len(outs))
	req.UnsignedTx = packetBytes(t, p)
	return req
}

// A fee is bounded by the request and by the policy, up to the last unit.
func TestFeeOfCoinsIsBoundedTwice(t *testing.T) {
	s := newSigner(t)
	withFee := func(fee int64, most string) *signerv1.SignRequest {
		req := hotMerge(t, s, 150_000-fee, 150_000)
		req.MaxFee = most
		return req
	}
	wantRefused(t, s, withFee(2_001, "2000"), "above max_fee")
	wantRefused(t, s, withFee(100_001, "999999"), "above the ceiling")
	wantSigned(t, s, withFee(100_000, "100000"), "at both")
	if _, err := s.Sign(&signerv1.SignRequest{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("an empty request: %v", err)
	}
}
