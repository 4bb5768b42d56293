package matchingbench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// replayLast is for how long commands are written that a restart then replays.
const replayLast = 5 * time.Second

// Replay is what a node did that was killed and started again.
type Replay struct {
	Commands uint64
	Took     time.Duration // from the start of its process to leading
}

// Rate is commands a second.
func (r *Replay) Rate() float64 { return float64(r.Commands) / r.Took.Seconds() }

// RunReplay floods a node alone that takes no snapshot, kills it, and starts it again.
// The median of the runs counts; each replays the same commands.
func RunReplay(ctx context.Context, cfg ServiceConfig) (out *Replay, err error) {
	cfg.Nodes, cfg.Dir = 1, filepath.Join(cfg.Dir, "replay")
	s, b, err := start(ctx, cfg, "--snapshot", "1000000000")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.client.Close(), s.Stop()) }()
	if err := b.market(ctx); err != nil {
		return nil, err
	}
	lines, err := b.lines(ctx, cfg.Lines)
	if err != nil {
		return nil, err
	}
	if _, err := flood(cfg.Clock, lines, openEach, replayLast); err != nil {
		return nil, fmt.Errorf("flood: %w", err)
	}
	out = &Replay{Commands: answered(lines)}
	var took []float64
	for range cfg.Runs {
		if err := s.Kill(0); err != nil {
			return nil, err
		}
		begun := cfg.Clock()
		if err := s.StartNode(0); err != nil {
			return nil, err
		}
		if _, err := awaitLeader(ctx, b.client); err != nil {
			return nil, err
		}
		took = append(took, cfg.Clock().Sub(begun).Seconds())
		cfg.Progress(fmt.Sprintf("restart: %d commands replayed in %.3f s", out.Commands, took[len(took)-1]))
	}
	out.Took = time.Duration(median(took) * float64(time.Second))
	return out, nil
}
