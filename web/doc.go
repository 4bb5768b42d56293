// Package web is the trade page: what a person sees of a market in a browser, rendered
// here, kept fresh by htmx and by one script that listens to the API's stream. It also
// keeps the sessions of browsers, which begin with a link of one use, for there are no
// passwords. It decides nothing about orders or money, loads nothing from elsewhere, and
// never trusts a browser about who its customer is.
package web
