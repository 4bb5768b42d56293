package settle_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"strongroom/matching/settle"
	"strongroom/matching/settle/settletest"
)

// maxLives bounds how often a settler is started again.
const maxLives = 3_000

// TestModelOfABadWorld feeds a stream with repetitions, gaps, disorder, leaders of old
// epochs and deaths, and holds the ledger against the reference after every commit.
func TestModelOfABadWorld(t *testing.T) {
	seeds := 6
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(strconv.Itoa(seed), func(t *testing.T) { badWorld(t, uint64(seed)) })
	}
}

func badWorld(t *testing.T, seed uint64) {
	t.Helper()
	h := newHouse(t, seed, 6, false)
	for range 400 {
		h.world.Step()
	}
	h.world.Checkpoint()
	rng := rand.New(rand.NewPCG(seed, 43))
	end := uint64(len(h.world.Events))
	source := &settletest.Source{World: h.world, Rng: rand.New(rand.NewPCG(seed, 44)), Most: 24}
	var cursor settle.Cursor
	lives := 0
	for ; cursor.Next <= end && lives < maxLives; lives++ {
		ctx, die := context.WithCancel(t.Context())
		commits := 0
		book := mortal{Ledger: h.ledger, rng: rng, die: die, mu: &sync.Mutex{}, seen: func() { commits++; h.compare(t.Context()) }}
		err := h.settler(source, book).Run(ctx)
		die()
		if err != nil && !errors.Is(err, errDied) && !errors.Is(err, context.Canceled) && !errors.Is(err, settletest.ErrBroken) {
			t.Fatalf("life %d: %v", lives, err)
		}
		h.compare(t.Context())
		h.finish(rng, 3)
		h.compare(t.Context())
		if cursor, err = settle.LoadCursor(t.Context(), h.pool, 0); err != nil {
			t.Fatal(err)
		}
	}
	if cursor.Next != end+1 || cursor.Halted != "" {
		t.Fatalf("after %d lives settled up to %d of %d %s", lives, cursor.Next-1, end, cursor.Halted)
	}
	h.finish(rng, 1)
	h.compare(t.Context())
	h.sound()
	t.Logf("%d events in %d lives", end, lives)
}
