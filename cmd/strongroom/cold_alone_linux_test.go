package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"strongroom/chainadapters/evm/safe"
)

// aloneArgs names the commands that a child of this test runs without network.
const aloneArgs = "COLD_ALONE_ARGS"

// dial is a command of the control: it opens a connection.
const dial = "dial"

// TestColdNeedsNoNetwork runs the commands in a process that the kernel kills as soon as
// it asks for a socket of any kind, with nothing in its environment and no stack, file
// of settings or database in reach. A child that dials shows that the kernel does.
func TestColdNeedsNoNetwork(t *testing.T) {
	if text := os.Getenv(aloneArgs); text != "" {
		alone(t, text)
		return
	}
	h := newColdHouse(t, "regtest")
	to, err := h.params.KeyAddress(make([]byte, 33))
	if err != nil {
		t.Fatal(err)
	}
	_, txid := h.spend(t, h.coins(t, 1), to)
	d := h.desks[0]
	contract := newSafeHouse(t)
	hash := contract.offer(t, safe.PayNative(contract.hot, big.NewInt(1), 0))
	ada, bob := contract.desks[0], contract.desks[1]
	child(t, nil, [][]string{
		{"cold", "key", "new", "--key", d.file("new.age"), "--passphrase-file", d.file("pass"), "--work", "1"},
		{"cold", "key", "show", "--key", d.file("new.age"), "--passphrase-file", d.file("pass")},
		{"cold", "vault", d.file("vault.json")},
		d.inspect("spend.psbt"), d.sign("spend.psbt", txid),
		append(h.desks[1].sign("spend.psbt", txid), "--out", d.file("spend.bob.psbt")),
		{"cold", "combine", "--vault", d.file("vault.json"), "--out", d.file("both.psbt"), d.file("spend.ada.psbt"), d.file("spend.bob.psbt")},
		{"cold", "finish", "--vault", d.file("vault.json"), "--out", d.file("tx"), d.file("both.psbt")},
		{"cold", "qr", "--dir", d.file("codes"), d.file("both.psbt")},
		{"cold", "vault", ada.file("vault.json")},
		ada.inspect("spend.json"), ada.sign("spend.json", hash),
		append(bob.sign("spend.json", hash), "--out", ada.file("spend.bob.json")),
		{"cold", "combine", "--vault", ada.file("vault.json"), "--out", ada.file("both.json"), ada.file("spend.ada.json"), ada.file("spend.bob.json")},
		{"cold", "finish", "--vault", ada.file("vault.json"), "--out", ada.file("call"), ada.file("both.json")},
		{"cold", "qr", "--dir", ada.file("codes"), ada.file("both.json")},
	})
	if take(t, d.file("tx")) == "" || take(t, ada.file("call")) == "" {
		t.Error("nothing came out")
	}
	child(t, syscall.SIGSYS, [][]string{{dial}})
}

// child runs this test alone and compares the signal that ends it.
func child(t *testing.T, want os.Signal, commands [][]string) {
	t.Helper()
	text, err := json.Marshal(commands)
	if err != nil {
		t.Fatal(err)
	}
	self := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestColdNeedsNoNetwork$", "-test.v")
	self.Dir, self.Env = t.TempDir(), []string{aloneArgs + "=" + string(text)}
	out, err := self.CombinedOutput()
	if want == nil {
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != want {
		t.Fatalf("a child that dials ended with %v\n%s", err, out)
	}
}

func alone(t *testing.T, text string) {
	t.Helper()
	forbidSockets(t)
	var commands [][]string
	if err := json.Unmarshal([]byte(text), &commands); err != nil {
		t.Fatal(err)
	}
	for _, args := range commands {
		if args[0] == dial {
			_, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:1")
			t.Fatal("dialled:", err)
		}
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, &out, &errOut); code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, code, errOut.String())
		}
	}
}

// forbidSockets has the kernel kill this process where any of its threads asks for a
// socket. Any user may do so to their own process.
func forbidSockets(t *testing.T) {
	t.Helper()
	const numberOffset = 0 // of the system call's number in seccomp_data
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: numberOffset}}
	for _, number := range []uint32{unix.SYS_SOCKET, unix.SYS_CONNECT, unix.SYS_SOCKETPAIR, unix.SYS_IO_URING_SETUP} {
		program = append(program,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: number},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS})
	}
	program = append(program, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal("no new privileges:", err)
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		t.Fatal("seccomp:", errno)
	}
}
