package journal

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"strongroom/internal/mtls"
)

// Wire connects the nodes of a shard. Both ends of a connection have shown a
// certificate of the same authority.
type Wire interface {
	// Dial connects to p and has checked its name.
	Dial(ctx context.Context, p Peer) (*tls.Conn, error)
	// Accept waits for the next connection; it need not have shaken hands yet.
	Accept() (*tls.Conn, error)
	// Close ends Accept.
	Close() error
}

// TLSWire is the Wire of real nodes: TCP and the platform's own certificates.
type TLSWire struct {
	dir, name string
	listener  net.Listener
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
}

var _ Wire = (*TLSWire)(nil)

// NewTLSWire takes connections from listener as the process name, whose certificate
// lies in dir. It closes listener.
func NewTLSWire(listener net.Listener, dir, name string) *TLSWire {
	return &TLSWire{dir: dir, name: name, listener: listener, dial: (&net.Dialer{}).DialContext}
}

// Dial implements Wire.
func (w *TLSWire) Dial(ctx context.Context, p Peer) (*tls.Conn, error) {
	cfg, err := mtls.ClientConfig(w.dir, w.name, p.Name)
	if err != nil {
		return nil, err
	}
	cfg.NextProtos = nil
	raw, err := w.dial(ctx, "tcp", p.Address)
	if err != nil {
		return nil, fmt.Errorf("dial node %d: %w", p.ID, err)
	}
	conn := tls.Client(raw, cfg)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("shake hands with node %d: %w", p.ID, err)
	}
	return conn, nil
}

// Accept implements Wire.
func (w *TLSWire) Accept() (*tls.Conn, error) {
	cfg, err := mtls.ServerConfig(w.dir, w.name)
	if err != nil {
		return nil, err
	}
	cfg.NextProtos = nil
	raw, err := w.listener.Accept()
	if err != nil {
		return nil, fmt.Errorf("accept node: %w", err)
	}
	return tls.Server(raw, cfg), nil
}

// Close implements Wire.
func (w *TLSWire) Close() error {
	if err := w.listener.Close(); err != nil {
		return fmt.Errorf("close node listener: %w", err)
	}
	return nil
}
