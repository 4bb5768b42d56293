-- +goose Up
-- How each node of a chain with several is doing, as its watcher sees it.
CREATE TABLE custody.node (
  chain      text NOT NULL,
  name       text NOT NULL,                      -- host and port
  state      text NOT NULL CHECK (state IN ('ok', 'lagging', 'down', 'ejected')),
  height     bigint NOT NULL,                    -- the newest head that it told
  lag        bigint NOT NULL,
  reason     text NOT NULL DEFAULT '',
  agreed     bigint NOT NULL DEFAULT 0,          -- ejected: blocks that it has agreed on since
  since      timestamptz NOT NULL,               -- of state
  readmit    boolean NOT NULL DEFAULT false,     -- a person said that it counts again; the watcher takes note
  PRIMARY KEY (chain, name)
);

-- The newest block that a chain called final. It never goes back.
CREATE TABLE custody.finality (
  chain  text PRIMARY KEY,
  height bigint NOT NULL,
  hash   text NOT NULL
);

-- +goose Down
DROP TABLE custody.finality;
DROP TABLE custody.node;
