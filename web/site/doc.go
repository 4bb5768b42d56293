// Package site has what all pages of the house share: files with a hash in their path, the
// headers of every answer, sessions in cookies, and the check that a form is of the session
// that it comes with. It knows no page and decides nothing about who may see what.
package site
