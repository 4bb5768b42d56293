-- +goose Up

-- Candles of each market and interval, prices in ticks, volume in lots, turnover in
-- ticks times lots; start is in ns since the Unix epoch. last_seq is the last trade's.
CREATE TABLE feed.candle (
  shard       integer NOT NULL,
  market      integer NOT NULL CHECK (market BETWEEN 0 AND 65535),
  interval_ns bigint  NOT NULL CHECK (interval_ns > 0),
  start       bigint  NOT NULL CHECK (start % interval_ns = 0),
  open        bigint  NOT NULL CHECK (open > 0),
  high        bigint  NOT NULL,
  low         bigint  NOT NULL CHECK (low > 0),
  close       bigint  NOT NULL,
  volume      bigint  NOT NULL CHECK (volume > 0),
  turnover    numeric(39, 0) NOT NULL CHECK (turnover > 0),
  trades      bigint  NOT NULL CHECK (trades > 0),
  last_seq    bigint  NOT NULL,
  PRIMARY KEY (shard, market, interval_ns, start),
  CHECK (low <= open AND low <= close AND open <= high AND close <= high)
);
-- What is forgotten after some days.
CREATE INDEX candle_age ON feed.candle (shard, interval_ns, start);

-- Which event of a shard comes next.
CREATE TABLE feed.cursor (
  shard    integer PRIMARY KEY CHECK (shard BETWEEN 0 AND 65535),
  epoch    bigint NOT NULL DEFAULT 0,
  next_seq bigint NOT NULL DEFAULT 1 CHECK (next_seq > 0)
);

-- +goose Down
DROP SCHEMA feed CASCADE;
