package engine

// WarmBlock is how many commands Warm takes at most.
const WarmBlock = 64

// Warm reads what commands will need of the table of client ids before any of them is
// applied: it is larger than the processor's caches, and ids lie all over it. Read
// together, the processor waits for many of them at once. It changes nothing that
// anybody can see.
func (e *Engine) Warm(commands []Command) {
	if len(commands) > WarmBlock {
		commands = commands[:WarmBlock]
	}
	sum, mask := uint64(0), uint64(len(e.keys.index)-1)
	for i := range commands {
		if c := &commands[i]; !c.Key.isZero() {
			sum += uint64(e.keys.index[c.Key.hash(uint32(c.Account))&mask])
		}
	}
	for i := range commands {
		if c := &commands[i]; c.Op != OpNew && !c.Key.isZero() {
			slot := e.keys.index[c.Key.hash(uint32(c.Account))&mask]
			sum += uint64(e.keys.list[slot&e.keys.entries].order)
		}
	}
	for i := range commands {
		if c := &commands[i]; c.Op != OpNew && !c.Key.isZero() {
			slot := e.keys.index[c.Key.hash(uint32(c.Account))&mask]
			if p := uint64(uint32(e.keys.list[slot&e.keys.entries].order)); p < uint64(len(e.rows)) {
				sum += e.rows[p].age
			}
		}
	}
	e.warmed += sum
}
