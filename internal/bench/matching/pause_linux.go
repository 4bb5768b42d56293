package matchingbench

import (
	"syscall"
	"time"
)

// pause waits as exactly as the system can: the runtime's own timers wake an idle
// process up to a millisecond late, which would count as the shard's. It may return early.
func pause(d time.Duration) {
	t := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&t, nil) // a signal ends it early
}
