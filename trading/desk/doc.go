// Package desk takes customers' orders to a shard of matching and tells them what became
// of them. Every field is converted exactly or refused with the field and what would do;
// an outcome that is not known is said to be unknown, and found out by asking for the
// same again. It decides nothing about orders and keeps nothing that lasts: what it
// remembers of orders comes from the shard's events and is forgotten with its session.
package desk
