package settlebench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strongroom/matching/engine"
	"strongroom/matching/settle/settletest/floor"
	"strongroom/matching/wire"
)

const (
	roundsPerMessage = 16
	// underWay is how many messages wait for their results in a flood.
	underWay = 16
	tick     = 2 * time.Millisecond
)

var errRefused = errors.New("the engine refuses an order")

type waiting func(context.Context) ([]wire.Result, error)

// offer gives so many rounds of orders, and returns what waits for their results.
func (b *bench) offer(ctx context.Context, rounds int) (waiting, error) {
	session, err := b.floor.Session(ctx)
	if err != nil {
		return nil, err
	}
	commands := make([]engine.Command, 0, rounds*(floor.Makers+1))
	for range rounds {
		commands = b.floor.Orders(commands)
	}
	return session.Begin(ctx, commands...)
}

// await takes results, and returns an error where an order was refused.
func await(ctx context.Context, wait waiting) error {
	results, err := wait(ctx)
	if err != nil {
		return fmt.Errorf("wait for orders: %w", err)
	}
	for _, r := range results {
		if r.Kind == engine.EventRejected {
			return fmt.Errorf("%w: code %d", errRefused, r.Code)
		}
	}
	return nil
}

// flood makes at least so many fills as fast as the node takes them.
func (b *bench) flood(ctx context.Context, fills int) error {
	var open []waiting
	for made := 0; made < fills || len(open) > 0; {
		if made < fills && len(open) < underWay {
			w, err := b.offer(ctx, roundsPerMessage)
			if err != nil {
				return err
			}
			open, made = append(open, w), made+roundsPerMessage*floor.Makers
			continue
		}
		if err := await(ctx, open[0]); err != nil {
			return err
		}
		open = open[1:]
	}
	return nil
}

// steady offers fills at a rate, whatever becomes of them, and returns how late the last
// of them were given.
func (b *bench) steady(ctx context.Context, rate int, lasts time.Duration) (late time.Duration, err error) {
	answers := make(chan waiting, 1<<16)
	answered := make(chan error, 1)
	go func() {
		var failed error
		for w := range answers {
			failed = errors.Join(failed, await(ctx, w))
		}
		answered <- failed
	}()
	begun, given := b.cfg.Clock(), 0
	for err == nil {
		passed := b.cfg.Clock().Sub(begun)
		if passed >= lasts {
			break
		}
		due := int(passed.Seconds()*float64(rate))/floor.Makers - given
		if due == 0 {
			time.Sleep(tick) //nolint:forbidigo // an open load runs in real time
			continue
		}
		rounds := min(due, roundsPerMessage)
		late = time.Duration(float64(due-rounds) * floor.Makers / float64(rate) * float64(time.Second))
		var w waiting
		if w, err = b.offer(ctx, rounds); err == nil {
			answers <- w
			given += rounds
		}
	}
	close(answers)
	return late, errors.Join(err, <-answered)
}
