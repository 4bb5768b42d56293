package flowsbench

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc: USER_HZ, 100 on every Linux platform
// that Go runs on.
const clockTick = 10 * time.Millisecond

// usage returns the processor time that each service has used: its process and
// those below it that are no service themselves. PostgreSQL's sessions are told
// apart by the database they serve.
func usage(services map[string]int) map[string]time.Duration {
	names := make(map[int]string, len(services))
	for name, pid := range services {
		names[pid] = name
	}
	processes := scan()
	out := map[string]time.Duration{}
	for pid, p := range processes {
		name := owner(pid, processes, names)
		if name == "" {
			continue
		}
		if name == "postgres" && names[pid] == "" {
			name += ": " + p.session()
		}
		out[name] += p.used
	}
	return out
}

// maxDepth bounds the way up to a service.
const maxDepth = 16

// owner returns the service that a process is, or is nearest below; "" for none.
func owner(pid int, all map[int]process, names map[int]string) string {
	for range maxDepth {
		if name := names[pid]; name != "" || pid <= 1 {
			return name
		}
		pid = all[pid].parent
	}
	return ""
}

// since returns what was used between two readings. A session that ended in
// between takes its part along.
func since(before, after map[string]time.Duration) map[string]time.Duration {
	out := map[string]time.Duration{}
	for name, used := range after {
		if d := used - before[name]; d > 0 {
			out[name] = d
		}
	}
	return out
}

// process is one line of /proc.
type process struct {
	parent int
	used   time.Duration
	title  string
}

// session names what a PostgreSQL process does: the database of a session, or the
// server's own work. Its title is "postgres: user database host(port) command".
func (p process) session() string {
	words := strings.Fields(p.title)
	if len(words) >= 4 && strings.Contains(words[3], "(") {
		return words[2]
	}
	return "server"
}

// scan reads all processes; one that ends meanwhile is left out.
func scan() map[int]process {
	out := map[int]process{}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return out // the pattern is constant
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		text, err := os.ReadFile(file) //nolint:gosec // a name of /proc
		if err != nil {
			continue
		}
		p, ok := parseStat(text)
		if !ok {
			continue
		}
		if title, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil { //nolint:gosec // a name of /proc
			p.title = string(bytes.ReplaceAll(title, []byte{0}, []byte{' '}))
		}
		out[pid] = p
	}
	return out
}

// parseStat reads parent, user and system time of proc_pid_stat(5): fields 4, 14
// and 15. The name in field 2 may hold anything, brackets included.
func parseStat(text []byte) (process, bool) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return process{}, false
	}
	fields := strings.Fields(string(text[end+1:]))
	const parent, user, system = 4 - 3, 14 - 3, 15 - 3
	if len(fields) <= system {
		return process{}, false
	}
	var values [3]int
	for i, at := range []int{parent, user, system} {
		n, err := strconv.Atoi(fields[at])
		if err != nil {
			return process{}, false
		}
		values[i] = n
	}
	return process{parent: values[0], used: time.Duration(values[1]+values[2]) * clockTick}, true
}

// machine returns how long all processors together were busy and idle since the
// system started: the first line of proc_stat(5).
func machine() (busy, idle time.Duration) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	for i, field := range strings.Fields(string(line)) {
		n, err := strconv.Atoi(field)
		if err != nil || i > 8 { // the name; what guests used is in there twice
			continue
		}
		if i == 4 || i == 5 { // idle, and waiting for the disk
			idle += time.Duration(n) * clockTick
		} else {
			busy += time.Duration(n) * clockTick
		}
	}
	return busy, idle
}

// share returns the busy part of the time between two readings.
func share(busyBefore, idleBefore time.Duration) float64 {
	busy, idle := machine()
	busy, idle = busy-busyBefore, idle-idleBefore
	if busy+idle <= 0 {
		return 0
	}
	return busy.Seconds() / (busy + idle).Seconds()
}
