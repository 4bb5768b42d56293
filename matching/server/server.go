package server

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	matchingv1 "strongroom/internal/gen/matching/v1"
)

const (
	handshakeTimeout = 5 * time.Second
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 5 * time.Second
	keepaliveMinimum = 5 * time.Second
	streamWindow     = 1 << 20 // bytes that a stream may be sent before they are read
)

// Server is a shard behind gRPC.
type Server struct {
	matchingv1.UnimplementedMatchingServer
	cfg     Config
	grpc    *grpc.Server
	seq     *sequencer
	token   atomic.Uint64
	resting atomic.Int32 // who read what waits
	closing chan struct{}
	streams sync.WaitGroup
}

// New prepares a server; Serve starts it.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("draw a number for this process: %w", err)
	}
	s := &Server{cfg: cfg, seq: newSequencer(cfg), closing: make(chan struct{})}
	s.token.Store(binary.LittleEndian.Uint64(random[:]))
	s.grpc = grpc.NewServer(
		grpc.Creds(credentials.NewTLS(cfg.TLS)),
		grpc.MaxRecvMsgSize(maxRecvBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(2*streamWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMinimum, PermitWithoutStream: true}),
	)
	matchingv1.RegisterMatchingServer(s.grpc, s)
	return s, nil
}

// Serve answers on l until ctx ends; then streams end with a reason, and what was begun
// is seen to its end. A server serves once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	loops.Go(func() { s.seq.run(run) })
	loops.Go(func() { s.seq.land(run) })
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		close(s.closing)
		s.grpc.GracefulStop()
	})
	err := s.grpc.Serve(l)
	if !stop() {
		<-stopped
	}
	cancel()
	loops.Wait()
	s.streams.Wait()
	if err != nil {
		return fmt.Errorf("serve gRPC: %w", err)
	}
	return nil
}

// ask puts a record into the log and waits for its answer.
func (s *Server) ask(ctx context.Context, record func(token uint64) []byte) (answer, *refusal) {
	if _, leading := s.cfg.Log.Leading(); !leading {
		return answer{}, refuse(matchingv1.Reason_REASON_NOT_LEADER, "this node does not lead")
	}
	token, to, m := s.token.Add(1), make(chan answer, 1), s.cfg.Machine
	m.mu.Lock()
	m.waiting[token] = to
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.waiting, token)
	}()
	if !s.seq.control(record(token)) {
		return answer{}, refuse(matchingv1.Reason_REASON_TOO_MANY, "%d sessions and markets wait to be made", maxControls)
	}
	select {
	case a := <-to:
		return a, a.err
	case <-s.closing:
		return answer{}, refuse(matchingv1.Reason_REASON_CLOSING, "the process ends")
	case <-ctx.Done():
		return answer{}, refuse(matchingv1.Reason_REASON_OUTCOME_UNKNOWN, "the caller did not wait for the answer")
	}
}
