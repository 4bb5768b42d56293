package server

import (
	"context"
	"slices"

	matchingv1 "strongroom/internal/gen/matching/v1"
	"strongroom/internal/mtls"
	"strongroom/matching/engine"
)

// caller returns the name of who calls and what it may do.
func (s *Server) caller(ctx context.Context) (string, Rights, *refusal) {
	name, err := mtls.Peer(ctx)
	if err != nil {
		return "", Rights{}, refuse(matchingv1.Reason_REASON_FORBIDDEN, "who calls? %v", err)
	}
	rights, ok := s.cfg.Peers[name]
	if !ok {
		return "", Rights{}, refuse(matchingv1.Reason_REASON_FORBIDDEN, "%s has no business here", name)
	}
	return name, rights, nil
}

func (r Rights) account(a engine.AccountID) bool { return r.Any || slices.Contains(r.Accounts, a) }

// command says why the caller may not give c, nil if it may.
func (r Rights) command(c *engine.Command) *refusal {
	allowed := false
	switch c.Op {
	case engine.OpNew, engine.OpAmend, engine.OpCancel, engine.OpMassCancel, engine.OpKill, engine.OpProtection:
		allowed = r.account(c.Account)
	case engine.OpRevive:
		allowed = r.Any || r.Operate
	case engine.OpCredit, engine.OpDebit, engine.OpAccount, engine.OpState, engine.OpCheckpoint:
		allowed = r.Operate
	case engine.OpNone, engine.OpTime, engine.OpDisconnect, engine.OpMarket:
	}
	if !allowed {
		return refuse(matchingv1.Reason_REASON_FORBIDDEN, "operation %d for account %d", c.Op, c.Account)
	}
	return nil
}
