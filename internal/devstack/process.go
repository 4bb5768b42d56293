package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Spec describes a server that runs as a child process.
type Spec struct {
	// Name is the server's short name: "postgres".
	Name string
	// Command is the binary and its arguments.
	Command []string
	// Env is added to a minimal environment (PATH, HOME, LANG); secrets belong
	// here and not into Command, which every user of the machine can read.
	Env []string
	// Dir is the working folder; empty: the caller's.
	Dir string
	// Log receives both outputs; nil: discarded.
	Log io.Writer
	// Ready asks the server something once; nil where it answers. A nil Ready
	// means ready as soon as it runs.
	Ready func(context.Context) error
	// StartWithin bounds the wait for Ready; 0: 60 s.
	StartWithin time.Duration
	// StopSignal asks for a graceful end; nil: SIGTERM.
	StopSignal os.Signal
	// StopWithin is the patience before SIGKILL; 0: 15 s.
	StopWithin time.Duration

	credential *syscall.Credential // whom to become; nil: nobody else
}

// Process is a running child. It ends with the process that started it.
type Process struct {
	spec Spec
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended
	err  error         // how; read after done
}

// ErrEnded reports a server that ended before it was ready.
var ErrEnded = errors.New("ended at start")

const (
	startWithin = 60 * time.Second
	stopWithin  = 15 * time.Second
	probeWithin = 5 * time.Second
	// A server is asked often at first and less often then: most are up at once,
	// and those that are not write a line for each question.
	firstProbe = 20 * time.Millisecond
	slowProbe  = 500 * time.Millisecond
)

// Start runs the server and returns when it is ready, or stops it and says what
// was wrong. The server outlives ctx, which only bounds the start.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	p := &Process{spec: spec, done: make(chan struct{})}
	if _, err := exec.LookPath(spec.Command[0]); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", spec.Name, spec.Command[0], ErrMissing)
	}
	p.cmd = exec.Command(spec.Command[0], spec.Command[1:]...) //nolint:gosec,noctx // our own table of servers; the child is ended by Stop
	p.cmd.Stdout, p.cmd.Stderr = spec.Log, spec.Log
	p.cmd.Dir = spec.Dir
	p.cmd.Env = append(baseEnv(), spec.Env...)
	// Its own process group keeps a terminal's Ctrl-C away: the order of the
	// stop is ours. Should we be killed, the kernel asks the child to end.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: spec.credential, Pdeathsig: p.stopSignal(), Setpgid: true}
	if err := p.run(); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Name, err)
	}
	if err := p.await(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", spec.Name, err), p.Stop())
	}
	return p, nil
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended, for whatever reason.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the process ended; it is meaningful after Done.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Kill ends the process as a power cut would.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return wrap("kill "+p.spec.Name, err)
	}
	<-p.done
	return nil
}

// Stop asks the process to end and kills it when it does not. It returns nil
// for a process that has ended, in whichever way.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(p.stopSignal()); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return wrap("signal "+p.spec.Name, err)
	}
	patience := p.spec.StopWithin
	if patience == 0 {
		patience = stopWithin
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience): //nolint:forbidigo // waits for another process
		return p.Kill()
	}
}

func (p *Process) stopSignal() syscall.Signal {
	if sig, ok := p.spec.StopSignal.(syscall.Signal); ok {
		return sig
	}
	return syscall.SIGTERM
}

// run starts the child from an operating-system thread that lives as long as
// the child: the kernel sends Pdeathsig when the *thread* that started the child
// ends, and Go ends threads at will.
func (p *Process) run() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	return <-started
}

func (p *Process) await(ctx context.Context) error {
	if p.spec.Ready == nil {
		return nil
	}
	within := p.spec.StartWithin
	if within == 0 {
		within = startWithin
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for pause := firstProbe; ; pause = min(pause*3/2, slowProbe) {
		probe, end := context.WithTimeout(ctx, probeWithin)
		err := p.spec.Ready(probe)
		end()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%w: %w", ErrEnded, errors.Join(p.err, err))
		case <-ctx.Done():
			return fmt.Errorf("did not answer: %w", errors.Join(ctx.Err(), err))
		case <-time.After(pause): //nolint:forbidigo // waits for another process
		}
	}
}

// baseEnv is all that a server sees of our environment: nothing of it may
// change what the server does.
func baseEnv() []string {
	env := []string{"LANG=C.UTF-8"}
	for _, key := range []string{"PATH", "HOME", "TMPDIR", "TZ"} {
		if v, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+v)
		}
	}
	return env
}
