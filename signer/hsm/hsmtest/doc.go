// Package hsmtest makes tokens of SoftHSM for tests. It never touches a token that was
// there before.
package hsmtest
