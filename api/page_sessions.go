package api

import (
	"context"
	"net/http"
	"time"

	"strongroom/identity"
)

// Inviter lets a customer into the trade page; a Config.Pages that is one can.
type Inviter interface {
	// Invite makes a path of the pages that lets whoever opens it first act as the
	// customer in that browser.
	Invite(ctx context.Context, customer string) (path string, expires time.Time, err error)
}

// PageSession is a way into the trade page.
type PageSession struct {
	Path      string    `json:"path" doc:"Below the API's address; it works once"`
	ExpiresAt time.Time `json:"expiresAt"`
}

type pageSessionOutput struct{ Body PageSession }

// routePageSessions adds the way from a key to a browser, where there are pages.
func (s *Server) routePageSessions() {
	inviter, ok := s.cfg.Pages.(Inviter)
	if !ok {
		return
	}
	register(s, operation("create-page-session", http.MethodPost, "/v1/page-sessions", "Trade page", "Open the trade page",
		"Answers a path that logs a browser in as the key's customer, once, within a minute. Whoever has the path is that customer: give it to nobody."),
		identity.Trade, func(ctx context.Context, _ *struct{}) (*pageSessionOutput, error) {
			p := principal(ctx)
			if err := mayTrade(p); err != nil {
				return nil, err
			}
			path, expires, err := inviter.Invite(ctx, p.Customer)
			if err != nil {
				return nil, err
			}
			return &pageSessionOutput{PageSession{Path: path, ExpiresAt: expires}}, nil
		})
}
