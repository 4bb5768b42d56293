// Package candledb keeps candles in PostgreSQL: a Writer makes them out of a shard's
// events, each event once however often it is killed, and a Store reads them. Trades
// that no node keeps as events any more it reads from the rows of settlement. It
// changes no row of anybody else, and candles decide about no money.
package candledb
