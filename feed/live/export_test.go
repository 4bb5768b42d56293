package live

import "context"

// KeepAll writes snapshots now.
func (l *Live) KeepAll(ctx context.Context) error { return l.keepAll(ctx) }
