package api

import (
	"context"
	"crypto/sha256"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"strongroom/identity"
)

// authenticate checks who signed the request and whether the key may do this,
// then spends a token of the key.
func (s *Server) authenticate(c *gin.Context, scope identity.Scope) (identity.Principal, *Problem) {
	ctx := c.Request.Context()
	t := trailOf(ctx)
	remote, err := netip.ParseAddr(c.ClientIP())
	if err != nil {
		return identity.Principal{}, newProblem(codeForbidden, "the caller's address is unknown")
	}
	p, err := s.cfg.Auth.Authenticate(ctx, identity.Request{
		Header: c.Request.Header, Method: c.Request.Method, Path: c.Request.URL.EscapedPath(),
		RawQuery: c.Request.URL.RawQuery, BodySHA256: sha256.Sum256(t.body), Remote: remote,
	})
	if err != nil {
		problem, internal := s.problem(err)
		if internal {
			t.cause = err
		}
		return identity.Principal{}, problem
	}
	t.principal = p
	if problem := s.perKey.limit(c.Writer.Header(), p.Key, s.now()); problem != nil {
		return identity.Principal{}, problem
	}
	if !p.Has(scope) {
		return identity.Principal{}, newProblem(codeForbidden, "the key lacks the scope "+string(scope))
	}
	return p, nil
}

// requireScope is authenticate as a step before an operation.
func (s *Server) requireScope(scope identity.Scope) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		c := humagin.Unwrap(ctx)
		if _, problem := s.authenticate(c, scope); problem != nil {
			s.fail(c, problem)
			return
		}
		next(ctx)
	}
}

// principal returns who signed the request of ctx.
func principal(ctx context.Context) identity.Principal { return trailOf(ctx).principal }
