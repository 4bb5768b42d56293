package settle

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"strongroom/matching/engine"
)

// maxNamed bounds the names of customers that a Registry keeps in memory; beyond it they
// are read again.
const maxNamed = 1 << 20

// named are names that were read: a number's name never changes.
type named struct {
	mu        sync.RWMutex
	customers map[engine.AccountID]string
	codes     map[engine.AssetID]string
}

// Customer returns whose account a number is. It returns ErrUnknown, also for the house.
func (r *Registry) Customer(ctx context.Context, no engine.AccountID) (string, error) {
	return nameOf(ctx, r, &r.named.customers, no, `SELECT customer FROM trading.account WHERE no = $1 AND no > 0`, int64(no))
}

// Code returns which asset a number is. It returns ErrUnknown.
func (r *Registry) Code(ctx context.Context, no engine.AssetID) (string, error) {
	return nameOf(ctx, r, &r.named.codes, no, `SELECT code FROM trading.asset WHERE no = $1`, int64(no))
}

// nameOf returns a name out of memory, or reads it once.
func nameOf[N comparable](ctx context.Context, r *Registry, known *map[N]string, no N, query string, arg int64) (string, error) {
	r.named.mu.RLock()
	name, ok := (*known)[no]
	r.named.mu.RUnlock()
	if ok {
		return name, nil
	}
	err := r.pool.QueryRow(ctx, query, arg).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("number %d: %w", arg, ErrUnknown)
	}
	if err != nil {
		return "", fmt.Errorf("read name of number %d: %w", arg, err)
	}
	r.named.mu.Lock()
	defer r.named.mu.Unlock()
	if *known == nil || len(*known) >= maxNamed {
		*known = map[N]string{}
	}
	(*known)[no] = name
	return name, nil
}
