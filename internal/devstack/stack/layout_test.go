package stack

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"strongroom/assets"
	"strongroom/internal/devstack"
	"strongroom/signer"
)

func newLayout(t *testing.T) Layout {
	t.Helper()
	l, err := OpenLayout(t.TempDir())
	check(t, err, l.create())
	return l
}

func check(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestPortsNeverCollide draws which ports are taken and expects distinct free
// ports, the wanted one where it is free, and a note for each that moved.
func TestPortsNeverCollide(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		taken := map[int]bool{}
		s := Settings{Ports: map[string]int{}}
		wanted := PreferredPorts()
		for name := range wanted {
			if rapid.Bool().Draw(t, "remembered") {
				wanted[name] = rapid.IntRange(20_000, 20_004).Draw(t, "port") // remembered ones may clash
				s.Ports[name] = wanted[name]
			}
			if rapid.Bool().Draw(t, "taken") {
				taken[wanted[name]] = true
			}
		}
		next := 30_000
		moved, err := assignPorts(&s, func(p int) bool { return !taken[p] }, func() (int, error) { next++; return next, nil })
		if err != nil {
			t.Fatal(err)
		}
		told := map[string]Moved{}
		for _, m := range moved {
			told[m.Name] = m
		}
		seen := map[int]string{}
		for name, port := range s.Ports {
			if taken[port] || seen[port] != "" {
				t.Fatalf("port %d of %s is taken or given to %s too", port, name, seen[port])
			}
			seen[port] = name
			if m, ok := told[name]; ok != (port != wanted[name]) || (ok && m.To != port) {
				t.Fatalf("%s: wanted %d, got %d, told %+v", name, wanted[name], port, m)
			}
		}
	})
}

func TestPortsAreRememberedAndMoveWhenTaken(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { _ = busy.Close() }()
	taken := busy.Addr().(*net.TCPAddr).Port
	s := Settings{Ports: map[string]int{portAPI: taken}}
	claims := devstack.NewClaims()
	defer func() { check(t, claims.Release()) }()
	moved, err := l.claimPorts(&s, claims)
	check(t, err)
	said := false
	for _, m := range moved {
		said = said || m == Moved{Name: portAPI, From: taken, To: s.Ports[portAPI]}
	}
	if !said || s.Ports[portAPI] == taken {
		t.Fatalf("moved %+v, ports %v", moved, s.Ports)
	}
	again, err := l.ReadSettings()
	check(t, err)
	if again.Ports[portAPI] != s.Ports[portAPI] {
		t.Fatal("the new port is forgotten")
	}
}

func TestSecretsAreDrawnOnceAndClosed(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	first, err := l.secret(postgresSecret)
	check(t, err)
	again, err := l.secret(postgresSecret)
	check(t, err)
	other, err := l.secret(btcdSecret)
	check(t, err)
	if first != again || first == other || len(first) != 2*secretBytes {
		t.Fatalf("secrets %q, %q, %q", first, again, other)
	}
	info, err := os.Stat(l.path("secrets", postgresSecret))
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v", info.Mode())
	}
}

func TestOneStackPerFolder(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	if l.Running() != 0 {
		t.Fatal("runs before it was started")
	}
	lock, err := l.lock()
	check(t, err)
	if pid := l.Running(); pid != os.Getpid() {
		t.Fatalf("held by %d, want %d", pid, os.Getpid())
	}
	_, err = l.lock()
	if !errors.Is(err, ErrRunning) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error is %v", err)
	}
	check(t, lock.Close())
	if l.Running() != 0 {
		t.Fatal("runs after it was stopped")
	}
}

// TestOrphansAreEnded leaves a record of a process that lives and one whose id
// was given to another.
func TestOrphansAreEnded(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	child := exec.CommandContext(t.Context(), "sh", "-c", "sleep 0.3; sleep 0.1")
	check(t, child.Start())
	go func() { _ = child.Wait() }()
	check(t, l.writeRecord(devstack.State{Name: "child", PID: child.Process.Pid, Ready: true}))
	check(t, writeSecret(l.recordFile("reused"), `{"name":"reused","pid":`+strconv.Itoa(os.Getpid())+`,"born":"1"}`))
	check(t, l.endOrphans())
	if err := syscall.Kill(child.Process.Pid, 0); err == nil && born(child.Process.Pid) != "" {
		t.Fatal("the child lives")
	}
	if records, err := l.readRecords(); err != nil || len(records) != 0 {
		t.Fatalf("records %v, %v", records, err)
	}
}

func TestDevelopmentFilesAreValid(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	token := "0x700b6A60ce7EaaEA56F065753d8dcB9653dbAD35"
	check(t, l.writeFiles(Settings{Ports: PreferredPorts(), Genesis: "0xabc"}, secrets{btcd: "one", litecoin: "two"}, token))
	list, err := assets.ReadFile(l.path("assets.json"))
	check(t, err)
	if len(list) != 4 || list[3].Contract != token {
		t.Fatalf("assets %+v", list)
	}
	raw, err := os.ReadFile(l.path("signer-policy.json"))
	check(t, err)
	policy, err := signer.ParsePolicy(raw)
	check(t, err)
	if len(policy.Chains) != 3 || policy.Assets[3].Contract != token {
		t.Fatalf("policy %+v", policy)
	}
}

func TestResetRefusesARunningStackAndWipesAStoppedOne(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	lock, err := l.lock()
	check(t, err)
	if err := Reset(l, func(string) {}); !errors.Is(err, ErrRunning) {
		t.Fatalf("error is %v", err)
	}
	check(t, lock.Close())
	elsewhere := t.TempDir()
	check(t, os.WriteFile(filepath.Join(elsewhere, "data"), nil, 0o600), os.Symlink(elsewhere, l.path("postgres")))
	var said string
	check(t, Reset(l, func(line string) { said = line }))
	if !strings.Contains(said, l.Dir) {
		t.Fatalf("said %q", said)
	}
	if _, err := os.Stat(filepath.Join(elsewhere, "data")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the linked data is there: %v", err)
	}
	if entries, err := os.ReadDir(l.Dir); err != nil || len(entries) != 1 {
		t.Fatalf("left: %v, %v", entries, err)
	}
}

// TestAChainStaysWithTheNodeThatMadeIt: another node would not know its blocks.
func TestAChainStaysWithTheNodeThatMadeIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ asked, made, genesis, want string }{
		{"", "", "", EVMAnvil},
		{EVMGeth, "", "", EVMGeth},
		{"", EVMGeth, "0xabc", EVMGeth},
		{"", "", "0xabc", EVMAnvil}, // made before there was a choice
		{EVMGeth, "", "0xabc", ""},
		{EVMAnvil, EVMGeth, "0xabc", ""},
		{"parity", "", "", ""},
	} {
		s := Stack{cfg: Config{EVM: c.asked}, settings: Settings{EVM: c.made, Genesis: c.genesis}}
		err := s.chooseEVM()
		if (err == nil) != (c.want != "") || (err == nil && s.settings.EVM != c.want) {
			t.Errorf("%+v: chose %q, %v", c, s.settings.EVM, err)
		}
	}
}
