// Package trading stands between people, who write decimals, customers and markets by
// name, and the matching engine, which knows ticks, lots and numbers. It converts
// exactly or refuses, and says which field and what would do; it matches nothing and
// books nothing.
package trading
