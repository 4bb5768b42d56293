package evm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"strongroom/chainadapters"
	"strongroom/money"
)

// maxHoldings bounds the addresses of one call of Holdings.
const maxHoldings = 100_000

// balanceGas bounds what a token may use to tell one balance: a hostile one would
// otherwise keep the node busy.
const balanceGas = 1_000_000

// balanceOfSelector is the first four bytes of keccak256("balanceOf(address)").
const balanceOfSelector = "\x70\xa0\x82\x31"

// Holdings returns the sum of the balances of addresses in the state after one
// block, which must be on the node's chain. An address that is listed twice
// counts once. ErrTooMany above 100,000 addresses, ErrPlan for coins, ErrContract
// where the token's code does not tell a balance within a million gas.
func (a *Adapter) Holdings(ctx context.Context, q chainadapters.Holdings) (money.Units, error) {
	if len(q.Coins) > 0 {
		return money.Units{}, fmt.Errorf("read holdings: %w: an account chain has no coins", chainadapters.ErrPlan)
	}
	if len(q.Addresses) > maxHoldings {
		return money.Units{}, fmt.Errorf("read holdings: %w: %d", ErrTooMany, len(q.Addresses))
	}
	owners, err := distinct(q.Addresses)
	if err != nil {
		return money.Units{}, fmt.Errorf("read holdings: %w", err)
	}
	block, err := parseHash(q.At.Hash)
	if err != nil {
		return money.Units{}, fmt.Errorf("read holdings: %w", err)
	}
	total, err := onOurs(ctx, a, func() (money.Units, error) {
		if err := a.onChain(ctx, q.At); err != nil {
			return money.Units{}, err
		}
		if q.Contract == "" {
			return a.nativeHoldings(ctx, owners, block)
		}
		return a.tokenHoldings(ctx, q.Contract, owners, block)
	})
	if err != nil {
		return money.Units{}, fmt.Errorf("read holdings: %w", err)
	}
	return total, nil
}

// onChain makes sure that the node's block of a height is the one meant: not
// every node minds requireCanonical.
func (a *Adapter) onChain(ctx context.Context, at chainadapters.Ref) error {
	found, err := a.headerByNumber(ctx, hexutil.EncodeUint64(at.Height))
	if err != nil {
		return err
	}
	if found.Ref != at {
		return fmt.Errorf("%w: block %d is %s on the node's chain", chainadapters.ErrIncomplete, at.Height, found.Hash)
	}
	return nil
}

func distinct(addresses []string) ([]common.Address, error) {
	seen := make(map[common.Address]bool, len(addresses))
	owners := make([]common.Address, 0, len(addresses))
	for _, s := range addresses {
		owner, err := parseAddress(s)
		if err != nil {
			return nil, err
		}
		if !seen[owner] {
			seen[owner] = true
			owners = append(owners, owner)
		}
	}
	return owners, nil
}

// stateAt names a block's state by hash, EIP-1898.
func stateAt(block common.Hash) map[string]any {
	return map[string]any{"blockHash": block, "requireCanonical": true}
}

func (a *Adapter) nativeHoldings(ctx context.Context, owners []common.Address, block common.Hash) (money.Units, error) {
	params := make([][]any, len(owners))
	for i, owner := range owners {
		params[i] = []any{owner, stateAt(block)}
	}
	balances, err := askEach[hexutil.Big](ctx, a.rpc, "eth_getBalance", params)
	if err != nil {
		return money.Units{}, err
	}
	var total money.Units
	for i, balance := range balances {
		if balance == nil {
			return money.Units{}, fmt.Errorf("%w: null for the balance of %s", chainadapters.ErrIncomplete, owners[i])
		}
		units, err := money.FromBig(balance.ToInt())
		if err != nil {
			return money.Units{}, fmt.Errorf("%w: balance of %s: %w", chainadapters.ErrIncomplete, owners[i], err)
		}
		if total, err = total.Add(units); err != nil {
			return money.Units{}, fmt.Errorf("sum balances: %w", err)
		}
	}
	return total, nil
}

func (a *Adapter) tokenHoldings(ctx context.Context, token string, owners []common.Address, block common.Hash) (money.Units, error) {
	contract, err := parseAddress(token)
	if err != nil {
		return money.Units{}, err
	}
	params := make([][]any, len(owners))
	for i, owner := range owners {
		data := append([]byte(balanceOfSelector), common.LeftPadBytes(owner.Bytes(), wordLength)...)
		params[i] = []any{map[string]any{
			"to": contract, "data": hexutil.Bytes(data), "input": hexutil.Bytes(data), "gas": hexutil.Uint64(balanceGas),
		}, stateAt(block)}
	}
	answers, err := askEach[hexutil.Bytes](ctx, a.rpc, "eth_call", params)
	if contractFault(err) {
		return money.Units{}, fmt.Errorf("%w: balanceOf of %s: %w", chainadapters.ErrContract, token, err)
	}
	if err != nil {
		return money.Units{}, err
	}
	var total money.Units
	for i, word := range answers {
		if word == nil || len(*word) != wordLength {
			return money.Units{}, fmt.Errorf("%w: %w: balanceOf %s is not one word", chainadapters.ErrIncomplete, chainadapters.ErrContract, owners[i])
		}
		if total, err = total.Add(money.FromBytes32([wordLength]byte(*word))); err != nil {
			return money.Units{}, fmt.Errorf("sum balances: %w", err)
		}
	}
	return total, nil
}

// contractFault recognises that a call reached the contract and that its own code
// ended badly. JSON-RPC has a code for a revert only; the words are those of geth
// and those who follow it, and of anvil.
func contractFault(err error) bool {
	var said *NodeError
	if !errors.As(err, &said) {
		return false
	}
	if said.Code == codeRevert {
		return true
	}
	text := strings.ToLower(said.Message)
	for _, words := range []string{"revert", "out of gas", "outofgas", "oog", "opcode", "stack underflow", "stackunderflow", "invalid jump", "invalidjump"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// NextNonce returns the number of transactions of from in the chain at head. The
// pool is not counted: it forgets.
func (a *Adapter) NextNonce(ctx context.Context, from string) (uint64, error) {
	owner, err := parseAddress(from)
	if err != nil {
		return 0, fmt.Errorf("read nonce: %w", err)
	}
	nonce, err := onOurs(ctx, a, func() (uint64, error) {
		n, err := ask[hexutil.Uint64](ctx, a.rpc, "eth_getTransactionCount", owner, "latest")
		if err != nil {
			return 0, err
		}
		if n == nil {
			return 0, fmt.Errorf("%w: null for the nonce", chainadapters.ErrIncomplete)
		}
		return uint64(*n), nil
	})
	if err != nil {
		return 0, fmt.Errorf("read nonce of %s: %w", from, err)
	}
	return nonce, nil
}
