-- +goose Up

-- Who an account number of the engine is. Number 0 is the house.
CREATE TABLE trading.account (
  no       bigint PRIMARY KEY CHECK (no BETWEEN 0 AND 4294967295),
  customer text COLLATE "C" NOT NULL UNIQUE
);
INSERT INTO trading.account (no, customer) VALUES (0, '');

CREATE TABLE trading.asset (
  no   integer PRIMARY KEY CHECK (no BETWEEN 0 AND 65535),
  code text COLLATE "C" NOT NULL UNIQUE CHECK (code <> '')
);

-- What a lot and a tick of a market are worth. They never change.
CREATE TABLE trading.market (
  shard      integer NOT NULL,
  no         integer NOT NULL CHECK (no BETWEEN 0 AND 65535),
  base       integer NOT NULL REFERENCES trading.asset (no),
  quote      integer NOT NULL REFERENCES trading.asset (no) CHECK (quote <> base),
  lot_units  numeric(78, 0) NOT NULL CHECK (lot_units > 0),
  tick_units numeric(78, 0) NOT NULL CHECK (tick_units > 0),
  PRIMARY KEY (shard, no)
);

-- The cursor: what was settled last, and whether to go on.
CREATE TABLE trading.shard (
  id            integer PRIMARY KEY CHECK (id BETWEEN 0 AND 65535),
  epoch         bigint NOT NULL DEFAULT 0,
  next_seq      bigint NOT NULL DEFAULT 1,
  hash          bytea  NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(hash) = 32),
  halted_reason text   NOT NULL DEFAULT ''
);

-- One row per SQL transaction of settlement. marks holds eight bytes of the hash of
-- each event, so that an event that comes again can be compared, however it is cut.
CREATE TABLE trading.batch (
  shard     integer NOT NULL,
  first_seq bigint  NOT NULL,
  last_seq  bigint  NOT NULL CHECK (last_seq >= first_seq),
  epoch     bigint  NOT NULL,
  hash      bytea   NOT NULL CHECK (octet_length(hash) = 32),
  marks     bytea   NOT NULL CHECK (octet_length(marks) = 8 * (last_seq - first_seq + 1)),
  PRIMARY KEY (shard, first_seq)
);
ALTER TABLE trading.batch ALTER COLUMN marks SET STORAGE EXTERNAL; -- hashes do not compress

-- Every trade. Order ids are the engine's 64 bits, time is log time in ns, fees are in
-- base units of what the side received.
CREATE TABLE trading.trade (
  shard         integer  NOT NULL,
  seq           bigint   NOT NULL,
  market        integer  NOT NULL,
  price         bigint   NOT NULL CHECK (price > 0),
  qty           bigint   NOT NULL CHECK (qty > 0),
  taker_side    smallint NOT NULL CHECK (taker_side IN (0, 1)),
  taker_order   bigint   NOT NULL,
  taker_account bigint   NOT NULL,
  taker_fee     numeric(78, 0) NOT NULL,
  maker_order   bigint   NOT NULL,
  maker_account bigint   NOT NULL,
  maker_fee     numeric(78, 0) NOT NULL,
  time          bigint   NOT NULL,
  PRIMARY KEY (shard, seq)
);

-- Checkpoints: the engine's digest of balances, and whether the ledger's was the same.
CREATE TABLE trading.checkpoint (
  shard  integer NOT NULL,
  seq    bigint  NOT NULL,
  digest bigint  NOT NULL,
  agrees boolean NOT NULL,
  PRIMARY KEY (shard, seq)
);

-- Which trading balances exist in the ledger.
CREATE TABLE trading.purse (
  shard   integer NOT NULL,
  account bigint  NOT NULL REFERENCES trading.account (no),
  asset   integer NOT NULL REFERENCES trading.asset (no),
  ledger  text COLLATE "C" NOT NULL,
  PRIMARY KEY (shard, account, asset)
);

-- Moves between funding and trading: what the ledger and the engine have done of each.
CREATE TABLE trading.transfer (
  id        text COLLATE "C" PRIMARY KEY,
  shard     integer  NOT NULL,
  account   bigint   NOT NULL REFERENCES trading.account (no),
  asset     integer  NOT NULL REFERENCES trading.asset (no),
  amount    numeric(78, 0) NOT NULL CHECK (amount > 0),
  inward    boolean  NOT NULL,             -- funding to trading
  booked    boolean  NOT NULL,             -- fnd/<id> is in the ledger
  returned  boolean  NOT NULL DEFAULT false, -- fnd/<id>/back is too
  engine_seq bigint,                       -- the engine's event was settled
  code      smallint NOT NULL DEFAULT 0,   -- the engine's refusal
  CONSTRAINT returned_if_refused CHECK (NOT returned OR inward AND booked AND code <> 0),
  CONSTRAINT ledger_first_inward CHECK (NOT inward OR booked),
  CONSTRAINT engine_first_outward CHECK (inward OR NOT booked OR engine_seq IS NOT NULL AND code = 0),
  CONSTRAINT refused_by_an_event CHECK (code = 0 OR engine_seq IS NOT NULL)
);
-- Those of which the ledger has more than the engine.
CREATE INDEX transfer_between ON trading.transfer (shard)
  WHERE inward AND NOT returned AND (engine_seq IS NULL OR code <> 0) OR NOT inward AND NOT booked AND engine_seq IS NOT NULL AND code = 0;

-- +goose StatementBegin
CREATE FUNCTION trading.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'trading.% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.trade FOR EACH STATEMENT EXECUTE FUNCTION trading.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.batch FOR EACH STATEMENT EXECUTE FUNCTION trading.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.account FOR EACH STATEMENT EXECUTE FUNCTION trading.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON trading.market FOR EACH STATEMENT EXECUTE FUNCTION trading.refuse_change();

-- +goose Down
DROP SCHEMA trading CASCADE;
