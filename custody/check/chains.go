package check

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/jackc/pgx/v5"

	"strongroom/chainadapters"
	"strongroom/custody"
	"strongroom/money"
)

// maxHolders bounds how many addresses or coins one question to a node names.
const maxHolders = 500

// chains compares, for each chain and asset, what the book says that custody
// holds with what the node says, to the last unit. Between them may only be what
// is listed: movements on the chain that the book does not have yet, or not any
// more.
func (c *checker) chains(ctx context.Context) error {
	rows, err := c.tx.Query(ctx, `SELECT chain, height, hash FROM custody.chain WHERE hash <> '' ORDER BY chain`)
	if err != nil {
		return fmt.Errorf("chains: %w", err)
	}
	type cursor struct {
		Chain chainadapters.ChainID
		At    chainadapters.Ref
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (cursor, error) {
		var at cursor
		err := row.Scan(&at.Chain, &at.At.Height, &at.At.Hash)
		return at, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return fmt.Errorf("chains: %w", err)
	}
	for _, at := range list {
		for _, info := range c.cfg.Assets.AssetsOf(at.Chain) {
			if err := c.asset(ctx, info, at.At); err != nil {
				return fmt.Errorf("%s on %s: %w", info.Code, at.Chain, err)
			}
		}
	}
	return nil
}

func (c *checker) asset(ctx context.Context, info custody.AssetInfo, at chainadapters.Ref) error {
	adapter, served := c.cfg.Adapters[info.Chain]
	if !served {
		return errors.New("no adapter")
	}
	held, err := c.held(ctx, adapter, info, at)
	mute := errors.Is(err, chainadapters.ErrContract)
	if err != nil && !mute {
		return err
	}
	var book, unbooked, gone *big.Int
	if book, err = c.number(ctx, `SELECT coalesce(sum(posted), 0) FROM (`+balanceOf+`) a WHERE a.id = ANY($1) OR starts_with(a.id, $2)`, []string{
		string(custody.HotAccount(info.Chain, info.Code)), string(custody.DepositsAccount(info.Chain, info.Code)),
	}, string(custody.VaultAccount(info.Chain, info.Code, ""))); err != nil {
		return err
	}
	if unbooked, err = c.number(ctx, `SELECT coalesce(sum(amount), 0) FROM custody.deposit
		WHERE chain = $1 AND asset = $2 AND canonical AND state NOT IN `+bookedStates, info.Chain, info.Code); err != nil {
		return err
	}
	if gone, err = c.number(ctx, `SELECT coalesce(sum(amount), 0) FROM custody.deposit
		WHERE chain = $1 AND asset = $2 AND NOT canonical AND state IN `+bookedStates, info.Chain, info.Code); err != nil {
		return err
	}
	paid, err := c.unposted(ctx, info)
	if err != nil {
		return err
	}
	want := new(big.Int).Add(book, unbooked)
	want.Sub(want, gone).Sub(want, paid)
	switch {
	case mute && want.Sign() != 0:
		c.add("ledger custody is what is on chain", fmt.Sprintf("%s on %s at block %d %s", info.Code, info.Chain, at.Height, at.Hash),
			"the token tells no balance; the book says %s", want)
	case !mute && want.Cmp(held.Big()) != 0:
		c.add("ledger custody is what is on chain", fmt.Sprintf("%s on %s at block %d %s", info.Code, info.Chain, at.Height, at.Hash),
			"chain %s; book %s + not booked yet %s - not taken back yet %s - paid and not posted %s = %s", held, book, unbooked, gone, paid, want)
	}
	return nil
}

// number reads one sum, which may be below zero.
func (c *checker) number(ctx context.Context, sql string, args ...any) (*big.Int, error) {
	var text string
	if err := c.tx.QueryRow(ctx, `SELECT (`+sql+`)::text`, args...).Scan(&text); err != nil {
		return nil, fmt.Errorf("sum up: %w", err)
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, fmt.Errorf("sum up: %q is not a whole number", text)
	}
	return n, nil
}

// unposted adds up what mined transactions of ours took away that the book has
// not posted: payments to strangers, and fees where the asset pays them.
func (c *checker) unposted(ctx context.Context, info custody.AssetInfo) (*big.Int, error) {
	open := `FROM custody.chain_tx t JOIN (` + intents + `) i ON i.id = t.intent WHERE t.chain = $1 AND t.block_height IS NOT NULL AND i.state NOT IN ` + ended
	sum, err := c.number(ctx, `SELECT coalesce(sum((p->>'amount')::numeric), 0) FROM (SELECT jsonb_array_elements(t.plan->'payments') AS p `+open+` AND t.success) x
		WHERE coalesce(p->>'contract', '') = $2 AND NOT EXISTS (SELECT FROM custody.address a WHERE a.chain = $1 AND a.address = p->>'to')`,
		info.Chain, info.Contract)
	if err != nil || !info.IsNative() {
		return sum, err
	}
	fees, err := c.number(ctx, `SELECT coalesce(sum(t.fee), 0) `+open, info.Chain)
	if err != nil {
		return nil, err
	}
	return sum.Add(sum, fees), nil
}

// held asks the node what the house's addresses or coins hold at a block.
func (c *checker) held(ctx context.Context, adapter chainadapters.Adapter, info custody.AssetInfo, at chainadapters.Ref) (money.Units, error) {
	var questions []chainadapters.Holdings
	if adapter.Family() == chainadapters.UTXO {
		coins, err := c.coins(ctx, info.Chain, at.Height)
		if err != nil {
			return money.Units{}, err
		}
		for ; len(coins) > 0; coins = coins[min(len(coins), maxHolders):] {
			questions = append(questions, chainadapters.Holdings{Coins: coins[:min(len(coins), maxHolders)]})
		}
	} else {
		rows, err := c.tx.Query(ctx, `SELECT address FROM custody.address WHERE chain = $1 ORDER BY address`, info.Chain)
		if err != nil {
			return money.Units{}, fmt.Errorf("read addresses: %w", err)
		}
		addresses, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return money.Units{}, fmt.Errorf("read addresses: %w", err)
		}
		for ; len(addresses) > 0; addresses = addresses[min(len(addresses), maxHolders):] {
			questions = append(questions, chainadapters.Holdings{Addresses: addresses[:min(len(addresses), maxHolders)]})
		}
	}
	var sum money.Units
	for _, q := range questions {
		q.Contract, q.At = info.Contract, at
		part, err := adapter.Holdings(ctx, q)
		if err != nil {
			return money.Units{}, fmt.Errorf("ask node for holdings: %w", err)
		}
		if sum, err = sum.Add(part); err != nil {
			return money.Units{}, fmt.Errorf("add holdings up: %w", err)
		}
	}
	return sum, nil
}

func (c *checker) coins(ctx context.Context, chain chainadapters.ChainID, height uint64) ([]chainadapters.Coin, error) {
	rows, err := c.tx.Query(ctx, `SELECT txid, vout, amount, address, account, branch, idx FROM custody.coin
		WHERE chain = $1 AND block_height <= $2 AND (spent_height IS NULL OR spent_height > $2) ORDER BY txid, vout`, chain, height)
	if err != nil {
		return nil, fmt.Errorf("read coins: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (chainadapters.Coin, error) {
		var c chainadapters.Coin
		err := row.Scan(&c.TxID, &c.Vout, &c.Amount, &c.Address, &c.Path.Account, &c.Path.Branch, &c.Path.Index)
		return c, err //nolint:wrapcheck // wrapped below
	})
	if err != nil {
		return nil, fmt.Errorf("read coins: %w", err)
	}
	return list, nil
}
