package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readyTimeout bounds all checks of one /readyz.
const readyTimeout = 3 * time.Second

// Chain is how a chain is doing.
type Chain struct {
	Chain  string `json:"chain"`
	State  string `json:"state" enum:"following,halted"`
	Height int64  `json:"height" doc:"Newest block taken in"`
	Reason string `json:"reason,omitempty" doc:"Why credits and sends on it stopped"`
}

type chainsOutput struct {
	Body struct {
		Items []Chain `json:"items" nullable:"false"`
	}
}

func (s *Server) routeChains() {
	register(s, operation("list-chains", http.MethodGet, "/v1/chains", "Assets", "See how the chains are doing", "Needs no signature."), "",
		func(ctx context.Context, _ *struct{}) (*chainsOutput, error) {
			list, err := s.cfg.Chains.Chains(ctx)
			if err != nil {
				return nil, err
			}
			out := &chainsOutput{}
			out.Body.Items = make([]Chain, len(list))
			for i, h := range list {
				out.Body.Items[i] = Chain{Chain: string(h.Chain), State: "following", Height: int64(h.Height), Reason: h.Reason} //nolint:gosec // a height fits
				if h.Halted {
					out.Body.Items[i].State = "halted"
				}
			}
			return out, nil
		})
}

// routeHealth serves what machines ask: alive, ready, figures.
func (s *Server) routeHealth() {
	s.engine.GET("/healthz", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	s.engine.GET("/readyz", s.ready)
	s.engine.GET("/metrics", gin.WrapH(promhttp.HandlerFor(s.cfg.Metrics, promhttp.HandlerOpts{})))
}

// ready asks everything that requests rely on. While the server drains it is not
// ready, so that a balancer stops sending.
func (s *Server) ready(c *gin.Context) {
	select {
	case <-s.draining:
		s.fail(c, newProblem(codeUnavailable, "the server is stopping"))
		return
	default:
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	checks := gin.H{}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Ready)) {
		if err := s.cfg.Ready[name].Check(ctx); err != nil {
			trailOf(ctx).cause = err
			s.fail(c, newProblem(codeUnavailable, name+" does not answer"))
			return
		}
		checks[name] = "ok"
	}
	c.JSON(http.StatusOK, gin.H{"status": "ready", "checks": checks})
}
