package reqsign

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"
)

// Credential is a key with its secret, as a client keeps it in a file.
type Credential struct {
	Key      string `json:"key"`
	Scheme   Scheme `json:"scheme"`
	Secret   string `json:"secret"` // HMAC: its text; Ed25519: the seed in base64
	Customer string `json:"customer,omitempty"`
}

// LogValue keeps the secret out of logs.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.Key + " (secret withheld)") }

// SignHTTP adds the four headers to a request with this body. The nonce is new
// for each request. Errors wrap ErrKey or ErrQuery.
func (c Credential) SignHTTP(req *http.Request, body []byte, now time.Time, nonce string) error {
	secret := []byte(c.Secret)
	if c.Scheme == Ed25519 {
		var err error
		if secret, err = base64.StdEncoding.DecodeString(c.Secret); err != nil {
			return fmt.Errorf("%w: seed is not base64", ErrKey)
		}
	}
	canonical, err := Canonical(Request{
		Method: req.Method, Path: req.URL.EscapedPath(), RawQuery: req.URL.RawQuery,
		BodySHA256: sha256.Sum256(body), TimestampMS: now.UnixMilli(), Nonce: nonce,
	})
	if err != nil {
		return err
	}
	sig, err := Sign(c.Scheme, secret, canonical)
	if err != nil {
		return err
	}
	req.Header.Set(HeaderKey, c.Key)
	req.Header.Set(HeaderTimestamp, strconv.FormatInt(now.UnixMilli(), 10))
	req.Header.Set(HeaderNonce, nonce)
	req.Header.Set(HeaderSignature, base64.StdEncoding.EncodeToString(sig))
	return nil
}
