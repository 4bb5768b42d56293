// Package vaultcoins is how custody spends coins of a vault that several people hold the
// keys of. It plans a payment as a PSBT that cosigners inspect and sign apart, without
// network (package treasury/cold), and joins what they bring back. It holds no key; a
// signature counts because it verifies, not because somebody brought it.
package vaultcoins
