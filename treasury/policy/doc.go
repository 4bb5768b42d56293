// Package policy says who has to agree before the house's money moves. A policy is data:
// layers of rules, of which the first of each layer that fits a request has that layer's
// say, and over layers the strictest counts. The first layer is the base: what none of its
// rules fits is denied. Every other layer can only tighten what those before it say.
//
// Everything here is a function of its arguments: it reads no clock, no database and no
// roster by itself, and the signer decides with the same code as the pages that explain.
// It never verifies an approval; package consent does.
package policy
