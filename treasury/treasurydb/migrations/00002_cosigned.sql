-- +goose Up

-- PSBTs of what vaults pay: the one that is offered to cosigners, and what they brought.
CREATE TABLE treasury.offer (
  intent text COLLATE "C" PRIMARY KEY,
  vault  text COLLATE "C" NOT NULL,
  psbt   bytea NOT NULL,
  came   timestamptz NOT NULL
);
CREATE TABLE treasury.cosigned (
  seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  intent text COLLATE "C" NOT NULL REFERENCES treasury.offer (intent),
  psbt   bytea NOT NULL,
  digest bytea NOT NULL CHECK (octet_length(digest) = 32),
  came   timestamptz NOT NULL,
  UNIQUE (intent, digest)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury.offer FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury.cosigned FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();

-- +goose Down
DROP TABLE treasury.cosigned;
DROP TABLE treasury.offer;
