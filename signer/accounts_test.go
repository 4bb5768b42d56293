package signer

import (
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"

	signerv1 "strongroom/internal/gen/signer/v1"
)

// payTo is a withdrawal to an address, in the request and in the transaction.
func payTo(t *testing.T, to common.Address) *signerv1.SignRequest {
	t.Helper()
	req := ethWithdrawal(t, "wdr_1", 0, 5)
	req.Intent.To, req.UnsignedTx = to.Hex(), plainPayload(0, to, 5).bytes(t)
	return req
}

// Money that leaves must arrive with somebody who can use it.
func TestWithdrawalsReachAnOutsider(t *testing.T) {
	s := newSigner(t)
	other := keyPath{accountHot, branchReceive, 5}
	wantInvalid(t, s, payTo(t, common.Address{}), "to nobody")
	wantInvalid(t, s, payTo(t, s.evmAddressOf(t, hotPath)), "to the sender")
	wantInvalid(t, s, payTo(t, common.HexToAddress(tokenHex)), "to a token's contract")
	for name, to := range map[string]common.Address{"the hot wallet": s.evmAddressOf(t, hotPath), "its own sender": s.evmAddressOf(t, other)} {
		req := payTo(t, to)
		req.FromPath = wirePath(other)
		wantInvalid(t, s, req, "from another key of the hot wallet to "+name)
	}
	deposit := payTo(t, outsider())
	deposit.FromPath = wirePath(depositPath)
	wantInvalid(t, s, deposit, "from a customer's deposit address")
	wantSigned(t, s, payTo(t, outsider()), "to an outsider")
}

// What stays in the house ends where its kind says, at a key that exists.
func TestMovesOfTheHouseEndAtItsKeys(t *testing.T) {
	s := newSigner(t)
	for name, to := range map[string]keyPath{
		"another key of the hot wallet": {accountHot, branchReceive, 1},
		"a deposit address":             {accountDeposit, branchReceive, 0},
		"the branch for change":         {accountHot, branchChange, 0},
	} {
		req := tokenCollect(t, s, "col_1", 0, 5)
		req.Intent.To, req.Intent.ToPath = s.evmAddressOf(t, to).Hex(), wirePath(to)
		req.UnsignedTx = tokenPayload(0, s.evmAddressOf(t, to), 5).bytes(t)
		wantInvalid(t, s, req, "a collection to "+name)
	}
	for name, to := range map[string]keyPath{
		"a key that is not the address's": {accountDeposit, branchReceive, 8},
		"an index that has no key":        {accountDeposit, branchReceive, hardened},
	} {
		req := gasTopUp(t, s, "gas_1", 0, 5)
		req.Intent.ToPath = wirePath(to)
		wantInvalid(t, s, req, "gas for "+name)
	}
	missing := ethWithdrawal(t, "wdr_1", 0, 5)
	missing.FromPath = wirePath(keyPath{accountHot, branchReceive, hardened})
	wantInvalid(t, s, missing, "a sender that has no key")
	token := gasTopUp(t, s, "gas_1", 0, 5)
	token.Intent.Asset, token.Intent.Contract = "TUSD", tokenHex
	token.UnsignedTx = tokenPayload(0, s.evmAddressOf(t, depositPath), 5).bytes(t)
	wantInvalid(t, s, token, "gas in a token")
	wantSigned(t, s, gasTopUp(t, s, "gas_1", 0, 5), "gas")
}

// A transaction does what its intent says and nothing beside it.
func TestTransactionIsWhatTheIntentSays(t *testing.T) {
	s := newSigner(t)
	for name, change := range map[string]func(p *evmPayload){
		"another receiver": func(p *evmPayload) { p.To = common.Address{1} },
		"more":             func(p *evmPayload) { p.Value.SetInt64(6) },
		"less":             func(p *evmPayload) { p.Value.SetInt64(4) },
		"a call":           func(p *evmPayload) { p.Data = []byte{0} },
		"another chain":    func(p *evmPayload) { p.ChainID.SetInt64(1) },
		"an access list":   func(p *evmPayload) { p.AccessList = []rlp.RawValue{{0xc0}} },
		"a tip above all":  func(p *evmPayload) { p.TipCap.SetInt64(2e9 + 1) },
		"a fee beyond 256 bits": func(p *evmPayload) {
			p.FeeCap.Lsh(big.NewInt(1), 256)
			p.TipCap.SetInt64(1)
		},
		"a fee that overflows": func(p *evmPayload) { p.FeeCap.Lsh(big.NewInt(1), 250) },
	} {
		p := plainPayload(0, outsider(), 5)
		change(&p)
		req := ethWithdrawal(t, "wdr_1", 0, 5)
		req.UnsignedTx = p.bytes(t)
		wantInvalid(t, s, req, name)
	}
	for name, change := range map[string]func(p *evmPayload){
		"another contract":  func(p *evmPayload) { p.To = common.Address{1} },
		"ether beside it":   func(p *evmPayload) { p.Value.SetInt64(1) },
		"more tokens":       func(p *evmPayload) { p.Data = transferCall(outsider(), units(6)) },
		"another receiver":  func(p *evmPayload) { p.Data = transferCall(common.Address{1}, units(5)) },
		"a longer call":     func(p *evmPayload) { p.Data = append(p.Data, 0) },
		"no call":           func(p *evmPayload) { p.Data = nil },
		"another's balance": func(p *evmPayload) { p.Data[0] ^= 1 },
	} {
		p := tokenPayload(0, outsider(), 5)
		change(&p)
		req := tokenWithdrawal(t, "wdr_1", 0, 5)
		req.UnsignedTx = p.bytes(t)
		wantInvalid(t, s, req, "a token payment with "+name)
	}
	allTip := plainPayload(0, outsider(), 5)
	allTip.TipCap.SetInt64(2e9)
	req := ethWithdrawal(t, "wdr_1", 0, 5)
	req.UnsignedTx = allTip.bytes(t)
	wantSigned(t, s, req, "a tip as high as the cap")
}

// A request for one family names nothing that belongs to another.
func TestPathsBelongToTheFamily(t *testing.T) {
	s := newSigner(t)
	for name, change := range map[string]func(req *signerv1.SignRequest){
		"no sender": func(req *signerv1.SignRequest) { req.FromPath = nil },
		"coins":     func(req *signerv1.SignRequest) { req.InputPaths = fill(1, wirePath(hotPath)) },
		"change":    func(req *signerv1.SignRequest) { req.ChangePath = wirePath(changePath) },
		"no bytes":  func(req *signerv1.SignRequest) { req.UnsignedTx = []byte{dynamicFeeType} },
		"old form":  func(req *signerv1.SignRequest) { req.UnsignedTx[0] = 1 },
		"more":      func(req *signerv1.SignRequest) { req.UnsignedTx = append(req.UnsignedTx, 0) },
	} {
		req := ethWithdrawal(t, "wdr_1", 0, 5)
		change(req)
		wantInvalid(t, s, req, "an account's payment with "+name)
	}
	for name, change := range map[string]func(req *signerv1.SignRequest){
		"a sender":   func(req *signerv1.SignRequest) { req.FromPath = wirePath(hotPath) },
		"a contract": func(req *signerv1.SignRequest) { req.Intent.Contract = tokenHex },
		"more":       func(req *signerv1.SignRequest) { req.UnsignedTx = append(req.UnsignedTx, 0) },
	} {
		req := btcWithdrawal(t, s, "wdr_1", 1, 2)
		change(req)
		wantInvalid(t, s, req, "a payment of coins with "+name)
	}
	cancel := btcCancel(t, s, "wdr_1", 1, 2_000, 1)
	cancel.ChangePath = wirePath(changePath)
	wantInvalid(t, s, cancel, "a cancellation with change")
}

func TestAddressesHaveOneForm(t *testing.T) {
	good := common.HexToAddress(outsideEVM).Hex()
	for text, want := range map[string]bool{
		outsideEVM: true, good: true, "": false, outsideEVM[2:]: false, outsideEVM + "0": false,
		outsideEVM[:41]: false, "0X" + outsideEVM[2:]: false, "00" + outsideEVM[2:]: false,
		"0x" + strings.ToUpper(outsideEVM[2:]): false, outsideEVM[:41] + "g": false,
		strings.Replace(good, "C", "c", 1): false,
	} {
		if _, err := parseEVMAddress(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
