-- +goose Up

-- Moves between funding and trading are carried by workflows too.
ALTER TABLE custody.outbox DROP CONSTRAINT outbox_topic_check;
ALTER TABLE custody.outbox ADD CONSTRAINT outbox_topic_check CHECK (topic IN ('withdrawal', 'deposit', 'collect', 'transfer'));

-- +goose Down
ALTER TABLE custody.outbox DROP CONSTRAINT outbox_topic_check;
ALTER TABLE custody.outbox ADD CONSTRAINT outbox_topic_check CHECK (topic IN ('withdrawal', 'deposit', 'collect'));
