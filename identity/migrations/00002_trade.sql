-- +goose Up
ALTER TABLE identity.api_key DROP CONSTRAINT api_key_scopes_check;
ALTER TABLE identity.api_key ADD CONSTRAINT api_key_scopes_check
	CHECK (cardinality(scopes) BETWEEN 1 AND 4 AND scopes <@ ARRAY['read', 'withdraw', 'trade', 'admin']);
