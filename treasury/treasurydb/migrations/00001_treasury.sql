-- +goose Up

-- Which policy and which roster are in force. One row: whoever asks or signs holds it
-- shared, whoever publishes holds it alone.
CREATE TABLE treasury.head (
  one    boolean PRIMARY KEY DEFAULT true CHECK (one),
  policy bigint NOT NULL DEFAULT 0 CHECK (policy >= 0),
  roster bigint NOT NULL DEFAULT 0 CHECK (roster >= 0)
);
INSERT INTO treasury.head DEFAULT VALUES;

-- Signed by officers offline, word for word. Verified whenever it is read.
CREATE TABLE treasury.roster (
  version  bigint PRIMARY KEY CHECK (version > 0),
  signed   bytea NOT NULL,
  document text COLLATE "C" NOT NULL CHECK (length(document) = 64),
  came     timestamptz NOT NULL
);

CREATE TABLE treasury.policy (
  version    bigint PRIMARY KEY CHECK (version > 0),
  text       text COLLATE "C" NOT NULL,
  document   text COLLATE "C" NOT NULL CHECK (length(document) = 64), -- of the text
  state      text NOT NULL CHECK (state IN ('draft', 'proposed', 'approved', 'published', 'retired', 'dropped')),
  not_before timestamptz NOT NULL,
  author     text COLLATE "C" NOT NULL,
  reason     text NOT NULL,
  request    text COLLATE "C" NOT NULL DEFAULT '',
  outcome    text NOT NULL DEFAULT '',
  created    timestamptz NOT NULL,
  published  timestamptz,
  CONSTRAINT dropped_with_a_reason CHECK ((state = 'dropped') = (outcome <> '')),
  CONSTRAINT published_at_a_time CHECK ((state IN ('published', 'retired')) = (published IS NOT NULL))
);
CREATE UNIQUE INDEX policy_in_force ON treasury.policy ((true)) WHERE state = 'published';

-- What people are asked to agree to. intent is the canonical text, hash that of it; both
-- and all that comes with them stay as they were. round counts how often the same was
-- asked: of one intent only the newest round is open. requirement and missing are empty
-- where the policy allowed or denied by itself; asked are the groups that missing names.
CREATE TABLE treasury.request (
  id          text COLLATE "C" PRIMARY KEY,
  intent_id   text COLLATE "C" NOT NULL,
  round       integer NOT NULL CHECK (round > 0),
  intent      text COLLATE "C" NOT NULL,
  hash        bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
  action      text COLLATE "C" NOT NULL,
  requester   text COLLATE "C" NOT NULL,
  chain       text COLLATE "C" NOT NULL,
  asset       text COLLATE "C" NOT NULL,
  amount      numeric(78, 0) NOT NULL CHECK (amount >= 0),
  class       text COLLATE "C" NOT NULL,
  selector    text COLLATE "C" NOT NULL,
  subject     text COLLATE "C" NOT NULL, -- the entry or version that it is about
  policy      bigint NOT NULL,
  roster      bigint NOT NULL,
  rule        text NOT NULL,
  sentence    text NOT NULL,
  requirement text NOT NULL,
  notes       jsonb NOT NULL,
  effect      jsonb NOT NULL,
  payload     bytea NOT NULL,
  created     timestamptz NOT NULL,
  expires     timestamptz NOT NULL CHECK (expires > created),
  state       text NOT NULL CHECK (state IN ('waiting', 'approved', 'denied', 'expired', 'cancelled', 'done', 'failed')),
  version     bigint NOT NULL DEFAULT 1,
  missing     text NOT NULL,
  asked       text[] NOT NULL,
  ended       timestamptz,
  outcome     text NOT NULL,
  superseded  boolean NOT NULL DEFAULT false CHECK (NOT superseded OR state = 'cancelled'), -- nobody took it back
  UNIQUE (intent_id, round),
  CONSTRAINT waits_for_somebody CHECK ((state = 'waiting') = (missing <> '')),
  CONSTRAINT ended_with_a_reason CHECK ((state IN ('waiting', 'approved')) = (ended IS NULL) AND (ended IS NULL) = (outcome = ''))
) WITH (fillfactor = 80);
CREATE INDEX request_waiting ON treasury.request (expires, id) INCLUDE (action, asset) WHERE state = 'waiting';
CREATE INDEX request_list ON treasury.request (expires, id);
CREATE INDEX request_created ON treasury.request (created);
-- What windows of the policy sum up.
CREATE INDEX request_moved ON treasury.request (asset, created) INCLUDE (requester, action, amount)
  WHERE amount > 0 AND state IN ('waiting', 'approved', 'done');

-- Each signed word that counted when it came. A yes may become a no, so a person has at
-- most one of each.
CREATE TABLE treasury.approval (
  seq       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  request   text COLLATE "C" NOT NULL REFERENCES treasury.request (id),
  person    text COLLATE "C" NOT NULL,
  key       text COLLATE "C" NOT NULL,
  scheme    text COLLATE "C" NOT NULL,
  verdict   text NOT NULL CHECK (verdict IN ('approve', 'deny')),
  reason    text NOT NULL,
  at        bigint NOT NULL,
  payload   bytea,
  signature bytea NOT NULL,
  digest    bytea NOT NULL CHECK (octet_length(digest) = 32),
  name      text NOT NULL,
  came      timestamptz NOT NULL,
  PRIMARY KEY (request, person, verdict),
  -- What a plain key signs has no number of its own: it can approve two requests in one second.
  UNIQUE (request, digest)
);
CREATE INDEX approval_of_key ON treasury.approval (person, key, came);

-- Sign counters of passkeys that counted, none twice.
CREATE TABLE treasury.passkey_count (
  person text COLLATE "C" NOT NULL,
  key    text COLLATE "C" NOT NULL,
  count  bigint NOT NULL CHECK (count > 0),
  digest bytea NOT NULL CHECK (octet_length(digest) = 32), -- of the approval
  PRIMARY KEY (person, key, count)
);

CREATE TABLE treasury.vault (
  id      text COLLATE "C" PRIMARY KEY,
  asset   text COLLATE "C" NOT NULL,
  chain   text COLLATE "C" NOT NULL,
  tier    text NOT NULL CHECK (tier IN ('hot', 'warm', 'cold')),
  shard   integer NOT NULL,
  terms   jsonb NOT NULL, -- the vault as JSON
  version bigint NOT NULL DEFAULT 1,
  changed timestamptz NOT NULL
);
CREATE UNIQUE INDEX vault_shard ON treasury.vault (asset, chain, shard) WHERE tier = 'hot';
CREATE INDEX vault_of_asset ON treasury.vault (asset, chain);

CREATE TABLE treasury.holding (
  seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  vault    text COLLATE "C" NOT NULL REFERENCES treasury.vault (id),
  at       timestamptz NOT NULL,
  final    numeric(78, 0) NOT NULL CHECK (final >= 0),
  open     numeric(78, 0) NOT NULL CHECK (open >= 0),
  approved numeric(78, 0) NOT NULL CHECK (approved >= 0 AND approved <= open)
);
CREATE INDEX holding_newest ON treasury.holding (vault, at DESC, seq DESC);

CREATE TABLE treasury.proof (
  vault    text COLLATE "C" NOT NULL REFERENCES treasury.vault (id),
  kind     text NOT NULL CHECK (kind IN ('drill', 'payment')),
  evidence text COLLATE "C" NOT NULL CHECK (evidence <> ''),
  at       bigint NOT NULL CHECK (at > 0),
  came     timestamptz NOT NULL,
  PRIMARY KEY (vault, kind, evidence)
);

-- One transaction of a sweep or refill.
CREATE TABLE treasury.move (
  seq     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  id      text COLLATE "C" PRIMARY KEY, -- <move>/<number>
  move    text COLLATE "C" NOT NULL,
  kind    text NOT NULL CHECK (kind IN ('sweep', 'refill')),
  asset   text COLLATE "C" NOT NULL,
  chain   text COLLATE "C" NOT NULL,
  "from"  text COLLATE "C" NOT NULL REFERENCES treasury.vault (id),
  "to"    text COLLATE "C" NOT NULL REFERENCES treasury.vault (id),
  amount  numeric(78, 0) NOT NULL CHECK (amount > 0),
  fee     numeric(78, 0) NOT NULL CHECK (fee >= 0),
  why     text NOT NULL,
  state   text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'signed', 'sent', 'final', 'recalled', 'failed')),
  version bigint NOT NULL DEFAULT 1,
  request text COLLATE "C" NOT NULL DEFAULT '',
  txid    text COLLATE "C" NOT NULL DEFAULT '',
  outcome text NOT NULL DEFAULT '',
  created timestamptz NOT NULL,
  changed timestamptz NOT NULL,
  CHECK ("from" <> "to"),
  CONSTRAINT signed_by_name CHECK (state IN ('proposed', 'recalled', 'failed') OR txid <> '')
);
CREATE INDEX move_open ON treasury.move (asset, chain) WHERE state IN ('proposed', 'signed', 'sent');
CREATE INDEX move_newest ON treasury.move (asset, seq);

-- Address book: times are Unix seconds, as in addressbook.Entry; zero is none.
CREATE TABLE treasury.address (
  seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  id          text COLLATE "C" PRIMARY KEY,
  owner       text COLLATE "C" NOT NULL,
  chain       text COLLATE "C" NOT NULL,
  address     text COLLATE "C" NOT NULL,
  label       text NOT NULL,
  wait        bigint NOT NULL,
  alike       jsonb NOT NULL,
  proposed_at bigint NOT NULL,
  request     text COLLATE "C" NOT NULL DEFAULT '',
  state       text NOT NULL CHECK (state IN ('proposed', 'cooling', 'active', 'denied', 'removed')),
  approved_at bigint NOT NULL DEFAULT 0,
  active_from bigint NOT NULL DEFAULT 0,
  ended_at    bigint NOT NULL DEFAULT 0,
  reason      text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX address_once ON treasury.address (owner, chain, address) WHERE state IN ('proposed', 'cooling', 'active');
CREATE INDEX address_of_owner ON treasury.address (owner, seq);

-- Nothing is deleted, and what was asked or signed stays as it was.
-- +goose StatementBegin
CREATE FUNCTION treasury.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'treasury.% is kept: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION treasury.guard_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.id, OLD.intent_id, OLD.round, OLD.intent, OLD.hash, OLD.action, OLD.requester, OLD.chain, OLD.asset, OLD.amount, OLD.class,
      OLD.selector, OLD.subject, OLD.policy, OLD.roster, OLD.rule, OLD.sentence, OLD.requirement, OLD.payload, OLD.created, OLD.expires)
     IS DISTINCT FROM
     (NEW.id, NEW.intent_id, NEW.round, NEW.intent, NEW.hash, NEW.action, NEW.requester, NEW.chain, NEW.asset, NEW.amount, NEW.class,
      NEW.selector, NEW.subject, NEW.policy, NEW.roster, NEW.rule, NEW.sentence, NEW.requirement, NEW.payload, NEW.created, NEW.expires)
     OR OLD.notes IS DISTINCT FROM NEW.notes OR OLD.effect IS DISTINCT FROM NEW.effect
     OR NEW.version <> OLD.version + 1
     OR NOT (OLD.state = 'waiting' OR OLD.state = 'approved' AND NEW.state IN ('done', 'failed', 'cancelled')) THEN
    RAISE EXCEPTION 'treasury.request %: what was asked stays, and states go forward only', OLD.id USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION treasury.guard_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.version, OLD.text, OLD.document, OLD.not_before, OLD.author, OLD.reason, OLD.created)
     IS DISTINCT FROM (NEW.version, NEW.text, NEW.document, NEW.not_before, NEW.author, NEW.reason, NEW.created)
     OR array_position(ARRAY['draft', 'proposed', 'approved', 'published', 'retired', 'dropped'], NEW.state)
     <= array_position(ARRAY['draft', 'proposed', 'approved', 'published', 'retired', 'dropped'], OLD.state)
     OR OLD.state IN ('retired', 'dropped') OR OLD.state = 'published' AND NEW.state <> 'retired' THEN
    RAISE EXCEPTION 'treasury.policy %: its text stays, and states go forward only', OLD.version USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION treasury.guard_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.policy < OLD.policy OR NEW.roster < OLD.roster THEN
    RAISE EXCEPTION 'treasury.head: versions grow' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;

-- Whoever shows requests hears of each change.
CREATE FUNCTION treasury.tell_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('strongroom_treasury_request', NEW.id);
  RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER guarded BEFORE UPDATE ON treasury.request FOR EACH ROW EXECUTE FUNCTION treasury.guard_request();
CREATE TRIGGER told AFTER INSERT OR UPDATE ON treasury.request FOR EACH ROW EXECUTE FUNCTION treasury.tell_request();
CREATE TRIGGER guarded BEFORE UPDATE ON treasury.policy FOR EACH ROW EXECUTE FUNCTION treasury.guard_policy();
CREATE TRIGGER guarded BEFORE UPDATE ON treasury.head FOR EACH ROW EXECUTE FUNCTION treasury.guard_head();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury.approval FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury.passkey_count FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury.roster FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury.holding FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury.proof FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON treasury.head FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON treasury.request FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON treasury.policy FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON treasury.vault FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON treasury.move FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON treasury.address FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();

-- +goose Down
DROP SCHEMA treasury CASCADE;
