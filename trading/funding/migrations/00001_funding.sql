-- +goose Up

-- What customers, or the house for them, asked to be moved between funding and trading.
-- What became of it in the ledger and the engine is in trading.transfer, of the same id.
CREATE TABLE funding.request (
  seq        bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- the order of lists
  id         text COLLATE "C" PRIMARY KEY,
  customer   text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
  asset      text COLLATE "C" NOT NULL,
  amount     numeric(78, 0) NOT NULL CHECK (amount > 0),
  direction  text NOT NULL CHECK (direction IN ('to_trading', 'to_funding')),
  state      text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'refused')),
  reason     text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (customer, key),
  CONSTRAINT refused_with_a_reason CHECK ((state = 'refused') = (reason <> ''))
);
CREATE INDEX request_of_customer ON funding.request (customer, seq);
CREATE INDEX request_under_way ON funding.request (seq) WHERE state = 'pending';

-- Whose deposits flow on to trading by themselves.
CREATE TABLE funding.preference (
  customer            text COLLATE "C" PRIMARY KEY,
  deposits_to_trading boolean NOT NULL,
  updated_at          timestamptz NOT NULL
);

-- What was decided about each maturity of a deposit, once: the transfer that moved it
-- on, or none.
CREATE TABLE funding.onward (
  deposit    text COLLATE "C" NOT NULL,
  round      integer NOT NULL,
  transfer   text COLLATE "C" REFERENCES funding.request (id),
  decided_at timestamptz NOT NULL,
  PRIMARY KEY (deposit, round)
);

-- +goose Down
DROP SCHEMA funding CASCADE;
