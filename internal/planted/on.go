//go:build planted

package planted

import (
	"os"
	"sync"
)

// live is the bug of this process: the environment's, until a test plants another.
var live = struct { //nolint:gochecknoglobals // only in builds made to be wrong
	mu  sync.RWMutex
	bug Bug
}{bug: Bug(os.Getenv(Variable))}

// Live tells whether a bug is live.
func Live(b Bug) bool {
	live.mu.RLock()
	defer live.mu.RUnlock()
	return live.bug == b
}

// Plant makes one bug live instead of the one before; the empty one is none.
func Plant(b Bug) {
	live.mu.Lock()
	defer live.mu.Unlock()
	live.bug = b
}
