package blotter

import "context"

// Follow writes until something fails.
func (w *Writer) Follow(ctx context.Context) error { return w.follow(ctx) }
