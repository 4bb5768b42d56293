package devstack

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// Loopback returns the address of a port on 127.0.0.1.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// FreePort returns a port that nothing listens on now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", Loopback(0)) //nolint:noctx // closed at once
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("find a free port: not TCP")
	}
	return addr.Port, nil
}

// PortFree reports whether a server could listen on this port of 127.0.0.1.
func PortFree(port int) bool {
	l, err := net.Listen("tcp", Loopback(port)) //nolint:noctx // closed at once
	if err != nil {
		return false
	}
	return l.Close() == nil
}
