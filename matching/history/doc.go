// Package history keeps the event batches of a shard in files, so that a consumer that
// was away for long can go on where it stopped. It is filled by whoever applies the
// log, and may be behind after a crash: the log's replay brings what is missing. What
// it holds is what was given to it; it decides nothing and never waits for a reader.
package history
