-- +goose Up

-- People read their own trades, newest first.
CREATE INDEX trade_of_taker ON trading.trade (shard, taker_account, seq);
CREATE INDEX trade_of_maker ON trading.trade (shard, maker_account, seq);

-- +goose Down
DROP INDEX trading.trade_of_taker, trading.trade_of_maker;
