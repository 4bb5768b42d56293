package signer

import (
	"fmt"

	"strongroom/money"
)

// draft is a transaction that was decoded and found to be what its intent says.
type draft struct {
	slot  string      // EVM: sender/nonce, which only one intent may ever use
	coins []spentCoin // Bitcoin family: what it consumes
	fee   money.Units // the most it can cost
	// selector of the contract that is called, eight small hex digits; empty: no call.
	selector string
	// contract that is called, in the one form that policies know; empty: none.
	contract string
	// vault is the place of the contract whose call pays, of a refill; empty: the sender pays.
	vault string
	// exec is the SHA-256 of that call, in hex.
	exec string
	// sign makes the signature and verifies it; it has no other effect.
	sign func() (signature, error)
}

// signature is a signed transaction.
type signature struct {
	raw  []byte
	txid string
}

// spentCoin is a coin with the amount that the request claimed for it. A claim,
// once signed, binds: two claims about one coin could be joined into a
// transaction that pays an unseen fee.
type spentCoin struct {
	Outpoint string      `json:"outpoint"` // txid:vout
	Amount   money.Units `json:"amount"`
}

// chain decodes and signs the transactions of one chain.
type chain interface {
	// draft decodes an order's transaction and compares it with its intent.
	// Errors wrap ErrInvalid or ErrRefused.
	draft(o order) (draft, error)
	// publicKeys returns the extended public keys of accounts 0 and 1.
	publicKeys() (deposit, hot string, err error)
	// genesis is by what intents tell the chain from its likes: chain id, or hash of block 0.
	genesis() string
	// place is one text for each destination, however its address is written. Errors wrap
	// ErrInvalid.
	place(address string) (string, error)
}

// checkFee holds a transaction's fee against what the request and the policy allow.
func checkFee(fee, maxFee, ceiling money.Units) error {
	if maxFee.Less(fee) {
		return fmt.Errorf("%w: fee %s is above max_fee %s", ErrRefused, fee, maxFee)
	}
	if ceiling.Less(fee) {
		return fmt.Errorf("%w: fee %s is above the chain's ceiling %s", ErrRefused, fee, ceiling)
	}
	return nil
}

// checkAccounts says which account may pay for what: withdrawals and gas come
// from the hot wallet, collections from deposit addresses and end in the hot
// wallet; coins of a cancelled payment go back to it as change.
func checkAccounts(o order, from keyPath) error {
	source, destination := uint32(accountHot), uint32(accountDeposit)
	branch := uint32(branchReceive)
	switch o.Kind { //nolint:exhaustive // withdrawals and gas are above
	case kindCollect:
		source, destination = accountDeposit, accountHot
	case kindCancel: // of coins: an account chain compares keys instead
		destination, branch = accountHot, branchChange
	}
	// Coins of the hot wallet may be merged: they end in it as a collection does.
	merge := o.Kind == kindCollect && o.fromPath == nil && from.account == accountHot
	if from.account != source && !merge {
		return fmt.Errorf("%w: %s from account %d", ErrInvalid, o.Kind, from.account)
	}
	if o.toPath != nil && (o.toPath.account != destination || o.toPath.branch != branch) {
		return fmt.Errorf("%w: %s to %s", ErrInvalid, o.Kind, o.toPath)
	}
	return nil
}
