package live

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"strongroom/feed"
	"strongroom/internal/kv"
)

const (
	keepEvery = time.Second
	keepFor   = time.Minute // a snapshot that nobody renews is older than nothing
	// keptLevels of each side are in a snapshot, so that a deep book stays small.
	keptLevels = 1000
)

// keep writes each market's snapshot to the store about once a second.
func (l *Live) keep(ctx context.Context) {
	ticks := time.NewTicker(keepEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			if err := l.keepAll(ctx); err != nil && ctx.Err() == nil {
				l.cfg.Logger.WarnContext(ctx, "keep snapshots of markets", slog.Any("error", err))
			}
		case <-ctx.Done():
			return
		}
	}
}

// keepAll writes the markets while the shard is followed: one that is not is better
// read from another process.
func (l *Live) keepAll(ctx context.Context) error {
	if _, live := l.Behind(); !live {
		return nil
	}
	for _, m := range l.markets {
		message := m.feed.Whole()
		message.Bids, message.Asks = message.Bids[:min(len(message.Bids), keptLevels)], message.Asks[:min(len(message.Asks), keptLevels)]
		value, err := json.Marshal(&message) //nolint:musttag // read by this code alone; the key names the form
		if err == nil {
			err = l.cfg.Store.Set(ctx, key(m), value, keepFor)
		}
		if err != nil {
			return fmt.Errorf("keep %s: %w", m.name, err)
		}
	}
	return nil
}

// key is of this form of snapshots.
func key(m *market) string { return "feed/1/" + strconv.Itoa(int(m.id)) + "/" + m.name }

// Snapshot returns everything of a market: what is followed here, else what another
// process has kept within the last minute, with the best 1,000 prices of each side.
// Errors: ErrUnknown; kv.ErrMissing where nobody has it; those of the store.
func (l *Live) Snapshot(ctx context.Context, name string) (feed.Message, error) {
	m := l.named(name)
	if m == nil {
		return feed.Message{}, fmt.Errorf("snapshot of %q: %w", name, ErrUnknown)
	}
	if _, live := l.Behind(); live {
		return m.feed.Whole(), nil
	}
	if l.cfg.Store == nil {
		return feed.Message{}, fmt.Errorf("snapshot of %s: %w", name, kv.ErrMissing)
	}
	var message feed.Message
	value, err := l.cfg.Store.Get(ctx, key(m))
	if err == nil {
		err = json.Unmarshal(value, &message) //nolint:musttag // as it was written
	}
	if err != nil {
		return feed.Message{}, fmt.Errorf("snapshot of %s: %w", name, err)
	}
	return message, nil
}
