// Package herald tells people that a request asks them, reminds them while it waits, and
// tells officers before it expires. What is to be told is a row, so that a crash neither
// loses nor repeats it: whoever is told gets the same key again where that is not certain.
// It decides nothing and never says more than who asks for what and how long there is time:
// a notice is not what people agree by.
package herald
