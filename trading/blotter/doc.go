// Package blotter keeps the history of orders in PostgreSQL: a Writer makes rows out of
// a shard's events, each event once however often it is killed, and a Log reads them,
// and fills from the trades that settlement wrote, as their owner sees them. It decides
// about no money, knows no order that was rejected, and tells nobody of an order that is
// not theirs.
package blotter
