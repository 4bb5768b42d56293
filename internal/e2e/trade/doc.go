// Package trade looks at the trade page as a person does: in a browser, against a real
// engine and desk. It is made of tests alone and is in no product.
package trade
