-- +goose Up

-- Addresses of vaults are the house's; none of the signer's keys is behind them.
ALTER TABLE custody.address ADD COLUMN vault text NOT NULL DEFAULT '';
ALTER TABLE custody.address ADD CONSTRAINT address_vault_check CHECK ((vault <> '') = (account = 2));

-- Sweeps take what is above its cap out of the hot wallet, into a vault; refills bring back
-- what it needs.
ALTER TABLE custody.house_intent ADD COLUMN vault text NOT NULL DEFAULT '';
ALTER TABLE custody.house_intent DROP CONSTRAINT house_intent_kind_check;
ALTER TABLE custody.house_intent ADD CONSTRAINT house_intent_kind_check CHECK (kind IN ('collect', 'gas_topup', 'consolidate', 'sweep', 'refill'));
ALTER TABLE custody.house_intent ADD CONSTRAINT house_intent_vault_check CHECK ((vault <> '') = (kind IN ('sweep', 'refill')));
ALTER TABLE custody.chain_tx DROP CONSTRAINT chain_tx_kind_check;
ALTER TABLE custody.chain_tx ADD CONSTRAINT chain_tx_kind_check CHECK (kind IN ('withdrawal', 'collect', 'gas_topup', 'consolidate', 'sweep', 'refill'));
ALTER TABLE custody.outbox DROP CONSTRAINT outbox_topic_check;
ALTER TABLE custody.outbox ADD CONSTRAINT outbox_topic_check CHECK (topic IN ('withdrawal', 'deposit', 'collect', 'transfer', 'sweep', 'refill'));

-- +goose Down
ALTER TABLE custody.outbox DROP CONSTRAINT outbox_topic_check;
ALTER TABLE custody.outbox ADD CONSTRAINT outbox_topic_check CHECK (topic IN ('withdrawal', 'deposit', 'collect', 'transfer'));
ALTER TABLE custody.chain_tx DROP CONSTRAINT chain_tx_kind_check;
ALTER TABLE custody.chain_tx ADD CONSTRAINT chain_tx_kind_check CHECK (kind IN ('withdrawal', 'collect', 'gas_topup', 'consolidate'));
ALTER TABLE custody.house_intent DROP CONSTRAINT house_intent_vault_check;
ALTER TABLE custody.house_intent DROP CONSTRAINT house_intent_kind_check;
ALTER TABLE custody.house_intent ADD CONSTRAINT house_intent_kind_check CHECK (kind IN ('collect', 'gas_topup', 'consolidate'));
ALTER TABLE custody.house_intent DROP COLUMN vault;
ALTER TABLE custody.address DROP CONSTRAINT address_vault_check;
ALTER TABLE custody.address DROP COLUMN vault;
