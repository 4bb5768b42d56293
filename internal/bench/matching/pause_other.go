//go:build !linux

package matchingbench

import "time"

func pause(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // real time is what is measured
