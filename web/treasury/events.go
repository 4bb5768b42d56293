package treasurypages

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	maxPages  = 1024 // browsers that hear of changes at once
	eventsFew = 64   // changes that wait for a browser; one that is slower reads all anew
	beat      = 20 * time.Second
	againIn   = time.Second
	lookEvery = 2 * time.Second
)

// hub tells browsers that something changed.
type hub struct {
	mu  sync.Mutex
	all map[chan string]bool
	// frozen is what the signer said last.
	frozen Frozen
	// mute is why nothing is known of the signer; empty where something is.
	mute string
}

func newHub() *hub { return &hub{all: map[chan string]bool{}, mute: "The signer was not asked yet."} }

// join takes a browser in; nil where there are too many.
func (h *hub) join() chan string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.all) >= maxPages {
		return nil
	}
	ch := make(chan string, eventsFew)
	h.all[ch] = true
	return ch
}

func (h *hub) leave(ch chan string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, ch)
}

func (h *hub) tell(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.all {
		select {
		case ch <- what:
		default: // it has enough to read already
		}
	}
}

// set keeps what the signer said, and reports whether it is news.
func (h *hub) set(is Frozen, mute string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	news := h.frozen != is || h.mute != mute
	h.frozen, h.mute = is, mute
	return news
}

func (h *hub) signer() (is Frozen, mute string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.frozen, h.mute
}

// Run hears of changes and asks whether signing is stopped, until ctx ends.
func (p *Pages) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { p.watch(ctx) })
	for ctx.Err() == nil {
		if err := p.hear(ctx); err != nil && ctx.Err() == nil {
			p.cfg.Logger.WarnContext(ctx, "hear of changes", slog.Any("error", err))
		}
		p.hub.tell("all") // whatever happened meanwhile
		pause(ctx, againIn)
	}
	both.Wait()
}

func (p *Pages) hear(ctx context.Context) error {
	changes, err := p.cfg.Requests.Changes(ctx)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for id := range changes {
		p.hub.tell(id)
	}
	return nil
}

func (p *Pages) watch(ctx context.Context) {
	for p.cfg.Switch != nil && ctx.Err() == nil {
		p.look(ctx)
		pause(ctx, lookEvery)
	}
}

// look asks the signer whether it is stopped.
func (p *Pages) look(ctx context.Context) {
	is, err := p.cfg.Switch.Frozen(ctx)
	mute := ""
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		p.cfg.Logger.WarnContext(ctx, "whether signing is stopped is not known", slog.Any("error", err))
		mute = "The signer does not answer: whether signing is stopped is not known."
	}
	if p.hub.set(is, mute) {
		p.hub.tell("signer")
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// events is a stream (HTML Living Standard, server-sent events) of what changed: the id of
// a request, "signer", or "all" where some were missed. It carries no more: pages read
// what they show from where everything is decided.
func (p *Pages) events(pg *page) error {
	ch := p.hub.join()
	if ch == nil {
		p.fault(pg.w, pg.Request, http.StatusServiceUnavailable, "Too many pages listen.", "Load the page again later.")
		return nil
	}
	defer p.hub.leave(ch)
	out := http.NewResponseController(pg.w)
	pg.w.Header().Set("Content-Type", "text/event-stream")
	pg.w.Header().Set("X-Accel-Buffering", "no")
	ticks := time.NewTicker(beat)
	defer ticks.Stop()
	line := ": hello\n\n"
	for {
		_ = out.SetWriteDeadline(time.Now().Add(beat)) //nolint:forbidigo // of the connection, not of what is shown
		if _, err := pg.w.Write([]byte(line)); err != nil {
			return nil
		}
		if err := out.Flush(); err != nil {
			return nil
		}
		select {
		case <-pg.Context().Done():
			return nil
		case <-ticks.C:
			if _, err := p.sessions.Find(pg.Request); err != nil {
				return nil
			}
			line = ": still here\n\n"
		case what := <-ch:
			line = "data: " + what + "\n\n"
		}
	}
}
