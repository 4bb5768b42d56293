package herald

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Log tells by a line of the log.
type Log struct{ Logger *slog.Logger }

// Notify implements Notifier.
func (l Log) Notify(ctx context.Context, n *Notice) error {
	l.Logger.InfoContext(ctx, "people are asked", slog.String("kind", string(n.Kind)), slog.String("request", n.Request), slog.String("action", n.Action),
		slog.String("missing", n.Missing), slog.Any("persons", n.Persons), slog.Time("expires", time.Unix(n.Expires, 0).UTC()))
	return nil
}

// Headers of a webhook. The signature is HMAC-SHA-256, in hex, of the timestamp's text, a
// dot and the body. A receiver refuses old timestamps and keys that it has seen.
const (
	HeaderTimestamp = "X-Strongroom-Timestamp" // Unix seconds
	HeaderSignature = "X-Strongroom-Signature"
	HeaderKey       = "Idempotency-Key"
)

// MinSecret is the least number of bytes of a webhook's secret.
const MinSecret = 16

// Webhook tells an address of the operator's, which tells people: by chat, mail or pager.
type Webhook struct {
	url    string
	secret []byte
	clock  func() time.Time
	client *http.Client
}

// errWebhook reports a webhook that cannot be used.
var errWebhook = errors.New("webhook")

// NewWebhook returns a webhook. The address is https, or http on this machine.
func NewWebhook(address string, secret []byte, clock func() time.Time) (*Webhook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1") {
		return nil, fmt.Errorf("%w: %.100q is not an https address, or http on this machine", errWebhook, address)
	}
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("%w: the secret has %d bytes, at least %d are needed", errWebhook, len(secret), MinSecret)
	}
	client := &http.Client{Timeout: tellWithin, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Webhook{url: address, secret: secret, clock: clock, client: client}, nil
}

// Notify implements Notifier: anything but 2xx is tried again.
func (w *Webhook) Notify(ctx context.Context, n *Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode notice: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("prepare webhook: %w", err)
	}
	at := strconv.FormatInt(w.clock().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(HeaderTimestamp, at)
	r.Header.Set(HeaderSignature, Sign(w.secret, at, body))
	r.Header.Set(HeaderKey, n.Key)
	answer, err := w.client.Do(r)
	if err != nil {
		return fmt.Errorf("call webhook: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	const most = 4 << 10
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, most)) // so that the connection is used again
	if answer.StatusCode < http.StatusOK || answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%w: answered %s", errWebhook, answer.Status)
	}
	return nil
}

// Sign is the signature of a body at a time.
func Sign(secret []byte, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	_, _ = mac.Write([]byte(at + ".")) // a hash takes everything
	_, _ = mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
