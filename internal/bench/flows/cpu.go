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

// usage returns the processor time that each service has used: its process and all
// below it. PostgreSQL's sessions are told apart by the database they serve.
func usage(services map[string]int) map[string]time.Duration {
	processes := scan()
	out := map[string]time.Duration{}
	for name, pid := range services {
		for at, p := range processes {
			if !p.below(pid, processes) {
				continue
			}
			key := name
			if at != pid && name == "postgres" {
				key = "postgres: " + p.session()
			}
			out[key] += p.used
		}
	}
	return out
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

// below reports whether p is the process pid or descends from it.
func (p process) below(pid int, all map[int]process) bool {
	if self, ok := all[pid]; ok && self == p {
		return true
	}
	for depth := 0; p.parent > 1 && depth < 16; depth++ {
		if p.parent == pid {
			return true
		}
		p = all[p.parent]
	}
	return false
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
