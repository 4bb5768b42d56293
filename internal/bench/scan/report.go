package scanbench

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"strongroom/chainadapters"
)

// Report is what a run found.
type Report struct {
	Addresses int // watched on each chain
	Scans     []Scan
	Reads     []Read
	Resident  int64 // bytes of memory that the watching process had at most
	Restarted bool  // the database server had nothing in memory at the start
}

// Scan is one chain, taken in through the watcher.
type Scan struct {
	Chain     chainadapters.ChainID
	Movements int           // outputs or logs, after the first block
	Took      time.Duration // for those
	CPU       time.Duration // processor time of this process for those, the database's apart
	Start     time.Duration // from nothing to the first block taken in
}

// Read is one kind of node whose answers were read, without what follows.
type Read struct {
	Node  string
	Count int // outputs or logs
	Bytes int64
	Took  time.Duration
	CPU   time.Duration // processor time, the scripted node's included
}

// PerSecond returns how many outputs or logs were taken in per second.
func (s Scan) PerSecond() float64 { return perSecond(s.Movements, s.Took) }

// PerSecond returns how many outputs or logs were read per second.
func (r Read) PerSecond() float64 { return perSecond(r.Count, r.Took) }

func perSecond(count int, took time.Duration) float64 {
	if took <= 0 {
		return 0
	}
	return float64(count) / took.Seconds()
}

// String returns one line for people.
func (s Scan) String() string {
	return fmt.Sprintf("%-16s %8d outputs or logs in %6.2f s (%5.2f s cpu)  %9.0f/s   first block after %5.2f s", s.Chain, s.Movements,
		s.Took.Seconds(), s.CPU.Seconds(), s.PerSecond(), s.Start.Seconds())
}

// String returns one line for people.
func (r Read) String() string {
	return fmt.Sprintf("%-16s %8d outputs or logs in %6.2f s (%5.2f s cpu)  %9.0f/s   %.0f MB of answers", r.Node, r.Count, r.Took.Seconds(),
		r.CPU.Seconds(), r.PerSecond(), float64(r.Bytes)/1e6)
}

// String returns the report for people.
func (r Report) String() string {
	var out strings.Builder
	server := "warm"
	if r.Restarted {
		server = "restarted before each"
	}
	fmt.Fprintf(&out, "block scanning, %d watched addresses on each chain, database server %s\n", r.Addresses, server)
	for _, s := range r.Scans {
		fmt.Fprintf(&out, "  %s\n", s)
	}
	fmt.Fprintf(&out, "  the process had at most %d MB resident\n", r.Resident>>20)
	if len(r.Reads) > 0 {
		out.WriteString("reading nodes' answers alone: fetch, decode, check\n")
	}
	for _, read := range r.Reads {
		fmt.Fprintf(&out, "  %s\n", read)
	}
	return out.String()
}

// used returns the processor time of this process so far; zero where the system does
// not say.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident returns the most memory that this process ever had resident, in bytes;
// zero where the system does not say.
func resident() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	const kib = 1024
	var n int64
	_, after, found := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(after, "%d kB", &n); !found || err != nil {
		return 0
	}
	return n * kib
}
