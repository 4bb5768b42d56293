package miner

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fakeChain is a chain whose blocks take at most perBlock transactions.
type fakeChain struct {
	pool, perBlock int
	blocks         []int // transactions of each
	saved          int
	down           error
}

func (c *fakeChain) Pool(context.Context) (int, error) { return c.pool, c.down }

func (c *fakeChain) Mine(context.Context) (int, error) {
	n := min(c.pool, c.perBlock)
	c.pool -= n
	c.blocks = append(c.blocks, n)
	return n, nil
}

func (c *fakeChain) Save(context.Context) error { c.saved = len(c.blocks); return nil }

// bench is a miner on a fake chain with a clock of its own.
type bench struct {
	chain *fakeChain
	miner *Miner
	now   time.Time
}

func newBench(t require, perBlock int) *bench {
	b := &bench{chain: &fakeChain{perBlock: perBlock}, now: time.Unix(1_700_000_000, 0)}
	m, err := New(Config{
		Name: "fake", Chain: b.chain, Policy: DefaultPolicy(), Log: slog.New(slog.DiscardHandler),
		Clock: func() time.Time { return b.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.miner = m
	return b
}

type require interface{ Fatal(args ...any) }

// run steps the miner four times a second for d.
func (b *bench) run(t require, d time.Duration) {
	for end := b.now.Add(d); b.now.Before(end); b.now = b.now.Add(250 * time.Millisecond) {
		if err := b.miner.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestATransactionGetsItsConfirmationsAndThenTheChainRests(t *testing.T) {
	t.Parallel()
	b := newBench(t, 10)
	b.run(t, time.Minute) // what an earlier run may have left is confirmed first
	b.chain.pool, b.chain.blocks = 1, nil
	b.run(t, 7*time.Second)
	if len(b.chain.blocks) < 13 || b.chain.blocks[0] != 1 {
		t.Fatalf("blocks %v: want the transaction and 12 more within 7 s", b.chain.blocks)
	}
	b.chain.blocks = nil
	b.run(t, 10*time.Minute)
	if n := len(b.chain.blocks); n < 19 || n > 22 {
		t.Fatalf("%d blocks in ten idle minutes, want one per 30 s", n)
	}
}

func TestAPoolThatDoesNotEmptyDoesNotMineForEver(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0) // nothing is ever taken
	b.chain.pool = 1
	b.run(t, time.Hour)
	if n := len(b.chain.blocks); n > 120+121 {
		t.Fatalf("%d blocks in an hour for a stuck transaction", n)
	}
}

func TestEveryBlockIsSavedAndPacesHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := newBench(t, rapid.IntRange(1, 5).Draw(t, "perBlock"))
		fast := 0
		for range rapid.IntRange(1, 40).Draw(t, "rounds") {
			b.chain.pool += rapid.IntRange(0, 8).Draw(t, "arrive")
			before := len(b.chain.blocks)
			b.now = b.now.Add(time.Duration(rapid.IntRange(0, 40_000).Draw(t, "wait")) * time.Millisecond)
			if err := b.miner.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
			if b.chain.saved != len(b.chain.blocks) {
				t.Fatal("a block was not saved")
			}
			if made := len(b.chain.blocks) - before; made > 1 {
				t.Fatalf("%d blocks in one step", made)
			}
			fast++
		}
	})
}

func TestANodeThatIsDownIsAskedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.chain.down = errors.New("connection refused")
	if err := b.miner.Step(t.Context()); !errors.Is(err, b.chain.down) {
		t.Fatalf("error is %v", err)
	}
	b.chain.down, b.chain.pool = nil, 1
	b.run(t, time.Second)
	if b.chain.pool != 0 {
		t.Fatal("the transaction still waits")
	}
}

func TestNothingIsMinedWhileSomebodyWantsItStill(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.chain.pool = 1
	during, done := 0, make(chan error)
	want := errors.New("what it did")
	err := b.miner.Still(func() error {
		go func() { done <- b.miner.Step(context.Background()) }()
		during = len(b.chain.blocks)
		select {
		case stepped := <-done:
			t.Fatalf("a step went through: %v", stepped)
		case <-time.After(50 * time.Millisecond): //nolint:forbidigo // gives the step its chance
		}
		return want
	})
	if stepped := <-done; stepped != nil || !errors.Is(err, want) || during != 0 || len(b.chain.blocks) != 1 {
		t.Fatalf("%v, %v: %d blocks meanwhile, %d in the end", stepped, err, during, len(b.chain.blocks))
	}
}

func TestNewRefusesWhatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Name: "none"}); !errors.Is(err, ErrConfig) {
		t.Fatalf("error is %v", err)
	}
}
