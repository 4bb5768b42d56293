// Package e2e runs the built binaries as a user would, on the real servers, and
// kills them. It knows nothing of the product's packages.
package e2e
