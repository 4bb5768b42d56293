-- +goose Up
CREATE TABLE assets.asset (
	code           text PRIMARY KEY CHECK (code ~ '^[A-Z][A-Z0-9]{0,11}$'),
	name           text NOT NULL CHECK (name <> ''),
	chain          text NOT NULL CHECK (chain ~ '^[a-z0-9-]{1,32}$'),
	contract       text NOT NULL,
	scale          smallint NOT NULL CHECK (scale BETWEEN 0 AND 18),
	native         boolean NOT NULL CHECK (native = (contract = '')),
	min_deposit    numeric(78,0) NOT NULL CHECK (min_deposit > 0),
	min_withdrawal numeric(78,0) NOT NULL CHECK (min_withdrawal > 0),
	withdrawal_fee numeric(78,0) NOT NULL CHECK (withdrawal_fee >= 0),
	tiers          jsonb NOT NULL CHECK (jsonb_array_length(tiers) BETWEEN 1 AND 8),
	final_depth    bigint NOT NULL CHECK (final_depth BETWEEN 1 AND 10000),
	daily_limit    numeric(78,0) NOT NULL CHECK (daily_limit >= 0),
	state          text NOT NULL CHECK (state IN ('listed', 'deposits_only', 'suspended')),
	traits         text[] NOT NULL DEFAULT '{}', -- how a token departs from the standard; see traits.go
	UNIQUE (chain, contract)
);
