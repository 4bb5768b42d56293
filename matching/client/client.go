package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	matchingv1 "strongroom/internal/gen/matching/v1"
)

var (
	// ErrNoLeader reports that no node leads, or none could be reached.
	ErrNoLeader = errors.New("no node of matching leads")
	// ErrSessionLost reports a session that the shard has ended. Whether commands
	// without a result took effect is to be found out by orders and events; an order
	// given again under its client id is answered as the first time.
	ErrSessionLost = errors.New("session of matching is lost")
	// ErrRefused reports a stream or call that is refused for good.
	ErrRefused = errors.New("matching refuses")
	// ErrClosed reports a session that was closed here.
	ErrClosed = errors.New("session of matching is closed")
)

const (
	statusWait       = 2 * time.Second
	keepaliveTime    = 10 * time.Second
	keepaliveTimeout = 5 * time.Second
	window           = 1 << 20
	maxReceiveBytes  = 1 << 20
)

// Config names a shard's nodes.
type Config struct {
	// Addresses are host:port of all nodes' servers.
	Addresses []string
	// TLS is of mtls.ClientConfig. All nodes have the same server name.
	TLS *tls.Config
}

// Client holds a connection to each node. It is safe for concurrent use.
type Client struct {
	nodes []*grpc.ClientConn

	mu     sync.Mutex
	leader int // the node that led last
}

// New makes a client; it connects when something is asked.
func New(cfg Config) (*Client, error) {
	if len(cfg.Addresses) == 0 || cfg.TLS == nil {
		return nil, errors.New("client of matching needs addresses and TLS")
	}
	// A node that was away is tried again soon: it may lead.
	again := backoff.Config{BaseDelay: firstPause, Multiplier: 2, Jitter: 0.2, MaxDelay: longPause}
	c := &Client{}
	for _, address := range cfg.Addresses {
		conn, err := grpc.NewClient(address,
			grpc.WithTransportCredentials(credentials.NewTLS(cfg.TLS)),
			grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(2*window),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxReceiveBytes)),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: again, MinConnectTimeout: statusWait}),
			grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveTime, Timeout: keepaliveTimeout}))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("connect to %s: %w", address, err), c.Close())
		}
		c.nodes = append(c.nodes, conn)
	}
	return c, nil
}

// Close ends all connections.
func (c *Client) Close() error {
	var err error
	for _, conn := range c.nodes {
		err = errors.Join(err, conn.Close())
	}
	return err
}

// Leader finds the node that leads, the one that led last first. Errors: ErrNoLeader.
func (c *Client) Leader(ctx context.Context) (matchingv1.MatchingClient, error) {
	c.mu.Lock()
	first := c.leader
	c.mu.Unlock()
	var last error
	for i := range c.nodes {
		at := (first + i) % len(c.nodes)
		node := matchingv1.NewMatchingClient(c.nodes[at])
		asked, cancel := context.WithTimeout(ctx, statusWait)
		s, err := node.Status(asked, &matchingv1.StatusRequest{})
		cancel()
		if err == nil && s.GetLeading() {
			c.mu.Lock()
			c.leader = at
			c.mu.Unlock()
			return node, nil
		}
		if err != nil {
			last = err
		}
	}
	if last != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoLeader, last)
	}
	return nil, ErrNoLeader
}

// Any returns some node, for reads that need not be the newest; n tells which.
func (c *Client) Any(n int) matchingv1.MatchingClient {
	return matchingv1.NewMatchingClient(c.nodes[n%len(c.nodes)])
}

// Nodes is how many nodes there are.
func (c *Client) Nodes() int { return len(c.nodes) }

// Reason is why the shard refused, unspecified where it did not say.
func Reason(err error) matchingv1.Reason {
	for _, d := range status.Convert(err).Details() {
		if r, ok := d.(*matchingv1.Refusal); ok {
			return r.GetReason()
		}
	}
	return matchingv1.Reason_REASON_UNSPECIFIED
}

// passing reports whether err may be over when it is tried again.
func passing(err error) bool {
	switch Reason(err) { //nolint:exhaustive // all others are for good
	case matchingv1.Reason_REASON_UNSPECIFIED:
		code := status.Code(err)
		return code != codes.PermissionDenied && code != codes.Unauthenticated && code != codes.Unimplemented && code != codes.InvalidArgument
	case matchingv1.Reason_REASON_NOT_LEADER, matchingv1.Reason_REASON_OUTCOME_UNKNOWN, matchingv1.Reason_REASON_CLOSING,
		matchingv1.Reason_REASON_SLOW_READER, matchingv1.Reason_REASON_EPOCH, matchingv1.Reason_REASON_TOO_MANY:
		return true
	}
	return false
}
