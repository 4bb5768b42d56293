package devstack

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// startPinned starts cmd from an operating-system thread that lives as long as
// the child: the kernel sends Pdeathsig when the *thread* that started the child
// ends, and Go ends threads at will. The child's result arrives on end.
func startPinned(cmd *exec.Cmd, end chan<- error) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			end <- cmd.Wait()
		}
	}()
	return <-started
}

// stopProcess sends sig and, after patience, kills. It returns nil for a child
// that ended by either.
func stopProcess(cmd *exec.Cmd, end <-chan error, sig os.Signal, patience time.Duration) error {
	if cmd.Process == nil {
		return nil
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return wrap("signal", err)
	}
	select {
	case err := <-end:
		return exitError(err)
	case <-time.After(patience): //nolint:forbidigo // waits for another process
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return wrap("kill", err)
	}
	return exitError(<-end)
}

// exitError drops what is only the child's way of saying that it was stopped.
func exitError(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}
