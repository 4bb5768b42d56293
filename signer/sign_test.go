package signer

import (
	"bytes"
	"errors"
	"strconv"
	"testing"

	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/ethereum/go-ethereum/core/types"
	"google.golang.org/protobuf/proto"

	signerv1 "strongroom/internal/gen/signer/v1"
)

// everyKind returns one well-formed request of each kind and family.
func everyKind(tb testing.TB, s *Signer) map[string]*signerv1.SignRequest {
	tb.Helper()
	return map[string]*signerv1.SignRequest{
		"eth withdrawal":   ethWithdrawal(tb, "wdr_a1", 0, 500),
		"token withdrawal": tokenWithdrawal(tb, "wdr_a2", 1, 500),
		"token collect":    tokenCollect(tb, s, "col_a3", 0, 500),
		"gas top-up":       gasTopUp(tb, s, "gas_a4", 2, 500),
		"btc withdrawal":   btcWithdrawal(tb, s, "wdr_a5", 1, 2),
		"btc collect":      btcCollect(tb, s, "col_a6"),
		"eth cancel":       ethCancel(tb, s, "wdr_a7", 1, 3, 1e9),
		"collect cancel":   cancelOf(tb, s, "col_a8", 1, 1, 1e9, depositPath),
		"btc cancel":       btcCancel(tb, s, "wdr_a9", 1, 2_000, 20, 21),
	}
}

func TestEachKindIsSignedAndRepeats(t *testing.T) {
	s := newSigner(t)
	for name, req := range everyKind(t, s) {
		t.Run(name, func(t *testing.T) {
			first, err := s.Sign(req)
			if err != nil {
				t.Fatalf("sign: %v", err)
			}
			entries := s.journal.head.seq
			again, err := s.Sign(clone(req))
			if err != nil || !proto.Equal(first, again) {
				t.Fatalf("the same request gave another answer: %v", err)
			}
			if s.journal.head.seq != entries {
				t.Error("a repeated request grew the journal")
			}
		})
	}
}

// The EVM signature is checked by another implementation of the encoding.
func TestEVMTransactionReadsAsTheIntent(t *testing.T) {
	s := newSigner(t)
	out, err := s.Sign(tokenWithdrawal(t, "wdr_1", 9, 700))
	if err != nil {
		t.Fatal(err)
	}
	var tx types.Transaction
	if err := tx.UnmarshalBinary(out.GetRawTx()); err != nil {
		t.Fatalf("decode: %v", err)
	}
	from, err := types.Sender(types.LatestSignerForChainID(tx.ChainId()), &tx)
	if err != nil || from != s.evmAddressOf(t, hotPath) {
		t.Errorf("sender %s: %v", from, err)
	}
	if tx.Hash().Hex() != out.GetTxid() || tx.Nonce() != 9 {
		t.Errorf("txid %s, nonce %d; answer said %s", tx.Hash(), tx.Nonce(), out.GetTxid())
	}
	want := transferCall(outsider(), units(700))
	if !bytes.Equal(tx.Data(), want) || tx.Value().Sign() != 0 {
		t.Errorf("calldata %x", tx.Data())
	}
}

func TestBitcoinTransactionVerifies(t *testing.T) {
	s := newSigner(t)
	out, err := s.Sign(btcWithdrawal(t, s, "wdr_1", 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(out.GetRawTx())); err != nil {
		t.Fatal(err)
	}
	if tx.TxHash().String() != out.GetTxid() || len(tx.TxOut) != 2 || tx.TxOut[0].Value != 60_000 {
		t.Errorf("transaction %s with %d outputs", tx.TxHash(), len(tx.TxOut))
	}
	script, _ := s.chains[btcName].(*bitcoinChain).params.Script(s.btcAddressOf(t, hotPath))
	fetcher := txscript.NewCannedPrevOutputFetcher(script, 50_000)
	vm, err := txscript.NewEngine(script, &tx, 1, txscript.StandardVerifyFlags, nil, txscript.NewTxSigHashes(&tx, fetcher), 50_000, fetcher)
	if err != nil {
		t.Fatal(err)
	}
	if err := vm.Execute(); err != nil {
		t.Errorf("input 1: %v", err)
	}
}

func TestFrozenSignerSignsNothing(t *testing.T) {
	s := newSigner(t)
	req := ethWithdrawal(t, "wdr_1", 0, 5)
	if _, err := s.Sign(req); err != nil {
		t.Fatal(err)
	}
	if err := Freeze(s.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Sign(req); !errors.Is(err, ErrFrozen) {
		t.Errorf("a repeated request: %v", err)
	}
	if st, err := s.Status(); err != nil || !st.GetFrozen() {
		t.Errorf("status %v: %v", st, err)
	}
}

// BenchmarkSign gives what one signer does: decode, judge, commit, sign, verify.
func BenchmarkSign(b *testing.B) {
	cfg := testConfig(b.TempDir(), newClock())
	wide := units(1e18)
	cfg.Policy.Assets[0].Withdrawal = Caps{PerTransaction: wide, PerHour: wide, PerDay: wide}
	s := openSigner(b, cfg)
	b.Cleanup(func() { _ = s.Close() })
	n := uint64(0)
	for b.Loop() {
		if _, err := s.Sign(ethWithdrawal(b, "wdr_"+strconv.FormatUint(n, 10), n, 1)); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
