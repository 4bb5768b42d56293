package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"strongroom/internal/devstack"
	"strongroom/internal/devstack/stack"
)

// doctorCommand looks at the machine.
type doctorCommand struct {
	stateFlag
}

// finding is one line of the doctor.
type finding struct {
	ok     bool
	advice bool // not ok, and yet `up` works
	name   string
	detail string
	remedy string
}

var errIll = errors.New("something is missing; see above")

const wantFreeGiB = 4

// Run prints what it finds and fails where `up` would.
func (c *doctorCommand) Run(e *env) error {
	layout, err := c.layout()
	if err != nil {
		return err
	}
	findings := []finding{machine()}
	root, err := toolRoot()
	if err != nil {
		findings = append(findings, finding{name: "repository", detail: err.Error(), remedy: "cd to the clone"})
	} else {
		findings = append(findings, servers(e, root)...)
	}
	findings = append(findings, disk(layout.Dir))
	findings = append(findings, folder(layout)...)
	ill := false
	for _, f := range findings {
		mark := "ok"
		switch {
		case f.ok:
		case f.advice:
			mark = "note"
		default:
			mark, ill = "MISSING", true
		}
		e.printf("%-8s %-16s %s\n", mark, f.name, f.detail)
		if !f.ok && f.remedy != "" {
			e.printf("%-8s %-16s → %s\n", "", "", f.remedy)
		}
	}
	if ill {
		return errIll
	}
	return nil
}

func machine() finding {
	f := finding{
		name: "machine", ok: runtime.GOOS == "linux" && runtime.GOARCH == "amd64",
		detail: fmt.Sprintf("%s/%s, %d cores, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version()),
		remedy: "the servers of development are pinned for linux/amd64",
	}
	if os.Geteuid() == 0 {
		owner, err := devstack.PostgresOwner()
		if err != nil {
			f.ok, f.remedy = false, err.Error()
			return f
		}
		f.detail += fmt.Sprintf(", root (PostgreSQL runs as uid %d)", owner.Uid)
	}
	return f
}

// servers asks each server's binary for its version.
func servers(e *env, root string) []finding {
	postgres := func(root string) (string, error) {
		dir, err := devstack.PostgresBinDir(root)
		return filepath.Join(dir, "postgres"), err
	}
	list := []struct {
		name string
		find func(string) (string, error)
		args []string
	}{
		{"postgres", postgres, []string{"--version"}},
		{"temporal", devstack.TemporalBin, []string{"version"}},
		{"anvil", devstack.AnvilBin, []string{"--version"}},
		{"geth", devstack.GethBin, []string{"--version"}},
		{"btcd", devstack.BtcdBin, []string{"--version"}},
		{"litecoind", devstack.LitecoindBin, []string{"--version"}},
		{"signer", ownBin("signer"), []string{"--help"}},
		{"matching", ownBin("matching"), []string{"--help"}},
	}
	findings := make([]finding, 0, len(list))
	for _, s := range list {
		f := finding{name: s.name, remedy: "make tools"}
		own := s.name == "signer" || s.name == "matching"
		if own {
			f.remedy = "make build"
		}
		bin, err := s.find(root)
		if err != nil {
			f.detail = err.Error()
			findings = append(findings, f)
			continue
		}
		cmd := exec.CommandContext(e.ctx, bin, s.args...) //nolint:gosec // our own table of servers
		if s.name == "litecoind" {
			cmd.Env = append(os.Environ(), devstack.LitecoindEnv(bin)...)
		}
		out, err := cmd.CombinedOutput()
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		f.ok, f.detail = err == nil, lines[0]+"  "+bin
		if s.name == "temporal" {
			f.detail = strings.Join(lines, ", ") + "  " + bin
		}
		if own {
			f.detail = bin
		}
		findings = append(findings, f)
	}
	return findings
}

// ownBin finds a binary of the platform beside this one.
func ownBin(name string) func(string) (string, error) {
	return func(string) (string, error) {
		self, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find own binary: %w", err)
		}
		bin := filepath.Join(filepath.Dir(self), name)
		if _, err := os.Stat(bin); err != nil {
			return "", fmt.Errorf("%s is not built", bin)
		}
		return bin, nil
	}
}

func disk(dir string) finding {
	f := finding{name: "disk", remedy: "free some space"}
	for {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err == nil {
			free := st.Bavail * uint64(st.Bsize) >> 30 //nolint:gosec // a block size is positive
			f.ok, f.advice = free >= wantFreeGiB, true
			f.detail = fmt.Sprintf("%d GiB free in %s", free, dir)
			return f
		}
		if dir == filepath.Dir(dir) {
			f.detail = "cannot be measured"
			return f
		}
		dir = filepath.Dir(dir)
	}
}

// folder looks at the state folder: does it run, and are its ports free.
func folder(l stack.Layout) []finding {
	if pid := l.Running(); pid != 0 {
		return []finding{{name: "state folder", ok: true, detail: fmt.Sprintf("%s, running (process %d)", l.Dir, pid)}}
	}
	findings := []finding{{name: "state folder", ok: true, detail: l.Dir + ", not running"}}
	ports := stack.PreferredPorts()
	if settings, err := l.ReadSettings(); err != nil {
		findings = append(findings, finding{name: "settings", detail: err.Error(), remedy: "strongroom up --reset"})
	} else if len(settings.Ports) > 0 {
		ports = settings.Ports
	}
	for name, port := range ports {
		if !devstack.PortFree(port) {
			findings = append(findings, finding{
				name: "port", advice: true, detail: fmt.Sprintf("%d of %s is taken", port, name),
				remedy: "nothing to do: up moves it to a free one and says so",
			})
		}
	}
	return findings
}
