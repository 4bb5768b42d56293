package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"strongroom/custody"
	"strongroom/identity"
)

const (
	eventsPath = "/v1/events"
	eventPage  = 100 // events of one look
	retryMS    = 1000
)

// Event is the data of one server-sent event.
type Event struct {
	Seq     int64           `json:"seq"`
	Kind    string          `json:"kind"`
	Subject string          `json:"subject" doc:"Id of what it is about"`
	Data    json.RawMessage `json:"data"`
	At      time.Time       `json:"at"`
}

// streamCount bounds streams, in all and per key.
type streamCount struct {
	mu    sync.Mutex
	total int
	byKey map[string]int

	most, mostPerKey int
}

func newStreamCount(most, mostPerKey int) *streamCount {
	return &streamCount{byKey: map[string]int{}, most: most, mostPerKey: mostPerKey}
}

func (n *streamCount) enter(key string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.total >= n.most || n.byKey[key] >= n.mostPerKey {
		return false
	}
	n.total++
	n.byKey[key]++
	return true
}

func (n *streamCount) leave(key string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.total--
	if n.byKey[key]--; n.byKey[key] == 0 {
		delete(n.byKey, key)
	}
}

// routeEvents serves the stream outside the framework, which buffers answers, and
// documents it by hand.
func (s *Server) routeEvents() {
	s.engine.GET(eventsPath, s.events)
	s.api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "stream-events", Method: http.MethodGet, Path: eventsPath, Tags: []string{"Events"},
		Summary:     "Follow the account",
		Description: "Server-sent events. Each carries its sequence number as id; a client that comes back with Last-Event-ID misses none.\n\nThe key needs the scope `read`.",
		Security:    []map[string][]string{{securityName: {}}},
		Parameters: []*huma.Param{{
			Name: "Last-Event-ID", In: "header", Description: "Go on after this event; 0 or absent: from the first",
			Schema: &huma.Schema{Type: "string", Pattern: "^[0-9]{1,18}$"},
		}},
		Responses: map[string]*huma.Response{
			"200":     {Description: "A stream without end", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: "string"}}}},
			"default": problemResponse(s.api),
		},
	})
}

// events streams what happens on the account until either side ends it.
func (s *Server) events(c *gin.Context) {
	p, problem := s.authenticate(c, identity.Read)
	if problem != nil {
		s.fail(c, problem)
		return
	}
	after, problem := lastEvent(c)
	if problem != nil {
		s.fail(c, problem)
		return
	}
	if !s.streams.enter(p.Key) {
		s.fail(c, newProblem(codeOverloaded, fmt.Sprintf("too many streams are open; a key may have %d", maxStreamsPerKey)))
		return
	}
	s.metrics.streams.Inc()
	defer func() { s.streams.leave(p.Key); s.metrics.streams.Dec() }()
	// The first look comes before the headers: with the database down it is a 503.
	first, err := s.cfg.Events.Events(c.Request.Context(), p.Customer, after, eventPage)
	if err != nil {
		trailOf(c.Request.Context()).cause = err
		answer, _ := s.problem(err)
		s.fail(c, answer)
		return
	}
	c.Header("Content-Type", "text/event-stream")
	c.Header("X-Accel-Buffering", "no")
	c.Status(http.StatusOK)
	stream := &stream{w: c.Writer, control: http.NewResponseController(c.Writer), now: s.now, after: after}
	if stream.write(fmt.Appendf(nil, "retry: %d\n\n", retryMS)) == nil && stream.send(first) == nil {
		s.followGuarded(c.Request.Context(), stream, p)
	}
}

func lastEvent(c *gin.Context) (uint64, *Problem) {
	if c.Request.URL.RawQuery != "" {
		return 0, newProblem(codeInvalid, "query: the stream takes no parameters", FieldProblem{"query", "the stream takes no parameters", "remove them"})
	}
	text := c.GetHeader("Last-Event-ID")
	if text == "" {
		return 0, nil
	}
	after, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		const at = "header.Last-Event-ID"
		return 0, newProblem(codeInvalid, at+": is not a sequence number", FieldProblem{at, "is not a sequence number", "send the id of the last event, or leave it out"})
	}
	return after, nil
}

// followGuarded is follow until the key does not stand any more.
func (s *Server) followGuarded(ctx context.Context, st *stream, p identity.Principal) {
	ctx, cancel := context.WithCancel(ctx)
	var guarding sync.WaitGroup
	guarding.Go(func() {
		defer cancel()
		s.guardKey(p.Key).watch(ctx)
	})
	s.follow(ctx, st, p.Customer)
	cancel()
	guarding.Wait()
}

// follow looks for news at each tick, and says that it is there where it is silent.
func (s *Server) follow(ctx context.Context, st *stream, customer string) {
	poll, beat := time.NewTicker(s.cfg.EventPoll), time.NewTicker(s.cfg.Heartbeat)
	defer poll.Stop()
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-s.draining:
			return // the client comes back to another instance
		case <-beat.C:
			err = st.write([]byte(": here\n\n"))
		case <-poll.C:
			var list []custody.Event
			if list, err = s.cfg.Events.Events(ctx, customer, st.after, eventPage); err == nil {
				err = st.send(list)
			}
		}
		if err != nil {
			return // the client's retry brings it back, after the last event it saw
		}
	}
}

// stream writes events and remembers the last one.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
	after   uint64
}

func (st *stream) send(list []custody.Event) error {
	for _, e := range list {
		data, err := json.Marshal(Event{Seq: int64(e.Seq), Kind: e.Kind, Subject: e.Subject, Data: e.Data, At: e.At}) //nolint:gosec // a sequence number is a bigint
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		if err := st.write(fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Kind, data)); err != nil {
			return err
		}
		st.after = e.Seq
	}
	return nil
}

// write sends bytes now. Each write has the deadline that an answer has.
func (st *stream) write(b []byte) error {
	// A writer without deadlines (a test's recorder) is as good.
	_ = st.control.SetWriteDeadline(st.now().Add(writeTimeout))
	if _, err := st.w.Write(b); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	if err := st.control.Flush(); err != nil {
		return fmt.Errorf("flush event: %w", err)
	}
	return nil
}
