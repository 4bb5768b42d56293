// Package treasurypage looks at the treasury's page as people do, in browsers: each screen
// in each of its states, and a queue of ten thousand. It is made of tests alone and is in
// no product.
package treasurypage
