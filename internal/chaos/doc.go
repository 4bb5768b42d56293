// Package chaos drives the whole platform through operations while everything in
// it is killed, paused, reorganised and cut off by a plan that a seed decides, waits
// until all is at rest and has the invariants checked. It is built with the tag chaos
// only and never part of a product.
package chaos
