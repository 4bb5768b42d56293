package fakechain

import (
	"bytes"
	"errors"
	"fmt"
	"maps"

	"strongroom/chainadapters"
	"strongroom/money"
)

// What gas costs here.
const (
	gasNative = 21_000
	gasToken  = 50_000
	baseFee   = 1_000_000_000 // wei per gas
)

// Why a transaction cannot be mined now.
var (
	errTooEarly = errors.New("nonce too high")
	errTooLate  = errors.New("nonce too low")
	errFunds    = errors.New("insufficient funds")
	errMissing  = errors.New("missing or spent inputs")
)

// owned is what belongs to one address in one asset.
type owned struct{ address, contract string }

// coin is an unspent output.
type coin struct {
	address string
	amount  money.Units
}

// state is who owns what. Native balances of account chains and tokens are in
// balances, coins in coins.
type state struct {
	family   chainadapters.Family
	token    string
	base     money.Units // per gas, in the block that is made
	balances map[owned]money.Units
	nonces   map[string]uint64
	coins    map[chainadapters.Outpoint]coin
}

// receipt is what a mined transaction did.
type receipt struct {
	tx        *transaction
	success   bool
	fee       money.Units // account chains
	movements []chainadapters.Movement
	spends    []chainadapters.Spend
}

func newState(family chainadapters.Family, token string) *state {
	return &state{
		family: family, token: token, base: money.FromUint64(baseFee),
		balances: map[owned]money.Units{}, nonces: map[string]uint64{}, coins: map[chainadapters.Outpoint]coin{},
	}
}

func (s *state) clone() *state {
	return &state{
		family: s.family, token: s.token, base: s.base,
		balances: maps.Clone(s.balances), nonces: maps.Clone(s.nonces), coins: maps.Clone(s.coins),
	}
}

func (s *state) balance(address, contract string) money.Units {
	if s.family == chainadapters.Account {
		return s.balances[owned{address, contract}]
	}
	var total money.Units
	for _, c := range s.coins {
		if c.address == address && contract == "" {
			total, _ = total.Add(c.amount) // a test never holds 2^256 satoshi
		}
	}
	return total
}

// apply runs a transaction, or returns why it cannot run and changes nothing.
func (s *state) apply(tx *transaction) (receipt, error) {
	if s.family == chainadapters.UTXO {
		return s.applyCoins(tx)
	}
	return s.applyAccount(tx)
}

func (s *state) applyCoins(tx *transaction) (receipt, error) {
	r := receipt{tx: tx, success: true}
	if _, err := s.feeOf(tx); err != nil {
		return receipt{}, err
	}
	for _, in := range tx.body.Inputs {
		delete(s.coins, in)
		r.spends = append(r.spends, chainadapters.Spend{TxID: tx.id, Outpoint: in})
	}
	for i, out := range tx.body.Outputs {
		vout := uint32(i)
		s.coins[chainadapters.Outpoint{TxID: tx.id, Vout: vout}] = coin{out.To, out.Amount}
		r.movements = append(r.movements, chainadapters.Movement{TxID: tx.id, Index: vout, To: out.To, Amount: out.Amount})
	}
	return r, nil
}

// feeOf returns inputs minus outputs; a transaction from nowhere pays none.
func (s *state) feeOf(tx *transaction) (money.Units, error) {
	if tx.body.Faucet > 0 {
		return money.Units{}, nil
	}
	var in, out money.Units
	for _, point := range tx.body.Inputs {
		c, ok := s.coins[point]
		if !ok {
			return money.Units{}, fmt.Errorf("%w: %s:%d", errMissing, point.TxID, point.Vout)
		}
		in, _ = in.Add(c.amount)
	}
	for _, o := range tx.body.Outputs {
		out, _ = out.Add(o.Amount)
	}
	fee, err := in.Sub(out)
	if err != nil || fee.IsZero() {
		return money.Units{}, fmt.Errorf("%w: inputs %s, outputs %s", errFunds, in, out)
	}
	return fee, nil
}

func (s *state) applyAccount(tx *transaction) (receipt, error) {
	b := tx.body
	free := b.Faucet > 0
	if !free {
		if err := s.admit(b); err != nil {
			return receipt{}, err
		}
	}
	r := receipt{tx: tx, success: s.succeeds(b), spends: []chainadapters.Spend{{TxID: tx.id, From: b.From, Nonce: b.Nonce}}}
	r.fee = gasCost(b, s.base)
	s.nonces[b.From] = b.Nonce + 1
	if !free {
		s.take(owned{b.From, ""}, r.fee)
	}
	if !r.success {
		return r, nil
	}
	for i, out := range b.Outputs {
		from := b.payer(out)
		if !free {
			s.take(owned{from, out.Contract}, out.Amount)
		}
		if out.Amount.IsZero() {
			continue
		}
		to := owned{out.To, out.Contract}
		s.balances[to], _ = s.balances[to].Add(out.Amount)
		index := chainadapters.NativeIndex
		switch {
		case out.Contract != "":
			index = uint32(i)
		case out.Vault != "":
			index = chainadapters.InternalIndex
		}
		if out.Vault != "" {
			s.nonces[out.Vault]++
		}
		r.movements = append(r.movements, chainadapters.Movement{
			TxID: tx.id, Index: index, From: from, To: out.To, Contract: out.Contract, Amount: out.Amount,
		})
	}
	return r, nil
}

// VaultCall is the call of a vault by which it makes its n-th payment, counted from zero:
// whoever sends it. The chain takes it as signed.
func VaultCall(n uint64) []byte { return fmt.Appendf(nil, "payment %d", n) }

// payer is whose an output was.
func (b body) payer(out chainadapters.Payment) string {
	if out.Vault != "" {
		return out.Vault
	}
	return b.From
}

// admit says whether the sender's slot and purse allow the transaction now.
func (s *state) admit(b body) error {
	switch next := s.nonces[b.From]; {
	case b.Nonce < next:
		return fmt.Errorf("%w: %d, next is %d", errTooLate, b.Nonce, next)
	case b.Nonce > next:
		return fmt.Errorf("%w: %d, next is %d", errTooEarly, b.Nonce, next)
	}
	return s.covers(b)
}

// covers says whether the sender can pay value and the dearest fee.
func (s *state) covers(b body) error {
	need, err := b.Fee.FeeCap.Mul(b.Fee.GasLimit)
	for _, out := range b.Outputs {
		if out.Contract == "" && out.Vault == "" && err == nil {
			need, err = need.Add(out.Amount)
		}
	}
	if have := s.balances[owned{b.From, ""}]; err != nil || have.Less(need) {
		return fmt.Errorf("%w: %s has %s, needs %s", errFunds, b.From, have, need)
	}
	return nil
}

// succeeds says whether the transaction does what it says: the token takes no
// native value, and nobody pays tokens that he lacks.
func (s *state) succeeds(b body) bool {
	for _, out := range b.Outputs {
		if out.Contract == "" && out.To == s.token {
			return false
		}
		if (out.Contract != "" || out.Vault != "") && b.Faucet == 0 && s.balances[owned{b.payer(out), out.Contract}].Less(out.Amount) {
			return false
		}
		if out.Vault != "" && !bytes.Equal(b.Exec, VaultCall(s.nonces[out.Vault])) {
			return false
		}
	}
	return b.Faucet > 0 || b.Fee.GasLimit >= gasUse(b)
}

func gasUse(b body) uint64 {
	if len(b.Outputs) > 0 && b.Outputs[0].Contract != "" {
		return gasToken
	}
	return gasNative
}

// gasCost is the gas used at the lesser of the cap and base fee plus tip; a
// stranger gives no tip.
func gasCost(b body, base money.Units) money.Units {
	gas, price := gasUse(b), base
	if b.Faucet == 0 {
		gas = min(gas, b.Fee.GasLimit)
		price, _ = price.Add(b.Fee.TipCap)
		price = money.Min(price, b.Fee.FeeCap)
	}
	cost, _ := price.Mul(gas)
	return cost
}

func (s *state) take(from owned, amount money.Units) {
	s.balances[from] = s.balances[from].SubFloor(amount) // covered: checked before
}
