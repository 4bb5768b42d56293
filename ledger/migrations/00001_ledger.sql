-- +goose Up
-- The book. Five tables are append-only (account, transfer, transaction, batch,
-- attestation); head, balance, position, attested and expiry are the running
-- totals that the append-only rows imply, kept so that nobody has to add up.

-- head is the end of the hash chain. Its row lock is what makes writers of
-- several processes take turns.
CREATE TABLE ledger.head (
    one    boolean     PRIMARY KEY DEFAULT true CHECK (one),
    batch  bigint      NOT NULL,
    seq    bigint      NOT NULL,
    booked timestamptz NOT NULL,
    hash   bytea       NOT NULL CHECK (octet_length(hash) = 32)
);
INSERT INTO ledger.head (batch, seq, booked, hash)
VALUES (0, 0, '1970-01-01 00:00:00+00', decode(repeat('00', 32), 'hex'));

CREATE TABLE ledger.account (
    no           bigint         GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           text COLLATE "C" NOT NULL UNIQUE CHECK (id ~ '^[A-Za-z0-9/_.:-]{1,128}$'),
    asset        text COLLATE "C" NOT NULL CHECK (asset ~ '^[A-Za-z0-9_.:-]{1,32}$'),
    class        smallint       NOT NULL CHECK (class BETWEEN 1 AND 5),
    may_overdraw boolean        NOT NULL,
    max_balance  numeric(78, 0) NOT NULL CHECK (max_balance >= 0),
    metadata     jsonb          NOT NULL,
    opened       timestamptz    NOT NULL
);

-- The narrow half of an account that changes; one row is made with each account.
-- The guards are repeated here so that a CHECK can see them. There is no foreign
-- key: its trigger costs a fifth of an update, and the checker looks for what it
-- would find. Each update cleans its page of the version before, which costs as
-- much as the page holds rows: pages a third full make updates cheaper, for about
-- 160 bytes more an account.
--
-- The three tables that every transfer writes are vacuumed ten times more gently
-- than others. Two of them never hold a dead row and the third is cleaned by its
-- updates, so that vacuum only freezes and counts there: nothing that anybody waits
-- for, while at the stock pace it nearly doubled the slowest hundredth of waits.
CREATE TABLE ledger.balance (
    account         bigint         PRIMARY KEY,
    debit_normal    boolean        NOT NULL,
    may_overdraw    boolean        NOT NULL,
    max_balance     numeric(78, 0) NOT NULL,
    debits_posted   numeric(78, 0) NOT NULL DEFAULT 0,
    credits_posted  numeric(78, 0) NOT NULL DEFAULT 0,
    debits_pending  numeric(78, 0) NOT NULL DEFAULT 0,
    credits_pending numeric(78, 0) NOT NULL DEFAULT 0,
    version         bigint         NOT NULL DEFAULT 0,
    last_seq        bigint         NOT NULL DEFAULT 0,
    CONSTRAINT holds_not_negative CHECK (debits_pending >= 0 AND credits_pending >= 0),
    CONSTRAINT totals_not_negative CHECK (debits_posted >= 0 AND credits_posted >= 0),
    CONSTRAINT available_not_negative CHECK (may_overdraw OR CASE WHEN debit_normal
        THEN credits_posted + credits_pending <= debits_posted
        ELSE debits_posted + debits_pending <= credits_posted END),
    CONSTRAINT within_limit CHECK (max_balance = 0 OR CASE WHEN debit_normal
        THEN debits_posted + debits_pending <= credits_posted + max_balance
        ELSE credits_posted + credits_pending <= debits_posted + max_balance END)
) WITH (fillfactor = 30, autovacuum_vacuum_cost_delay = 20);

CREATE TABLE ledger.batch (
    no           bigint      PRIMARY KEY,
    booked       timestamptz NOT NULL,
    first_seq    bigint      NOT NULL,
    transfers    integer     NOT NULL CHECK (transfers >= 0),
    transactions integer     NOT NULL CHECK (transactions >= 0),
    attestations integer     NOT NULL CHECK (attestations >= 0),
    hash         bytea       NOT NULL CHECK (octet_length(hash) = 32)
);
CREATE INDEX batch_by_time ON ledger.batch (booked, no);

CREATE TABLE ledger.transaction (
    seq          bigint      PRIMARY KEY, -- that of its first transfer
    id           text COLLATE "C" NOT NULL CONSTRAINT transaction_id_once UNIQUE CHECK (octet_length(id) BETWEEN 1 AND 112),
    batch        bigint      NOT NULL,
    legs         integer     NOT NULL CHECK (legs > 0),
    request_hash bytea       NOT NULL CHECK (octet_length(request_hash) = 32),
    event_time   timestamptz,
    metadata     jsonb
) WITH (autovacuum_vacuum_cost_delay = 20);

-- kind: 1 single, 2 pending, 3 post, 4 void. Each row carries what both accounts
-- held after it, their versions, and the row that touched each before: histories
-- are walked along these links, so two large indexes are not needed.
CREATE TABLE ledger.transfer (
    seq             bigint         PRIMARY KEY,
    batch           bigint         NOT NULL,
    transaction     bigint         NOT NULL,
    id              text COLLATE "C" NOT NULL CONSTRAINT transfer_id_once UNIQUE CHECK (octet_length(id) BETWEEN 1 AND 112),
    kind            smallint       NOT NULL CHECK (kind BETWEEN 1 AND 4),
    debit           bigint         NOT NULL,
    credit          bigint         NOT NULL,
    amount          numeric(78, 0) NOT NULL,
    pending         bigint,
    expires         timestamptz,
    debit_version   bigint         NOT NULL,
    debit_prev      bigint         NOT NULL,
    debit_debits    numeric(78, 0) NOT NULL,
    debit_credits   numeric(78, 0) NOT NULL,
    debit_holds     numeric(78, 0) NOT NULL,
    debit_announced numeric(78, 0) NOT NULL,
    credit_version   bigint         NOT NULL,
    credit_prev      bigint         NOT NULL,
    credit_debits    numeric(78, 0) NOT NULL,
    credit_credits   numeric(78, 0) NOT NULL,
    credit_holds     numeric(78, 0) NOT NULL,
    credit_announced numeric(78, 0) NOT NULL,
    CONSTRAINT two_accounts CHECK (debit <> credit),
    CONSTRAINT moves_something CHECK (amount > 0 OR kind = 4),
    CONSTRAINT void_moves_nothing CHECK (kind <> 4 OR amount = 0),
    CONSTRAINT resolves_a_pending CHECK ((kind > 2) = (pending IS NOT NULL)),
    CONSTRAINT only_pending_expires CHECK (expires IS NULL OR kind = 2)
) WITH (autovacuum_vacuum_cost_delay = 20);
-- A pending transfer is posted or voided once.
CREATE UNIQUE INDEX transfer_resolved_once ON ledger.transfer (pending) WHERE pending IS NOT NULL;
-- Every 64th row of an account is a mark from which the past is found in at
-- most 64 steps.
CREATE INDEX transfer_debit_mark ON ledger.transfer (debit, batch) WHERE debit_version % 64 = 0;
CREATE INDEX transfer_credit_mark ON ledger.transfer (credit, batch) WHERE credit_version % 64 = 0;

-- Open pending transfers that have an end, so that ending them needs no search.
CREATE TABLE ledger.expiry (
    expires timestamptz NOT NULL,
    pending bigint      NOT NULL,
    PRIMARY KEY (expires, pending)
);

CREATE TABLE ledger.attestation (
    batch    bigint         NOT NULL,
    ordinal  integer        NOT NULL,
    asset    text COLLATE "C" NOT NULL,
    source   text COLLATE "C" NOT NULL,
    amount   numeric(78, 0) NOT NULL CHECK (amount >= 0),
    evidence text           NOT NULL,
    outflows bigint         NOT NULL,
    PRIMARY KEY (batch, ordinal)
);

-- The newest attestation of each source, with the asset's outflow total then.
CREATE TABLE ledger.attested (
    asset       text COLLATE "C" NOT NULL,
    source      text COLLATE "C" NOT NULL,
    amount      numeric(78, 0) NOT NULL,
    outflow_sum numeric(78, 0) NOT NULL,
    PRIMARY KEY (asset, source)
);

-- One asset as a whole. shortfall is what was knowingly recorded as missing (an
-- attestation or an outflow lowered what exists); bookings that add liabilities
-- never raise it, so the CHECK refuses a batch that owes more than exists.
CREATE TABLE ledger.position (
    asset             text COLLATE "C" PRIMARY KEY,
    liability_debits  numeric(78, 0) NOT NULL,
    liability_credits numeric(78, 0) NOT NULL,
    outflow_sum       numeric(78, 0) NOT NULL,
    outflows          bigint         NOT NULL,
    attested          numeric(78, 0) NOT NULL CHECK (attested >= 0),
    shortfall         numeric(78, 0) NOT NULL CHECK (shortfall >= 0),
    CONSTRAINT liabilities_attested CHECK (liability_credits - liability_debits <= attested + shortfall)
);

-- +goose StatementBegin
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ledger.% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
-- +goose StatementEnd

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.account FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.transfer FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.transaction FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.batch FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.attestation FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON ledger.balance FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON ledger.position FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER never_removed BEFORE DELETE OR TRUNCATE ON ledger.head FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
-- ALWAYS: session_replication_role does not switch them off.
ALTER TABLE ledger.account ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.transfer ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.transaction ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.batch ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.attestation ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.balance ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE ledger.position ENABLE ALWAYS TRIGGER never_removed;
ALTER TABLE ledger.head ENABLE ALWAYS TRIGGER never_removed;

REVOKE ALL ON SCHEMA ledger FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA ledger FROM PUBLIC;
