-- +goose Up
CREATE TABLE identity.customer (
	id         text PRIMARY KEY CHECK (id ~ '^cus_[0-9a-f]{32}$'),
	name       text NOT NULL CHECK (name <> ''),
	reference  text UNIQUE CHECK (reference <> ''),
	state      text NOT NULL CHECK (state IN ('active', 'frozen')),
	created_at timestamptz NOT NULL
);

CREATE TABLE identity.api_key (
	id         text PRIMARY KEY CHECK (id ~ '^key_[0-9a-f]{32}$'),
	customer   text REFERENCES identity.customer (id), -- NULL: an operator's
	label      text NOT NULL,
	scheme     text NOT NULL CHECK (scheme IN ('hmac-sha256', 'ed25519')),
	verifier   bytea NOT NULL, -- sealed: HMAC secret or Ed25519 public key
	scopes     text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 3 AND scopes <@ ARRAY['read', 'withdraw', 'admin']),
	networks   text[] NOT NULL CHECK (cardinality(networks) <= 32),
	created_at timestamptz NOT NULL,
	revoked_at timestamptz,
	CHECK ((customer IS NULL) = ('admin' = ANY (scopes)))
);
CREATE INDEX api_key_customer ON identity.api_key (customer, id);

CREATE TABLE identity.nonce (
	key        text NOT NULL,
	nonce      text NOT NULL,
	expires_at timestamptz NOT NULL,
	PRIMARY KEY (key, nonce)
);
CREATE INDEX nonce_expiry ON identity.nonce (expires_at);
