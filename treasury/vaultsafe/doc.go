// Package vaultsafe knows the house's vaults that are Safe contracts on chains with
// accounts: what describes one, and where it is paid. It holds no key, signs nothing and
// believes a description only where its configuration has it.
package vaultsafe
