-- +goose Up

-- Orders that came in, as the shard's events tell them. Ids and both halves of the key
-- are the engine's bits, quantities lots, prices ticks, turnover ticks times lots, fees
-- base units of what the side receives, times log time in ns. An order that was given in
-- has seq, the event of its acceptance; what is amended keeps it.
CREATE TABLE blotter.orders (
  shard    integer  NOT NULL,
  id       bigint   NOT NULL,
  seq      bigint   NOT NULL CHECK (seq > 0),
  account  bigint   NOT NULL,
  market   integer  NOT NULL,
  key_hi   bigint   NOT NULL,
  key_lo   bigint   NOT NULL,
  side     smallint NOT NULL CHECK (side IN (0, 1)),
  type     smallint NOT NULL,
  sibling  bigint   NOT NULL DEFAULT 0,
  price    bigint   NOT NULL,
  left_lots bigint  NOT NULL CHECK (left_lots >= 0),
  filled   bigint   NOT NULL DEFAULT 0 CHECK (filled >= 0),
  turnover numeric(78, 0) NOT NULL DEFAULT 0,
  fee      numeric(78, 0) NOT NULL DEFAULT 0,
  state    smallint NOT NULL CHECK (state BETWEEN 1 AND 4), -- waiting, open, filled, cancelled
  code     smallint NOT NULL DEFAULT 0,
  created  bigint   NOT NULL,
  updated  bigint   NOT NULL,
  last_seq bigint   NOT NULL CHECK (last_seq >= seq),
  PRIMARY KEY (shard, id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX orders_of ON blotter.orders (shard, account, seq);
CREATE INDEX orders_on ON blotter.orders (shard, account, market, seq);
CREATE INDEX orders_called ON blotter.orders (shard, account, key_hi, key_lo, seq) WHERE key_hi <> 0 OR key_lo <> 0;
-- What is forgotten some day.
CREATE INDEX orders_in_vain ON blotter.orders (shard, updated) WHERE state = 4 AND filled = 0;

-- Which event of a shard comes next, and the chain's hash before it. half_order was
-- accepted by the event before that one, and its stop may come next; zero for none.
CREATE TABLE blotter.cursor (
  shard    integer PRIMARY KEY CHECK (shard BETWEEN 0 AND 65535),
  epoch    bigint NOT NULL,
  next_seq bigint NOT NULL CHECK (next_seq > 0),
  hash     bytea  NOT NULL CHECK (octet_length(hash) = 32),
  half_order   bigint NOT NULL,
  half_account bigint NOT NULL
);

-- +goose Down
DROP SCHEMA blotter CASCADE;
