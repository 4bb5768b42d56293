package quorum

// Wait returns when no late answer is under way any more: every node was judged.
func (q *Adapter) Wait() { q.under.Wait() }
