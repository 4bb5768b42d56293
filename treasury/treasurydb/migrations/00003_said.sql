-- +goose Up

-- Who has said something to a request, so that whoever asks what still needs somebody
-- reads one row for each request that waits. It is written with each step; the words
-- themselves are in treasury.approval.
ALTER TABLE treasury.request ADD COLUMN said text[] COLLATE "C" NOT NULL DEFAULT '{}';
ALTER TABLE treasury.request DISABLE TRIGGER guarded;
UPDATE treasury.request r SET said = ARRAY(SELECT DISTINCT a.person FROM treasury.approval a WHERE a.request = r.id) WHERE r.state = 'waiting';
ALTER TABLE treasury.request ENABLE TRIGGER guarded;

-- +goose Down
ALTER TABLE treasury.request DROP COLUMN said;
