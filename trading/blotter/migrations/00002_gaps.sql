-- +goose Up

-- Events that no node kept when the history came to them. What waited behind them was
-- read from the shard, what was traded from settlement's trades up to traded_to.
CREATE TABLE blotter.gap (
  shard     integer NOT NULL,
  first_seq bigint  NOT NULL CHECK (first_seq > 0),
  last_seq  bigint  NOT NULL CHECK (last_seq >= first_seq),
  traded_to bigint  NOT NULL,
  found     bigint  NOT NULL, -- time in ns
  entered   bigint  NOT NULL, -- orders whose beginning is not known
  ended     bigint  NOT NULL, -- orders that waited before and no more behind
  PRIMARY KEY (shard, first_seq)
);

-- gap is first_seq of the gap in which an order came in: then seq and created are near
-- what they were, not more. Type 255 is not known. State 5: it ended in a gap, how is
-- not known. The trigger (ticks) of a stop and the expiry (ns), where the shard told them.
ALTER TABLE blotter.orders ADD COLUMN gap bigint NOT NULL DEFAULT 0, ADD COLUMN stop_price bigint NOT NULL DEFAULT 0, ADD COLUMN expires bigint NOT NULL DEFAULT 0;
ALTER TABLE blotter.orders DROP CONSTRAINT orders_state_check, ADD CONSTRAINT orders_state_check CHECK (state BETWEEN 1 AND 5);

-- What no event tells of an order: its trigger (ticks) and its expiry (ns), zero for none,
-- from who gave it in. It may be here before the order is.
CREATE TABLE blotter.terms (
  shard      integer NOT NULL,
  id         bigint  NOT NULL,
  stop_price bigint  NOT NULL,
  expires    bigint  NOT NULL,
  PRIMARY KEY (shard, id)
);

-- +goose Down
DROP TABLE blotter.terms, blotter.gap;
DELETE FROM blotter.orders WHERE state = 5;
ALTER TABLE blotter.orders DROP CONSTRAINT orders_state_check, ADD CONSTRAINT orders_state_check CHECK (state BETWEEN 1 AND 4);
ALTER TABLE blotter.orders DROP COLUMN gap, DROP COLUMN stop_price, DROP COLUMN expires;
