package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/coder/websocket"

	"strongroom/internal/id"
)

const (
	streamPath = "/v1/stream"
	// maxMessage bounds a message of the stream: a whole book may be long.
	maxMessage = 64 << 20
)

// Topic is what a subscription is of: a channel, its market where it is of one, and the
// interval of candles.
type Topic struct {
	Channel  string `json:"channel"`
	Market   string `json:"market,omitempty"`
	Interval string `json:"interval,omitempty"`
}

// Message is one message of the stream. What its channel tells is in Raw.
type Message struct {
	Topic

	Type string  `json:"type"` // snapshot, update, pong, error
	Seq  uint64  `json:"seq"`
	Prev *uint64 `json:"prev"` // nil where the channel has none, and in snapshots
	Code string  `json:"code"` // of an error, with Text and Fix
	Text string  `json:"text"`
	Fix  string  `json:"fix"`

	Raw json.RawMessage `json:"-"` // all of it
}

// Decode reads what the message's channel tells.
func (m *Message) Decode(into any) error {
	if err := json.Unmarshal(m.Raw, into); err != nil {
		return fmt.Errorf("read message of %s: %w", m.Channel, err)
	}
	return nil
}

// Stream is an open stream. One goroutine may read while others subscribe.
type Stream struct{ conn *websocket.Conn }

// StreamClosed is how a stream was ended by the server.
type StreamClosed struct { //nolint:errname // what happened, and an error only by the way
	Status int
	Reason string
}

// Error is one line.
func (c *StreamClosed) Error() string {
	return fmt.Sprintf("the stream was closed: %d %s", c.Status, c.Reason)
}

// Stream opens the stream as this client's key; it hears nothing until it subscribes. A
// client without a key hears of markets only. A refusal is a *Problem.
func (c *Client) Stream(ctx context.Context) (*Stream, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.cfg.URL+streamPath, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if c.cfg.Credential.Key != "" {
		if err := c.cfg.Credential.SignHTTP(req, nil, c.cfg.Clock(), id.New("n")); err != nil {
			return nil, fmt.Errorf("sign request: %w", err)
		}
	}
	// The client's time limit is one of whole exchanges; a stream has no end.
	conn, answer, err := websocket.Dial(ctx, req.URL.String(), &websocket.DialOptions{ //nolint:bodyclose // the dialer has read and closed it
		HTTPClient: &http.Client{Transport: c.cfg.HTTP.Transport}, HTTPHeader: req.Header,
	})
	if err != nil {
		return nil, refusal(answer, err)
	}
	conn.SetReadLimit(maxMessage)
	return &Stream{conn}, nil
}

func refusal(answer *http.Response, err error) error {
	if answer == nil || answer.StatusCode < http.StatusBadRequest || answer.Body == nil {
		return fmt.Errorf("open stream: %w", err)
	}
	p := &Problem{}
	if json.NewDecoder(answer.Body).Decode(p) != nil || p.Detail == "" { // the dialer left the beginning of the body
		p = &Problem{Status: answer.StatusCode, Detail: http.StatusText(answer.StatusCode)}
	}
	return p
}

// Subscribe asks for a topic: its snapshot comes, then its updates.
func (s *Stream) Subscribe(ctx context.Context, t Topic) error { return s.say(ctx, "subscribe", t) }

// Unsubscribe ends a topic. Messages on their way still come.
func (s *Stream) Unsubscribe(ctx context.Context, t Topic) error {
	return s.say(ctx, "unsubscribe", t)
}

func (s *Stream) say(ctx context.Context, op string, t Topic) error {
	data, err := json.Marshal(struct {
		Op string `json:"op"`
		Topic
	}{op, t})
	if err != nil {
		return fmt.Errorf("encode frame: %w", err)
	}
	if err := s.conn.Write(ctx, websocket.MessageText, data); err != nil {
		return fmt.Errorf("%s %s: %w", op, t.Channel, err)
	}
	return nil
}

// Next waits for the next message. Where the server closed the stream the error is a
// *StreamClosed; where ctx ends the stream is closed.
func (s *Stream) Next(ctx context.Context) (Message, error) {
	_, data, err := s.conn.Read(ctx)
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		return Message{}, &StreamClosed{Status: int(closed.Code), Reason: closed.Reason}
	}
	if err != nil {
		return Message{}, fmt.Errorf("read stream: %w", err)
	}
	m := Message{Raw: data}
	if err := json.Unmarshal(data, &m); err != nil {
		return Message{}, fmt.Errorf("read message: %w", err)
	}
	return m, nil
}

// Close ends the stream.
func (s *Stream) Close() error {
	if err := s.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		return fmt.Errorf("close stream: %w", err)
	}
	return nil
}
