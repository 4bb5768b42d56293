package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

const (
	// maxUnanswered bounds the commands of a session that wait for results: what the
	// shard keeps results of, with room to spare.
	maxUnanswered = 2048
	maxEventBatch = 1 << 20

	firstPause = 5 * time.Millisecond
	longPause  = 200 * time.Millisecond
)

// Options say what a session is to hear.
type Options struct {
	// Accounts are those whose events it gets, All is every account's.
	Accounts []engine.AccountID
	All      bool
	// Events is called for each of them in order, from one goroutine; it must not wait
	// for the session. Missed is called where some were lost: what is known of orders
	// is to be read again. Both may be nil.
	Events func([]engine.Event)
	Missed func(seq uint64)
}

// Session is a sequence of commands. It is safe for concurrent use.
type Session struct {
	client  *Client
	options Options
	cancel  context.CancelFunc
	ended   chan struct{}

	mu         sync.Mutex
	id         uint32
	epoch      uint64
	frame      uint64    // the last one seen
	first      uint64    // number of the first command without a result
	unanswered []command // from first on
	sent       int       // of these, on the present stream
	wake       chan struct{}
	room       chan struct{} // closed and replaced when there is some
	err        error         // why the session is over
}

// command is one that is on its way.
type command struct {
	packed []byte
	call   *call
	place  int // of its result in the call
	done   bool
}

// call is commands that were given together.
type call struct {
	results []wire.Result
	left    int
	done    chan struct{}
	err     error
}

// Open begins a session. It ends with Close or ctx. Errors: ErrNoLeader, ErrRefused,
// that of ctx.
func (c *Client) Open(ctx context.Context, options Options) (*Session, error) {
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &Session{
		client: c, options: options, cancel: cancel, ended: make(chan struct{}),
		first: 1, wake: make(chan struct{}, 1), room: make(chan struct{}),
	}
	opened := make(chan error, 1)
	go s.run(run, opened)
	select {
	case err := <-opened:
		if err != nil {
			cancel()
			<-s.ended
		}
		return s, err
	case <-ctx.Done():
		cancel()
		<-s.ended
		return nil, fmt.Errorf("open session: %w", ctx.Err())
	}
}

// Close ends the stream. The shard ends the session when its grace is over, and takes
// out the orders that are to go with it.
func (s *Session) Close() {
	s.cancel()
	<-s.ended
}

// Done is closed when the session is over, for whatever reason.
func (s *Session) Done() <-chan struct{} { return s.ended }

// Do gives commands in one go and returns their results in order. Errors: those of a
// session that is over, or that of ctx; then commands may have taken effect.
func (s *Session) Do(ctx context.Context, commands ...engine.Command) ([]wire.Result, error) {
	done, err := s.Begin(ctx, commands...)
	if err != nil {
		return nil, err
	}
	return done(ctx)
}

// Begin gives commands and returns what waits for their results. Commands of calls that
// begin one after the other take effect in that order.
func (s *Session) Begin(ctx context.Context, commands ...engine.Command) (func(context.Context) ([]wire.Result, error), error) {
	k := &call{results: make([]wire.Result, len(commands)), left: len(commands), done: make(chan struct{})}
	if len(commands) == 0 {
		close(k.done)
	}
	for i := range commands {
		if err := s.put(ctx, command{packed: wire.AppendCommand(nil, &commands[i]), call: k, place: i}); err != nil {
			return nil, err
		}
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return func(ctx context.Context) ([]wire.Result, error) {
		select {
		case <-k.done:
			return k.results, k.err
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for matching: %w", ctx.Err())
		}
	}, nil
}

func (s *Session) put(ctx context.Context, c command) error {
	for {
		s.mu.Lock()
		if s.err != nil {
			defer s.mu.Unlock()
			return s.err
		}
		if len(s.unanswered) < maxUnanswered {
			s.unanswered = append(s.unanswered, c)
			s.mu.Unlock()
			return nil
		}
		room := s.room
		s.mu.Unlock()
		select {
		case s.wake <- struct{}{}:
		default:
		}
		select {
		case <-room:
		case <-ctx.Done():
			return fmt.Errorf("wait for matching: %w", ctx.Err())
		}
	}
}

// run keeps a stream until the session is over. The first welcome, or why there is
// none, goes to opened.
func (s *Session) run(ctx context.Context, opened chan<- error) {
	defer close(s.ended)
	pause := firstPause
	for {
		welcomed, err := s.stream(ctx, opened)
		if welcomed {
			opened, pause = nil, firstPause
		}
		switch {
		case ctx.Err() != nil:
			err = ErrClosed
		case Reason(err) == matchingv1.Reason_REASON_UNKNOWN_SESSION, Reason(err) == matchingv1.Reason_REASON_REPLACED,
			Reason(err) == matchingv1.Reason_REASON_TOO_OLD:
			err = fmt.Errorf("%w: %w", ErrSessionLost, err)
		case errors.Is(err, ErrNoLeader) && opened == nil, !errors.Is(err, ErrNoLeader) && passing(err):
			if wait(ctx, pause) {
				pause = min(2*pause, longPause)
				continue
			}
			err = ErrClosed
		case !errors.Is(err, ErrNoLeader):
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		s.end(err)
		if opened != nil {
			opened <- err
		}
		return
	}
}

// wait pauses for about d, less where ctx ends.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d)) //nolint:gosec // spreads tries, and is no secret
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// end gives everybody who waits the reason.
func (s *Session) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	for i := range s.unanswered {
		if k := s.unanswered[i].call; k.err == nil && k.left > 0 {
			k.err, k.left = err, 0
			close(k.done)
		}
	}
	s.unanswered = nil
	close(s.room)
	s.room = make(chan struct{})
}

type tradeStream = grpc.BidiStreamingClient[matchingv1.ClientFrame, matchingv1.ServerFrame]

// stream runs one stream to its end and tells whether it was welcome.
func (s *Session) stream(ctx context.Context, opened chan<- error) (welcomed bool, err error) {
	node, err := s.client.Leader(ctx)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := node.Trade(ctx)
	if err != nil {
		return false, err
	}
	if err := s.greet(stream); err != nil {
		return false, err
	}
	if opened != nil {
		opened <- nil
	}
	var sending sync.WaitGroup
	sending.Go(func() { s.send(ctx, stream) })
	err = s.receive(stream)
	cancel()
	sending.Wait()
	return true, err
}

func (s *Session) greet(stream tradeStream) error {
	s.mu.Lock()
	hello := &matchingv1.Hello{Session: s.id, Epoch: s.epoch, Frame: s.frame, All: s.options.All}
	s.mu.Unlock()
	for _, a := range s.options.Accounts {
		hello.Accounts = append(hello.Accounts, uint32(a))
	}
	if err := stream.Send(&matchingv1.ClientFrame{Hello: hello}); err != nil {
		_, err = stream.Recv() // the reason
		return err             //nolint:wrapcheck // its reason is looked at
	}
	f, err := stream.Recv()
	if err != nil {
		return err //nolint:wrapcheck // its reason is looked at
	}
	w := f.GetWelcome()
	s.mu.Lock()
	s.id, s.epoch, s.frame, s.sent = w.GetSession(), w.GetEpoch(), w.GetFrame()-1, 0
	s.mu.Unlock()
	if w.GetMissed() && s.options.Missed != nil {
		s.options.Missed(w.GetSeq())
	}
	return nil
}

// send sends what waits, all that has no result on a new stream.
func (s *Session) send(ctx context.Context, stream tradeStream) {
	for {
		if f := s.frameOf(); f != nil {
			if stream.Send(f) != nil {
				return // who receives learns why
			}
			continue
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Session) frameOf() *matchingv1.ClientFrame {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.unanswered)-s.sent, wire.MaxFrameCommands)
	if n <= 0 {
		return nil
	}
	f := &matchingv1.ClientFrame{Version: wire.Version, First: s.first + uint64(s.sent)} //nolint:gosec // a count
	for _, c := range s.unanswered[s.sent : s.sent+n] {
		f.Commands = append(f.Commands, c.packed...)
	}
	s.sent += n
	return f
}

func (s *Session) receive(stream tradeStream) error {
	var results []wire.Result
	var events []engine.Event
	for {
		f, err := stream.Recv()
		if err != nil {
			return err //nolint:wrapcheck // its reason is looked at
		}
		results, err = wire.ReadResults(f.GetResults(), results[:0])
		if err == nil {
			events, err = wire.ReadEvents(f.GetEvents(), maxEventBatch, events[:0])
		}
		if err != nil || f.GetVersion() != wire.Version {
			return fmt.Errorf("%w: frame %d cannot be read: %w", ErrRefused, f.GetNumber(), err)
		}
		if len(events) > 0 && s.options.Events != nil {
			s.options.Events(events)
		}
		s.answer(f.GetNumber(), results)
	}
}

// answer gives results to who waits for them. Those that are known already come again
// on a new stream and change nothing.
func (s *Session) answer(frame uint64, results []wire.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frame = frame
	for _, r := range results {
		at := r.Seq - s.first
		if r.Seq < s.first || at >= uint64(len(s.unanswered)) || s.unanswered[at].done {
			continue
		}
		c := &s.unanswered[at]
		c.done = true
		r.Repeated = false // here it is the first time
		c.call.results[c.place] = r
		if c.call.left--; c.call.left == 0 {
			close(c.call.done)
		}
	}
	n := 0
	for n < len(s.unanswered) && s.unanswered[n].done {
		n++
	}
	if n == 0 {
		return
	}
	clear(s.unanswered[:n])
	s.unanswered, s.first, s.sent = s.unanswered[n:], s.first+uint64(n), max(0, s.sent-n)
	close(s.room)
	s.room = make(chan struct{})
}
