package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"strongroom/api"
	"strongroom/identity"
)

// inviting is a page that lets customers in.
type inviting struct {
	http.Handler

	invited []string
	err     error
}

func (i *inviting) Invite(_ context.Context, customer string) (string, time.Time, error) {
	i.invited = append(i.invited, customer)
	return "/trade/enter?code=x", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), i.err
}

func TestAKeyThatTradesOpensThePage(t *testing.T) {
	t.Parallel()
	pages := &inviting{Handler: http.NotFoundHandler()}
	h := open(t, func(c *api.Config) { c.Pages = pages })
	got := h.call(h.key(identity.Trade), http.MethodPost, "/v1/page-sessions", "")
	var made api.PageSession
	if err := json.Unmarshal(got.body, &made); err != nil || made.Path != "/trade/enter?code=x" || made.ExpiresAt.Year() != 2026 {
		t.Fatalf("%d %s %v", got.status, got.body, err)
	}
	if got := h.call(h.key(identity.Read, identity.Withdraw), http.MethodPost, "/v1/page-sessions", ""); got.status != http.StatusForbidden {
		t.Errorf("a key that does not trade: %d %s", got.status, got.body)
	}
	if len(pages.invited) != 1 || pages.invited[0] != h.customer.ID {
		t.Errorf("invited %q", pages.invited)
	}
	pages.err = errors.New("nothing is kept")
	if got := h.call(h.key(identity.Trade), http.MethodPost, "/v1/page-sessions", ""); got.status != http.StatusInternalServerError {
		t.Errorf("a failure: %d %s", got.status, got.body)
	}
	if got := open(t).call(h.key(identity.Trade), http.MethodPost, "/v1/page-sessions", ""); got.status == http.StatusOK {
		t.Errorf("without pages: %d", got.status)
	}
}
