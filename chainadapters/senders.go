package chainadapters

import "context"

// MaxSenders bounds how many inputs of one transaction are looked at.
const MaxSenders = 1_000

// Senders is who paid a transaction, as far as a node can tell.
type Senders struct {
	Addresses []string // canonical, each once
	Unknown   int      // inputs whose owner has no address, or is not known
}

// SenderReader is what adapters offer on chains where a movement names no single
// sender: the owners of the coins that a transaction spent. It is optional: where
// an adapter lacks it, senders on that chain are not known.
type SenderReader interface {
	// Senders reads a transaction in a block. ErrIncomplete where the node does not
	// have it there.
	Senders(ctx context.Context, txid string, in Ref) (Senders, error)
}
