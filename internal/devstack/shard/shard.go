// Package shard runs the nodes of a shard of matching as processes on this machine, for
// measurements and for harnesses that kill them.
package shard

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"strongroom/internal/devstack"
	"strongroom/internal/mtls"
)

// Rights are what a caller may do, as the node's file of rights has them.
type Rights struct {
	Any     bool `json:"any"`
	Operate bool `json:"operate"`
	Events  bool `json:"events"`
}

// Config says what to run.
type Config struct {
	Dir   string // for all nodes; made where it is missing
	Bin   string // the program matching
	Nodes int
	Flags []string // of `matching serve`, beside those of folders, addresses and peers
	// Callers are the names that get a certificate, with their rights.
	Callers map[string]Rights
}

// Shard is nodes that run or were killed. Its methods may be called from several
// goroutines, those of one node from one at a time.
type Shard struct {
	cfg       Config
	addresses []string
	peers     []string

	mu    sync.Mutex
	nodes []*exec.Cmd
}

const stopWithin = 10 * time.Second

// Start makes folders and certificates and starts all nodes. It does not wait until one
// leads.
func Start(cfg Config) (*Shard, error) {
	s := &Shard{cfg: cfg, nodes: make([]*exec.Cmd, cfg.Nodes)}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	for i := range cfg.Nodes {
		if err := s.StartNode(i); err != nil {
			return nil, errors.Join(err, s.Stop())
		}
	}
	return s, nil
}

func (s *Shard) prepare() error {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	names := []string{"matching"}
	for name := range s.cfg.Callers {
		names = append(names, name)
	}
	for i := range s.cfg.Nodes {
		serving, err := devstack.FreePort()
		if err != nil {
			return err
		}
		between, err := devstack.FreePort()
		if err != nil {
			return err
		}
		name := nodeName(i)
		names = append(names, name)
		s.addresses = append(s.addresses, devstack.Loopback(serving))
		s.peers = append(s.peers, strconv.Itoa(i+1)+"="+name+"@"+devstack.Loopback(between))
	}
	if err := mtls.EnsureDev(s.Certs(), names...); err != nil {
		return fmt.Errorf("issue certificates: %w", err)
	}
	rights, err := json.Marshal(s.cfg.Callers)
	if err == nil {
		err = os.WriteFile(s.rights(), rights, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write rights: %w", err)
	}
	return nil
}

func nodeName(i int) string { return "matching-" + strconv.Itoa(i+1) }

func (s *Shard) rights() string { return filepath.Join(s.cfg.Dir, "rights.json") }

// Certs is the folder of the certificates.
func (s *Shard) Certs() string { return filepath.Join(s.cfg.Dir, "tls") }

// Addresses are those of the nodes' services, by node.
func (s *Shard) Addresses() []string { return s.addresses }

// StartNode starts a node that does not run.
func (s *Shard) StartNode(i int) error {
	args := append([]string{
		"serve", "--create", "--node", strconv.Itoa(i + 1), "--dir", filepath.Join(s.cfg.Dir, nodeName(i)),
		"--certs", s.Certs(), "--listen", s.addresses[i], "--rights", s.rights(),
	}, s.cfg.Flags...)
	if s.cfg.Nodes > 1 {
		for _, p := range s.peers {
			args = append(args, "--peers", p)
		}
	}
	log, err := os.OpenFile(filepath.Join(s.cfg.Dir, nodeName(i)+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log of node %d: %w", i+1, err)
	}
	defer func() { _ = log.Close() }()      // the process has its own
	cmd := exec.Command(s.cfg.Bin, args...) //nolint:gosec,noctx // our own program; it ends by Kill or Stop
	cmd.Stdout, cmd.Stderr = log, log       //
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for us to pass on
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start node %d: %w", i+1, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[i] = cmd
	return nil
}

// environment is what a node gets of ours: nothing that sets its flags, which might be
// meant for the node of a stack beside it.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "STRONGROOM_") })
}

// take gives up a node's process, nil where it does not run.
func (s *Shard) take(i int) *exec.Cmd {
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd := s.nodes[i]
	s.nodes[i] = nil
	return cmd
}

// Kill ends a node at once, as a crash would.
func (s *Shard) Kill(i int) error {
	cmd := s.take(i)
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill node %d: %w", i+1, err)
	}
	_ = cmd.Wait() // it was killed
	return nil
}

// Stop ends all nodes in order. It reports those that did not end well.
func (s *Shard) Stop() error {
	var err error
	for i := range s.nodes {
		if cmd := s.take(i); cmd != nil {
			err = errors.Join(err, stop(cmd))
		}
	}
	return err
}

func stop(cmd *exec.Cmd) error {
	kill := time.AfterFunc(stopWithin, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop node: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("node ended with %w", err)
	}
	return nil
}

// PID is the process id of a node, zero where it does not run.
func (s *Shard) PID(i int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes[i] == nil {
		return 0
	}
	return s.nodes[i].Process.Pid
}
