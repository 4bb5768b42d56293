-- +goose Up

-- Payments out of a vault to outside addresses of the house's own book. requester asked
-- for one, and reason is why; both are for people.
ALTER TABLE custody.house_intent ADD COLUMN requester text NOT NULL DEFAULT '';
ALTER TABLE custody.house_intent ADD COLUMN purpose text NOT NULL DEFAULT '';
ALTER TABLE custody.house_intent DROP CONSTRAINT house_intent_kind_check;
ALTER TABLE custody.house_intent ADD CONSTRAINT house_intent_kind_check CHECK (kind IN ('collect', 'gas_topup', 'consolidate', 'sweep', 'refill', 'coldspend'));
ALTER TABLE custody.house_intent DROP CONSTRAINT house_intent_vault_check;
ALTER TABLE custody.house_intent ADD CONSTRAINT house_intent_vault_check CHECK ((vault <> '') = (kind IN ('sweep', 'refill', 'coldspend')));
ALTER TABLE custody.house_intent ADD CONSTRAINT house_intent_requester_check CHECK ((requester <> '') = (kind = 'coldspend'));
ALTER TABLE custody.chain_tx DROP CONSTRAINT chain_tx_kind_check;
ALTER TABLE custody.chain_tx ADD CONSTRAINT chain_tx_kind_check CHECK (kind IN ('withdrawal', 'collect', 'gas_topup', 'consolidate', 'sweep', 'refill', 'coldspend'));
ALTER TABLE custody.outbox DROP CONSTRAINT outbox_topic_check;
ALTER TABLE custody.outbox ADD CONSTRAINT outbox_topic_check CHECK (topic IN ('withdrawal', 'deposit', 'collect', 'transfer', 'sweep', 'refill', 'coldspend'));

-- +goose Down
ALTER TABLE custody.outbox DROP CONSTRAINT outbox_topic_check;
ALTER TABLE custody.outbox ADD CONSTRAINT outbox_topic_check CHECK (topic IN ('withdrawal', 'deposit', 'collect', 'transfer', 'sweep', 'refill'));
ALTER TABLE custody.chain_tx DROP CONSTRAINT chain_tx_kind_check;
ALTER TABLE custody.chain_tx ADD CONSTRAINT chain_tx_kind_check CHECK (kind IN ('withdrawal', 'collect', 'gas_topup', 'consolidate', 'sweep', 'refill'));
ALTER TABLE custody.house_intent DROP CONSTRAINT house_intent_requester_check;
ALTER TABLE custody.house_intent DROP CONSTRAINT house_intent_vault_check;
ALTER TABLE custody.house_intent ADD CONSTRAINT house_intent_vault_check CHECK ((vault <> '') = (kind IN ('sweep', 'refill')));
ALTER TABLE custody.house_intent DROP CONSTRAINT house_intent_kind_check;
ALTER TABLE custody.house_intent ADD CONSTRAINT house_intent_kind_check CHECK (kind IN ('collect', 'gas_topup', 'consolidate', 'sweep', 'refill'));
ALTER TABLE custody.house_intent DROP COLUMN purpose;
ALTER TABLE custody.house_intent DROP COLUMN requester;
