-- +goose Up

-- Vaults on account chains pay in an order of their own: each of their payments has a place
-- in it that no other open one has.
CREATE TABLE custody.vault_slot (
  intent     text PRIMARY KEY,
  chain      text NOT NULL,
  address    text NOT NULL,                        -- the vault's contract
  nonce      bigint NOT NULL CHECK (nonce >= 0),
  created_at timestamptz NOT NULL
);
CREATE INDEX vault_slot_of_vault ON custody.vault_slot (chain, address, nonce);

-- +goose Down
DROP TABLE custody.vault_slot;
