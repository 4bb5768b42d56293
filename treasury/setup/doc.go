// Package setup reads how an installation's treasury is configured: whose signatures make
// rosters, how long changes wait, which vaults there are and what moves between them keep
// to. Whoever can change this file can change whom the platform believes; the signer has
// a configuration of its own and believes nobody else.
package setup
