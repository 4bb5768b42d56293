// Package feed makes what traders look at out of a shard's events: the book by price
// (level 2), trades, the best bid and offer, candles and the last 24 hours. It is
// stepped by events alone and keeps no order that has ended; it decides nothing, and
// whoever reads slowly gets the newest state instead of each change.
package feed
