package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"strongroom/identity"
	"strongroom/internal/id"
)

// trail is what a request learns about itself on its way, for the log line.
type trail struct {
	requestID string
	principal identity.Principal
	cause     error  // what went wrong on our side
	code      string // of the problem that was answered
	body      []byte
}

type trailKey struct{}

func trailOf(ctx context.Context) *trail {
	if t, ok := ctx.Value(trailKey{}).(*trail); ok {
		return t
	}
	return &trail{}
}

// guards are the names of the headers that say what a browser may do with an answer.
func guards() []string {
	return []string{
		"X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cache-Control", "Content-Security-Policy", "Cross-Origin-Resource-Policy",
	}
}

// identify gives the request an id and the answer its security headers.
func (s *Server) identify(c *gin.Context) {
	t := &trail{requestID: id.New("req")}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), trailKey{}, t))
	h := c.Writer.Header()
	h.Set("X-Request-Id", t.requestID)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Next()
}

// observe writes one log line, one set of figures and one span per request.
func (s *Server) observe(c *gin.Context) {
	start := s.now()
	ctx := propagation.TraceContext{}.Extract(c.Request.Context(), propagation.HeaderCarrier(c.Request.Header))
	var span trace.Span
	if s.cfg.Tracer != nil {
		ctx, span = s.cfg.Tracer.Start(ctx, c.Request.Method+" "+route(c), trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		c.Request = c.Request.WithContext(ctx)
	}
	s.metrics.inWork.Inc()
	c.Next()
	s.metrics.inWork.Dec()
	elapsed, status, t := s.now().Sub(start), c.Writer.Status(), trailOf(c.Request.Context())
	s.metrics.observe(c.Request.Method, route(c), status, elapsed)
	attrs := []any{
		"request", t.requestID, "method", c.Request.Method, "route", route(c), "status", status,
		"elapsed", elapsed, "remote", c.ClientIP(), "key", t.principal.Key, "customer", t.principal.Customer,
	}
	if t.code != "" {
		attrs = append(attrs, "problem", t.code)
	}
	if span != nil {
		span.SetAttributes(attribute.Int("http.response.status_code", status), attribute.String("strongroom.request", t.requestID))
	}
	if t.cause == nil {
		s.cfg.Log.InfoContext(ctx, "request", attrs...)
		return
	}
	if span != nil {
		span.SetStatus(codes.Error, t.code)
	}
	s.cfg.Log.ErrorContext(ctx, "request", append(attrs, "cause", t.cause)...)
}

// route is the pattern that the request matched: paths with ids in them would
// make a series each.
func route(c *gin.Context) string {
	if p := c.FullPath(); p != "" {
		return p
	}
	return "none"
}

// recover turns a panic into a problem; the stack goes to the log.
func (s *Server) recover(c *gin.Context) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		trailOf(c.Request.Context()).cause = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
		if c.Writer.Written() {
			c.Abort()
			return
		}
		s.fail(c, newProblem(codeInternalFault, "the request could not be handled"))
	}()
	c.Next()
}

// bound refuses work past the number of slots, and gives what it lets in a
// deadline. Streams have bounds of their own, health must always answer.
func (s *Server) bound(c *gin.Context) {
	if path := c.FullPath(); path == eventsPath || path == streamPath || isProbe(path) {
		c.Next()
		return
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		s.fail(c, newProblem(codeOverloaded, "too many requests are in work"))
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), requestTimeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

// isProbe tells whether a path is for those who watch over the process.
func isProbe(path string) bool { return path == "/healthz" || path == "/readyz" || path == "/metrics" }

// limitIP spends a token of the caller's address, of pages as of the API; where browsers
// log in one more, of which there are few.
func (s *Server) limitIP(c *gin.Context) {
	path := c.Request.URL.Path
	if isProbe(path) {
		c.Next()
		return
	}
	p := s.perIP.limit(c.Writer.Header(), c.ClientIP(), s.now())
	if p == nil && path == enterPath {
		p = s.perEnter.limit(c.Writer.Header(), c.ClientIP(), s.now())
	}
	if p != nil {
		s.fail(c, p)
		return
	}
	c.Next()
}

// readBody takes the whole body, within its bound: the signature covers it.
func (s *Server) readBody(c *gin.Context) {
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			s.fail(c, newProblem(codeTooLarge, "the body exceeds 64 KiB", FieldProblem{"body", "exceeds 64 KiB", "send less"}))
			return
		}
		s.fail(c, newProblem(codeMalformed, "the body did not arrive whole", FieldProblem{"body", "did not arrive whole", "send it again"}))
		return
	}
	trailOf(c.Request.Context()).body = body
	c.Request.Body = newBody(body)
	c.Next()
}

// fail answers with a problem and ends the request.
func (s *Server) fail(c *gin.Context, p *Problem) {
	t := trailOf(c.Request.Context())
	t.code = strings.TrimPrefix(p.Type, problemBase)
	maps.Copy(c.Writer.Header(), p.GetHeaders())
	answer := *p
	answer.Instance = t.requestID
	c.Writer.Header().Set("Content-Type", p.ContentType(""))
	c.Status(p.Status)
	if c.Request.Method != http.MethodHead {
		if err := writeJSON(c.Writer, answer); err != nil {
			t.cause = errors.Join(t.cause, err)
		}
	}
	c.Abort()
}
