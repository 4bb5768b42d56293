package ledger_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"strongroom/ledger"
	"strongroom/ledger/ledgertest"
)

// episode runs commands on the production book and on the model, and returns
// the first difference.
func episode(c chooser, commands int) error {
	un := newUniverse("u")
	model := ledgertest.NewModel()
	for _, a := range un.accounts {
		model.Open(a)
	}
	book := ledger.NewPureBook(un.accounts)
	un.outflows = func(asset string) uint64 { return model.Position(asset).Outflows }
	for i := range commands {
		cmd := un.draw(c)
		err := step(un, book, model, cmd)
		if err == nil && (i%compareEvery == 0 || i == commands-1) {
			err = compare(un, book, model)
		}
		if err != nil {
			return fmt.Errorf("command %d, %s: %w", i, cmd, err)
		}
	}
	return nil
}

func step(un *universe, book *ledger.PureBook, model *ledgertest.Model, cmd command) error {
	switch {
	case cmd.tx != nil:
		gotRepeated, got := book.Post(*cmd.tx, un.now)
		if errors.Is(got, ledger.ErrInvalid) && repeatsLegs(cmd.tx) {
			return nil // refused before the book sees it
		}
		wantRepeated, want := model.Post(*cmd.tx, un.now)
		if !errors.Is(got, want) || gotRepeated != wantRepeated {
			return fmt.Errorf("book says %w (repeated %v), model %w (%v)", got, gotRepeated, want, wantRepeated)
		}
	case cmd.attest != nil:
		got, want := book.Attest(*cmd.attest), model.Attest(*cmd.attest)
		if !errors.Is(got, want) {
			return fmt.Errorf("book says %w, model %w", got, want)
		}
	case cmd.batch:
		if err := book.CheckBatch(); err != nil {
			return err
		}
		book.NextBatch()
	}
	return nil
}

// repeatsLegs reports whether two legs drew the same id.
func repeatsLegs(tx *ledger.Transaction) bool {
	ids := map[ledger.TransferID]bool{}
	for _, leg := range tx.Legs {
		ids[leg.ID] = true
	}
	return len(ids) < len(tx.Legs)
}

// compareEvery is how many commands may pass between two comparisons of all
// balances; what each command answers is compared at once.
const compareEvery = 10

func compare(un *universe, book *ledger.PureBook, model *ledgertest.Model) error {
	for _, a := range un.accounts {
		if got, want := book.Balance(a.ID), model.Balance(a.ID); got != want {
			return fmt.Errorf("book has %+v, model %+v", got, want)
		}
	}
	for _, asset := range un.assets() {
		if got, want := book.Position(asset), model.Position(asset); got != want {
			return fmt.Errorf("book has %+v, model %+v", got, want)
		}
	}
	return book.CheckBatch()
}

func TestBookAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		if err := episode(rapidChooser{rt}, 60); err != nil {
			rt.Fatal(err)
		}
	})
}

// TestBookAgreesWithModelManyTimes runs a million commands, from a seed that
// changes with each run and is printed where it finds something.
func TestBookAgreesWithModelManyTimes(t *testing.T) {
	const length = 100
	episodes := 10_000
	if testing.Short() {
		episodes = 500
	}
	seed := rand.Uint64()
	for n := range episodes {
		c := seededChooser{rand.New(rand.NewPCG(seed, uint64(n)))}
		if err := episode(c, length); err != nil {
			t.Fatalf("seed %d, episode %d: %v", seed, n, err)
		}
	}
}
