// Package mtls lets the platform's own processes know each other: a private
// certificate authority, one leaf certificate per process name, TLS 1.3 with
// both sides verified. The name is the certificate's common name, and a server
// decides by it what the caller may do. It never trusts the system's
// authorities and never turns verification off.
package mtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// ErrNoPeer reports a call that carries no verified client certificate.
var ErrNoPeer = errors.New("caller has no verified certificate")

// Names of the files in a certificate folder; a leaf has <name>.pem and
// <name>-key.pem.
const (
	authorityFile    = "ca.pem"
	authorityKeyFile = "ca-key.pem"
)

// ServerConfig returns the TLS settings of the process name, which asks every
// client for a certificate of the same authority. The leaf is read again for
// each handshake, so a renewed certificate counts without a restart.
func ServerConfig(dir, name string) (*tls.Config, error) {
	pool, err := load(dir, name)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs:  pool,
		NextProtos: []string{"h2"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return leaf(dir, name)
		},
	}, nil
}

// ClientConfig returns the TLS settings with which the process name calls the
// process serverName; any other server is refused.
func ClientConfig(dir, name, serverName string) (*tls.Config, error) {
	pool, err := load(dir, name)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		RootCAs:    pool,
		ServerName: serverName,
		NextProtos: []string{"h2"},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return leaf(dir, name)
		},
	}, nil
}

// Peer returns the common name of the verified caller of a gRPC method, or
// ErrNoPeer.
func Peer(ctx context.Context) (string, error) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return "", ErrNoPeer
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 || len(info.State.VerifiedChains[0]) == 0 {
		return "", ErrNoPeer
	}
	return info.State.VerifiedChains[0][0].Subject.CommonName, nil
}

// load checks that the leaf of name can be read and returns the authority.
func load(dir, name string) (*x509.CertPool, error) {
	if _, err := leaf(dir, name); err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(filepath.Clean(filepath.Join(dir, authorityFile)))
	if err != nil {
		return nil, fmt.Errorf("read certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read certificate authority %s: %w", authorityFile, errPEM)
	}
	return pool, nil
}

func leaf(dir, name string) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(leafFile(dir, name), leafKeyFile(dir, name))
	if err != nil {
		return nil, fmt.Errorf("load certificate of %s: %w", name, err)
	}
	return &pair, nil
}

func leafFile(dir, name string) string    { return filepath.Join(dir, name+".pem") }
func leafKeyFile(dir, name string) string { return filepath.Join(dir, name+"-key.pem") }
