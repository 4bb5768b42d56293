// Package sim makes the markets of development live: a market maker and a few takers,
// who enrol, deposit and trade as any customer does, through the public API. What they
// want to do follows from a seed; what happens to them does not. It belongs to no
// production installation, knows nothing but what the API says, and decides nothing for
// the platform.
package sim
