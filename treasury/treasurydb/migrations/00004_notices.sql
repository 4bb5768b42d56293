-- +goose Up

-- What people are told of a request that waits: that it asks them (0), reminders when half
-- and three quarters of its time have passed (1, 2), and, with an eighth left, officers
-- too (3). A row is made once and told until somebody took it in, or the request ended.
CREATE TABLE treasury.notice (
  request text COLLATE "C" NOT NULL REFERENCES treasury.request (id),
  number  integer NOT NULL CHECK (number BETWEEN 0 AND 3),
  made    timestamptz NOT NULL,
  told    timestamptz,
  PRIMARY KEY (request, number)
);
CREATE INDEX notice_open ON treasury.notice (made) WHERE told IS NULL;

-- +goose Down
DROP TABLE treasury.notice;
