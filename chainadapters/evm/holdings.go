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
		if q.Contract == "" {
			return a.nativeHoldings(ctx, owners, q.At, block)
		}
		return a.tokenHoldings(ctx, q.Contract, owners, q.At, block)
	})
	if err != nil {
		return money.Units{}, fmt.Errorf("read holdings: %w", err)
	}
	return total, nil
}

// askAt is askEach about the state after one block. The first request also asks
// for the node's block of that height, which must be the one meant: not every node
// minds requireCanonical. Where it is another, nothing else that was told counts.
func askAt[T any](ctx context.Context, c *client, at chainadapters.Ref, method string, params [][]any) ([]*T, error) {
	const header = "eth_getBlockByNumber"
	n := min(len(params), maxBatch-1)
	calls := []request{c.request(header, []any{hexutil.EncodeUint64(at.Height), false})}
	for _, p := range params[:n] {
		calls = append(calls, c.request(method, p))
	}
	answers, err := askBatch[span](ctx, c, calls)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	found, err := readSpan[rpcHeader](&answers[0], calls[0])
	if err != nil {
		return nil, err
	}
	if err := same(found, at); err != nil {
		return nil, err
	}
	results := make([]*T, 0, len(params))
	for i := 1; i <= n; i++ {
		value, err := readSpan[T](&answers[i], calls[i])
		if err != nil {
			return nil, err
		}
		results = append(results, value)
	}
	rest, err := askEach[T](ctx, c, method, params[n:])
	return append(results, rest...), err
}

// same makes sure that a header is of the block that is meant.
func same(raw *rpcHeader, at chainadapters.Ref) error {
	if raw == nil {
		return fmt.Errorf("%w: null for block %d", chainadapters.ErrIncomplete, at.Height)
	}
	found, err := raw.header()
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

func (a *Adapter) nativeHoldings(ctx context.Context, owners []common.Address, at chainadapters.Ref, block common.Hash) (money.Units, error) {
	params := make([][]any, len(owners))
	for i, owner := range owners {
		params[i] = []any{owner, stateAt(block)}
	}
	balances, err := askAt[hexutil.Big](ctx, a.rpc, at, "eth_getBalance", params)
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

func (a *Adapter) tokenHoldings(ctx context.Context, token string, owners []common.Address, at chainadapters.Ref, block common.Hash) (money.Units, error) {
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
	answers, err := askAt[hexutil.Bytes](ctx, a.rpc, at, "eth_call", params)
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
