-- +goose Up

-- Texts that keys of vaults are asked to sign, each drawn here and proven once at most.
CREATE TABLE treasury.drill (
  nonce   text COLLATE "C" PRIMARY KEY,
  vault   text COLLATE "C" NOT NULL REFERENCES treasury.vault (id),
  message text COLLATE "C" NOT NULL,
  opened  timestamptz NOT NULL,
  until   timestamptz NOT NULL CHECK (until > opened),
  file    bytea,       -- that proved it, with its signatures
  proven  timestamptz,
  CHECK ((file IS NULL) = (proven IS NULL))
);
CREATE INDEX drill_of_vault ON treasury.drill (vault, opened DESC);
CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON treasury.drill FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();

-- +goose Down
DROP TABLE treasury.drill;
