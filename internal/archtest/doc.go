// Package archtest keeps the layers apart: its test reads who imports whom and
// fails on an import that ARCHITECTURE.md does not allow, or on a package that
// has no place in the layout yet. It is nothing but that test.
package archtest
