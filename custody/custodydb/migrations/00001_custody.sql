-- +goose Up

-- One row per chain: how far its blocks are taken in, and whether it may be used.
CREATE TABLE custody.chain (
  chain       text PRIMARY KEY,
  height      bigint NOT NULL DEFAULT -1,          -- cursor: newest block taken in; -1 before the first
  hash        text NOT NULL DEFAULT '',
  status      text NOT NULL DEFAULT 'starting' CHECK (status IN ('starting', 'ok', 'halted')),
  reason      text NOT NULL DEFAULT '',            -- why it is halted, for people
  head_height bigint NOT NULL DEFAULT -1,          -- what the node said last
  network     text NOT NULL DEFAULT '',            -- pinned at the first block: another identity is foreign
  genesis     text NOT NULL DEFAULT '',
  needs_operator boolean NOT NULL DEFAULT false,   -- halted until a person clears it
  reorg_allowed  bigint NOT NULL DEFAULT 0,        -- depth that the person allowed, once
  moves       bigint NOT NULL DEFAULT 0,           -- how often the cursor moved, forth or back; makes messages unique
  updated_at  timestamptz NOT NULL DEFAULT now()
);

-- The blocks that were taken in, kept to the depth that a reorganisation may have.
CREATE TABLE custody.block (
  chain     text NOT NULL,
  height    bigint NOT NULL,
  hash      text NOT NULL,
  parent    text NOT NULL,
  canonical boolean NOT NULL DEFAULT true,
  at        timestamptz NOT NULL,
  PRIMARY KEY (chain, hash)
);
CREATE UNIQUE INDEX block_canonical ON custody.block (chain, height) WHERE canonical;

-- Every address of the house. customer is empty for the hot wallet and change.
CREATE TABLE custody.address (
  chain      text NOT NULL,
  address    text NOT NULL,
  customer   text NOT NULL DEFAULT '',
  asset      text NOT NULL DEFAULT '',
  account    bigint NOT NULL,
  branch     bigint NOT NULL,
  idx        bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (chain, address),
  UNIQUE (chain, account, branch, idx)
);
CREATE UNIQUE INDEX address_of_customer ON custody.address (customer, asset) WHERE customer <> '';

-- Next unused derivation index, per chain, account and branch.
CREATE TABLE custody.address_counter (
  chain text NOT NULL, account bigint NOT NULL, branch bigint NOT NULL, next bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (chain, account, branch)
);

CREATE TABLE custody.deposit (
  id           text PRIMARY KEY,
  customer     text NOT NULL DEFAULT '',           -- empty: unattributed or the house's own funding
  asset        text NOT NULL,
  chain        text NOT NULL,
  address      text NOT NULL,
  txid         text NOT NULL,
  idx          bigint NOT NULL,
  amount       numeric(78,0) NOT NULL CHECK (amount > 0),
  block_height bigint NOT NULL,
  block_hash   text NOT NULL,
  canonical    boolean NOT NULL DEFAULT true,
  state        text NOT NULL,
  round        integer NOT NULL DEFAULT 0,         -- how often it has been credited
  maturing     numeric(78,0) NOT NULL DEFAULT 0 CHECK (maturing >= 0 AND maturing <= amount), -- its part of the maturing account
  version      bigint NOT NULL DEFAULT 1,
  senders      text[] NOT NULL DEFAULT '{}',       -- who sent it, as far as the chain tells
  released     boolean NOT NULL DEFAULT false,     -- an operator let it out of quarantine: not screened again
  collected_by text,                               -- intent that moved (or is moving) it to the hot wallet
  seen_at      timestamptz NOT NULL,
  updated_at   timestamptz NOT NULL,
  UNIQUE (chain, txid, idx)
);
CREATE INDEX deposit_of_customer ON custody.deposit (customer, id);
CREATE INDEX deposit_open ON custody.deposit (chain) WHERE canonical AND state IN ('seen', 'confirming', 'credited', 'reorged', 'debited', 'released');
CREATE INDEX deposit_at ON custody.deposit (chain, block_height) WHERE canonical;
CREATE INDEX deposit_gone ON custody.deposit (chain) WHERE NOT canonical AND state IN ('seen', 'confirming', 'credited', 'withdrawable');
CREATE INDEX deposit_collectable ON custody.deposit (chain, address) WHERE collected_by IS NULL AND state = 'withdrawable';
CREATE INDEX deposit_collected ON custody.deposit (collected_by) WHERE collected_by IS NOT NULL;

CREATE TABLE custody.withdrawal (
  id           text PRIMARY KEY,
  customer     text NOT NULL,
  asset        text NOT NULL,
  chain        text NOT NULL,
  destination  text NOT NULL,
  amount       numeric(78,0) NOT NULL CHECK (amount > 0),
  fee          numeric(78,0) NOT NULL CHECK (fee >= 0),
  state        text NOT NULL,
  version      bigint NOT NULL DEFAULT 1,
  reason       text NOT NULL DEFAULT '',
  payload_hash bytea NOT NULL,                     -- SHA-256 of the canonical intent
  created_at   timestamptz NOT NULL,
  updated_at   timestamptz NOT NULL
);
CREATE INDEX withdrawal_of_customer ON custody.withdrawal (customer, id);
CREATE INDEX withdrawal_open ON custody.withdrawal (chain) WHERE state IN ('reserved', 'signed', 'broadcast', 'unknown', 'confirming', 'reorged', 'stuck', 'replaced', 'final');
CREATE INDEX withdrawal_tail ON custody.withdrawal (customer, chain, lower(right(destination, 4)));
CREATE INDEX withdrawal_of_day ON custody.withdrawal (customer, asset, created_at);

-- Movements of the house itself: collections, gas top-ups, merging of hot coins.
CREATE TABLE custody.house_intent (
  id          text PRIMARY KEY,
  kind        text NOT NULL CHECK (kind IN ('collect', 'gas_topup', 'consolidate')),
  asset       text NOT NULL,
  chain       text NOT NULL,
  from_address text NOT NULL,                      -- account chains; empty for coins
  destination text NOT NULL,
  amount      numeric(78,0) NOT NULL CHECK (amount > 0),
  for_asset   text NOT NULL DEFAULT '',            -- gas top-ups: the token whose collection needs it
  state       text NOT NULL,                       -- the withdrawal states from 'approved' on
  version     bigint NOT NULL DEFAULT 1,
  reason      text NOT NULL DEFAULT '',
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL
);
CREATE INDEX house_intent_open ON custody.house_intent (chain, from_address) WHERE state NOT IN ('posted', 'reverted', 'cancelled');

-- Piles at deposit addresses that are not collected for now, and why.
CREATE TABLE custody.held_pile (
  chain text NOT NULL, address text NOT NULL, asset text NOT NULL,
  reason text NOT NULL,
  until  timestamptz,                              -- null: until a limit has room again
  since  timestamptz NOT NULL,
  PRIMARY KEY (chain, address, asset)
);
CREATE INDEX house_intent_of_kind ON custody.house_intent (chain, kind, created_at);

-- Nonces are counted by us, never by the node. One slot per intent.
CREATE TABLE custody.nonce_counter (
  chain text NOT NULL, address text NOT NULL, next bigint NOT NULL,
  halted boolean NOT NULL DEFAULT false,           -- a foreign transaction used one of our nonces
  PRIMARY KEY (chain, address)
);
CREATE TABLE custody.nonce_slot (
  chain text NOT NULL, address text NOT NULL, nonce bigint NOT NULL,
  intent text NOT NULL UNIQUE,
  PRIMARY KEY (chain, address, nonce)
);

-- Coins of the house on UTXO chains.
CREATE TABLE custody.coin (
  chain        text NOT NULL,
  txid         text NOT NULL,
  vout         bigint NOT NULL,
  address      text NOT NULL,
  amount       numeric(78,0) NOT NULL CHECK (amount > 0),
  account      bigint NOT NULL,
  branch       bigint NOT NULL,
  idx          bigint NOT NULL,
  block_height bigint,                             -- null: not in a canonical block now
  block_hash   text,
  spent_by     text,                               -- txid of the canonical transaction that consumed it
  spent_height bigint,
  PRIMARY KEY (chain, txid, vout)
);
-- A coin is promised to at most one intent.
CREATE TABLE custody.coin_lock (
  chain text NOT NULL, txid text NOT NULL, vout bigint NOT NULL,
  intent text NOT NULL,
  PRIMARY KEY (chain, txid, vout)
);
CREATE INDEX coin_lock_intent ON custody.coin_lock (intent);

-- What an attempt is made of, committed before the signer is asked: asked again
-- after a crash, it is asked for the same bytes.
CREATE TABLE custody.attempt_plan (
  intent     text NOT NULL,
  attempt    integer NOT NULL,
  plan       jsonb NOT NULL,
  max_fee    numeric(78,0) NOT NULL,
  cancels    boolean NOT NULL DEFAULT false,       -- takes the place of the payment and moves nothing
  created_at timestamptz NOT NULL,
  refused_at timestamptz,                          -- when the signer refused it first
  PRIMARY KEY (intent, attempt)
);

-- What an operator ordered, for good: to cancel an intent, to use a key again.
CREATE TABLE custody.operator_order (
  seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  act     text NOT NULL CHECK (act IN ('cancel', 'clear_key')),
  subject text NOT NULL,                           -- intent, or chain and address
  reason  text NOT NULL CHECK (reason <> ''),
  at      timestamptz NOT NULL
);
CREATE INDEX operator_order_of ON custody.operator_order (subject, act);

-- Every transaction of ours, stored before its first byte is sent. Never deleted.
CREATE TABLE custody.chain_tx (
  chain        text NOT NULL,
  txid         text NOT NULL,
  intent       text NOT NULL,
  kind         text NOT NULL CHECK (kind IN ('withdrawal', 'collect', 'gas_topup', 'consolidate')),
  attempt      integer NOT NULL,
  plan         jsonb NOT NULL,
  raw          bytea NOT NULL,
  max_fee      numeric(78,0) NOT NULL,
  cancels      boolean NOT NULL DEFAULT false,     -- a cancellation, not the payment
  created_at   timestamptz NOT NULL,
  sent_at      timestamptz,                        -- first send that was started
  block_height bigint,                             -- where mined on the canonical chain
  block_hash   text,
  success      boolean,                            -- where mined
  fee          numeric(78,0),                      -- where mined: what it cost
  PRIMARY KEY (chain, txid),
  UNIQUE (intent, attempt)
);
CREATE INDEX coin_of_chain ON custody.coin (chain, account) WHERE spent_by IS NULL;
CREATE INDEX coin_at ON custody.coin (chain, block_height);
CREATE INDEX coin_spent_at ON custody.coin (chain, spent_height) WHERE spent_height IS NOT NULL;
CREATE INDEX chain_tx_unmined ON custody.chain_tx (intent) WHERE block_height IS NULL;
CREATE INDEX chain_tx_mined ON custody.chain_tx (chain, block_height);

-- What the book has as the network fee of an intent whose transaction lost its block
-- after the intent had ended: its next block may cost another. round counts the
-- corrections; both change in the transaction that books one.
CREATE TABLE custody.network_fee (
  intent text PRIMARY KEY,
  booked numeric(78,0) NOT NULL CHECK (booked >= 0),
  round  integer NOT NULL DEFAULT 0 CHECK (round >= 0)
);

-- Idempotency of requests from outside.
CREATE TABLE custody.idem (
  customer     text NOT NULL,
  key          text NOT NULL,
  request_hash bytea NOT NULL,
  subject      text NOT NULL,                      -- what the request made
  created_at   timestamptz NOT NULL,
  PRIMARY KEY (customer, key)
);

-- Use of withdrawal limits: one row per withdrawal, released where it ends unpaid.
CREATE TABLE custody.limit_use (
  customer text NOT NULL, asset text NOT NULL, subject text NOT NULL,
  amount   numeric(78,0) NOT NULL,
  at       timestamptz NOT NULL,
  released boolean NOT NULL DEFAULT false,         -- ended unpaid: counts no longer
  PRIMARY KEY (subject)
);
CREATE INDEX limit_use_window ON custody.limit_use (customer, asset, at);

-- A customer may not withdraw while any reason stands. 'debt' is set and lifted
-- together with custody.debt.
CREATE TABLE custody.frozen (
  customer text NOT NULL, reason text NOT NULL, at timestamptz NOT NULL,
  PRIMARY KEY (customer, reason)
);

-- What customers owe after a reorganisation took back more than they had left:
-- the same as the ledger's debt account, written in the transaction that books.
CREATE TABLE custody.debt (
  customer text NOT NULL, asset text NOT NULL,
  amount   numeric(78,0) NOT NULL CHECK (amount >= 0),
  version  bigint NOT NULL DEFAULT 1,
  PRIMARY KEY (customer, asset)
);

-- The block at which each asset was last counted for the ledger's attestation;
-- hash is empty while a count is being handed over. Nothing is credited on a
-- count whose block has left the chain.
CREATE TABLE custody.attested (
  chain text NOT NULL, asset text NOT NULL, height bigint NOT NULL, hash text NOT NULL,
  PRIMARY KEY (chain, asset)
);

-- Addresses that the operator refuses to pay to.
CREATE TABLE custody.blocked_address (
  chain text NOT NULL, address text NOT NULL, reason text NOT NULL, at timestamptz NOT NULL,
  PRIMARY KEY (chain, address)
);

-- What screening had against a deposit's senders or a withdrawal's destination,
-- and what an operator decided then. For compliance; customers never see it.
CREATE TABLE custody.finding (
  seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subject  text NOT NULL,                          -- dep_… or wdr_…
  act      text NOT NULL CHECK (act IN ('hit', 'release')),
  address  text NOT NULL DEFAULT '',
  list     text NOT NULL DEFAULT '',               -- OFAC SDN
  version  text NOT NULL DEFAULT '',               -- digest of the list
  entry    text NOT NULL DEFAULT '',               -- the list's number and name of the party
  currency text NOT NULL DEFAULT '',
  reason   text NOT NULL DEFAULT '',               -- an operator's words
  at       timestamptz NOT NULL
);
CREATE UNIQUE INDEX finding_once ON custody.finding (subject, address, list, version, entry, currency) WHERE act = 'hit';
CREATE INDEX finding_of_subject ON custody.finding (subject, seq);

-- Who paid a customer, once it was credited: an address that resembles one of
-- these, or one that the customer paid, must be confirmed.
CREATE TABLE custody.payer (
  customer text NOT NULL, chain text NOT NULL, address text NOT NULL,
  PRIMARY KEY (customer, chain, address)
);
CREATE INDEX payer_tail ON custody.payer (customer, chain, lower(right(address, 4)));

-- Messages that other parts must get at least once; the key makes them once.
-- kind 'start': start the workflow topic/subject; 'signal': tell it the fact.
CREATE TABLE custody.outbox (
  seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key        text NOT NULL UNIQUE,
  topic      text NOT NULL CHECK (topic IN ('withdrawal', 'deposit', 'collect')),
  kind       text NOT NULL CHECK (kind IN ('start', 'signal')),
  subject    text NOT NULL,
  payload    jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  sent_at    timestamptz
);
CREATE INDEX outbox_waiting ON custody.outbox (seq) WHERE sent_at IS NULL;

-- What customers are told, in order.
CREATE TABLE custody.event (
  seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer text NOT NULL,
  kind     text NOT NULL,                          -- deposit.credited, withdrawal.posted …
  subject  text NOT NULL,
  data     jsonb NOT NULL,
  at       timestamptz NOT NULL
);
CREATE INDEX event_of_customer ON custody.event (customer, seq);

-- +goose StatementBegin
CREATE FUNCTION custody.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
-- +goose StatementEnd
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON custody.event
  FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse_change();
CREATE TRIGGER finding_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON custody.finding
  FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse_change();
CREATE TRIGGER operator_order_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON custody.operator_order
  FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse_change();
CREATE TRIGGER chain_tx_kept BEFORE DELETE OR TRUNCATE ON custody.chain_tx
  FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse_change();
CREATE TRIGGER deposit_kept BEFORE DELETE OR TRUNCATE ON custody.deposit
  FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse_change();
CREATE TRIGGER withdrawal_kept BEFORE DELETE OR TRUNCATE ON custody.withdrawal
  FOR EACH STATEMENT EXECUTE FUNCTION custody.refuse_change();
