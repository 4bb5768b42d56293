// Package server puts a signer behind gRPC with mutual TLS. It decides who may
// call what, maps errors to codes and counts; it never judges a transaction.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"strongroom/internal/crash"
	signerv1 "strongroom/internal/gen/signer/v1"
	"strongroom/internal/mtls"
	"strongroom/signer"
)

// Bounds of the server.
const (
	maxStreams        = 64
	handshakeTimeout  = 5 * time.Second
	keepaliveMinimum  = 10 * time.Second
	maxConnectionIdle = 15 * time.Minute
)

// Core is what the server serves; *signer.Signer is one.
type Core interface {
	Sign(req *signerv1.SignRequest) (*signerv1.SignResponse, error)
	PublicKeys(chain string) (*signerv1.PublicKeysResponse, error)
	Status() (*signerv1.StatusResponse, error)
	Submit(req *signerv1.SubmitRequest) (*signerv1.SubmitResponse, error)
	Freeze(text []byte) error
	Disallow(owner, chain, address string) (known bool, err error)
}

// Config holds what a server needs; all fields are required.
type Config struct {
	Core    Core
	TLS     *tls.Config // of mtls.ServerConfig
	Log     *slog.Logger
	Metrics *Metrics
	Clock   func() time.Time // measures how long calls take
}

// Server is a signer behind gRPC.
type Server struct {
	signerv1.UnimplementedSignerServer
	cfg    Config
	grpc   *grpc.Server
	health *health.Server
}

var errConfig = errors.New("signer server lacks a collaborator")

// New prepares a server; Serve starts it.
func New(cfg Config) (*Server, error) {
	if cfg.Core == nil || cfg.TLS == nil || cfg.Log == nil || cfg.Metrics == nil || cfg.Clock == nil {
		return nil, errConfig
	}
	s := &Server{cfg: cfg, health: health.NewServer()}
	s.grpc = grpc.NewServer(
		grpc.Creds(credentials.NewTLS(cfg.TLS)),
		grpc.MaxRecvMsgSize(signer.MaxRequestBytes),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: maxConnectionIdle}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: keepaliveMinimum, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(s.observe, authorize),
		grpc.ChainStreamInterceptor(authorizeStream),
	)
	signerv1.RegisterSignerServer(s.grpc, s)
	healthpb.RegisterHealthServer(s.grpc, s.health)
	return s, nil
}

// Serve answers calls on l until ctx ends, then lets calls under way finish.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() {
		s.health.Shutdown()
		s.grpc.GracefulStop()
	})
	defer stop()
	if err := s.grpc.Serve(l); err != nil {
		return fmt.Errorf("serve gRPC: %w", err)
	}
	return nil
}

// Sign implements the service.
func (s *Server) Sign(_ context.Context, req *signerv1.SignRequest) (*signerv1.SignResponse, error) {
	out, err := s.cfg.Core.Sign(req)
	crash.At(crash.SignBeforeReply)
	return out, toStatus(err)
}

// PublicKeys implements the service.
func (s *Server) PublicKeys(_ context.Context, req *signerv1.PublicKeysRequest) (*signerv1.PublicKeysResponse, error) {
	out, err := s.cfg.Core.PublicKeys(req.GetChain())
	return out, toStatus(err)
}

// Status implements the service.
func (s *Server) Status(context.Context, *signerv1.StatusRequest) (*signerv1.StatusResponse, error) {
	out, err := s.cfg.Core.Status()
	return out, toStatus(err)
}

// Submit implements the service.
func (s *Server) Submit(_ context.Context, req *signerv1.SubmitRequest) (*signerv1.SubmitResponse, error) {
	out, err := s.cfg.Core.Submit(req)
	return out, toStatus(err)
}

// Freeze implements the service.
func (s *Server) Freeze(_ context.Context, req *signerv1.FreezeRequest) (*signerv1.FreezeResponse, error) {
	return &signerv1.FreezeResponse{}, toStatus(s.cfg.Core.Freeze(req.GetFreeze()))
}

// Disallow implements the service.
func (s *Server) Disallow(_ context.Context, req *signerv1.DisallowRequest) (*signerv1.DisallowResponse, error) {
	known, err := s.cfg.Core.Disallow(req.GetOwner(), req.GetChain(), req.GetAddress())
	return &signerv1.DisallowResponse{Known: known}, toStatus(err)
}

// toStatus maps the signer's errors to gRPC codes, once for all methods.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	return status.Error(codeOf(err), err.Error()) //nolint:wrapcheck // this is the wire form
}

func codeOf(err error) codes.Code {
	switch {
	case errors.Is(err, signer.ErrInvalid):
		return codes.InvalidArgument
	case errors.Is(err, signer.ErrRefused), errors.Is(err, signer.ErrFrozen):
		return codes.FailedPrecondition
	case errors.Is(err, signer.ErrUnknownChain):
		return codes.NotFound
	case errors.Is(err, signer.ErrJournal):
		return codes.Unavailable
	}
	return codes.Internal
}

// mayCall says which processes may call a method. Health is for everybody with
// a certificate.
func mayCall(method, caller string) bool {
	switch method {
	case signerv1.Signer_Sign_FullMethodName, signerv1.Signer_Disallow_FullMethodName:
		return caller == "worker"
	case signerv1.Signer_Status_FullMethodName,
		// What people and officers signed counts whoever brings it.
		signerv1.Signer_Submit_FullMethodName, signerv1.Signer_Freeze_FullMethodName:
		return caller == "worker" || caller == "api" || caller == "cli" || caller == "treasury"
	case signerv1.Signer_PublicKeys_FullMethodName:
		return caller == "worker" || caller == "api" || caller == "cli"
	case healthpb.Health_Check_FullMethodName, healthpb.Health_Watch_FullMethodName:
		return true
	}
	return false
}

func admit(ctx context.Context, method string) error {
	caller, err := mtls.Peer(ctx)
	if err != nil {
		return status.Errorf(codes.Unauthenticated, "who calls? %v", err)
	}
	if !mayCall(method, caller) {
		return status.Errorf(codes.PermissionDenied, "%s may not call %s", caller, method)
	}
	return nil
}

func authorize(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handle(ctx, req)
}

func authorizeStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := admit(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handle(srv, stream)
}
