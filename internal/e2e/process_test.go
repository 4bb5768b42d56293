package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"strongroom/internal/testenv"
)

// process is a running `strongroom` command.
type process struct {
	cmd  *exec.Cmd
	dir  string
	done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
	err error
}

const poll = 50 * time.Millisecond

// built is made once per test process: a build takes seconds.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// binaries builds the product as `make build` does.
func binaries(t *testing.T) string {
	t.Helper()
	root := testenv.Root(t)
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "strongroom-e2e-bin-*"); built.err != nil { //nolint:usetesting // serves several tests
			return
		}
		cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", built.dir+"/", "./cmd/...")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = errors.Join(err, errors.New(string(out)))
		}
	})
	if built.err != nil {
		t.Fatalf("build: %v", built.err)
	}
	return built.dir
}

// stateDir is a state folder below the system's temporary folder, where
// PostgreSQL's user can reach it.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "strongroom-e2e-*") //nolint:usetesting // kept where the test fails
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("state and logs are kept in %s", dir)
			return
		}
		_ = os.RemoveAll(dir)
	})
	return filepath.Join(dir, "state")
}

// start runs a command on a state folder.
func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{dir: dir, done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(binaries(t), "strongroom"), append(args, "--dir", dir)...)
	p.cmd.Env = append(os.Environ(), "STRONGROOM_ROOT="+testenv.Root(t))
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			p.mu.Lock()
			p.out.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
		}
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() { p.end(t) })
	return p
}

// end stops the command in good order where it still runs.
func (p *process) end(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
		return
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Logf("stop: %v", err)
	}
	p.wait(t, time.Minute)
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// await returns when the output has the text.
func (p *process) await(t *testing.T, text string) {
	t.Helper()
	p.until(t, "output "+text, within, func() bool { return strings.Contains(p.output(), text) })
}

// wait returns the exit code.
func (p *process) wait(t *testing.T, patience time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience): //nolint:forbidigo // waits for another process
		t.Fatalf("did not end within %s:\n%s", patience, p.output())
	}
	return p.cmd.ProcessState.ExitCode()
}

// service is what the supervisor records of a child.
type service struct {
	PID   int  `json:"pid"`
	Ready bool `json:"ready"`
}

func (p *process) service(name string) (service, bool) {
	var s service
	raw, err := os.ReadFile(filepath.Join(p.dir, "run", name+".json"))
	return s, err == nil && json.Unmarshal(raw, &s) == nil
}

// kill ends a service at once, as a crash would.
func (p *process) kill(t *testing.T, name string) {
	t.Helper()
	s, ok := p.service(name)
	if !ok || s.PID == 0 {
		t.Fatalf("service %s does not run", name)
	}
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
		t.Fatalf("kill %s: %v", name, err)
	}
	p.until(t, name+" to be gone", time.Minute, func() bool {
		now, ok := p.service(name)
		return ok && now.PID != s.PID
	})
}

// awaitReady returns when the supervisor has a service running again.
func (p *process) awaitReady(t *testing.T, name string, patience time.Duration) {
	t.Helper()
	p.until(t, name+" to be ready", patience, func() bool {
		s, ok := p.service(name)
		return ok && s.Ready
	})
}

func (p *process) until(t *testing.T, what string, patience time.Duration, holds func() bool) {
	t.Helper()
	deadline := time.After(patience) //nolint:forbidigo // waits for another process
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited %s in vain for %s:\n%s", patience, what, p.output())
		case <-p.done:
			if holds() {
				return
			}
			t.Fatalf("ended before %s:\n%s", what, p.output())
		case <-time.After(poll): //nolint:forbidigo // waits for another process
		}
	}
}
