package server_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	matchingv1 "strongroom/internal/gen/matching/v1"
)

// library gives batches of an earlier life by their first event, and counts them.
type library struct {
	books map[uint64]*matchingv1.EventBatch
	given int
	ended bool
}

func (l *library) at(first uint64) *matchingv1.EventBatch {
	b := l.books[first]
	if l.ended = l.ended || b == nil; l.ended {
		return nil
	}
	l.given++
	return b
}

func libraryOf(batches []*matchingv1.EventBatch) *library {
	l := &library{books: map[uint64]*matchingv1.EventBatch{}}
	for _, b := range batches {
		l.books[b.GetFirst()] = proto.CloneOf(b)
	}
	return l
}

// TestAReplayTakesWhatWasSealedBefore replays with a library that has all of the first
// life, or half, or one batch that differs in each way: whatever is in it, the replay
// makes the same chain, and it takes nothing behind the first that is not the same.
func TestAReplayTakesWhatWasSealedBefore(t *testing.T) {
	entries, shard := script(t, 3_000)
	first, life := machineOf(t, shard)
	feed(t, first, entries)
	half := len(*life) / 2
	for name, c := range map[string]struct {
		spoil func(l *library, b *matchingv1.EventBatch)
		want  int
	}{
		"all of it":         {func(*library, *matchingv1.EventBatch) {}, len(*life)},
		"half of it":        {func(l *library, b *matchingv1.EventBatch) { delete(l.books, b.GetFirst()) }, half},
		"another event":     {func(_ *library, b *matchingv1.EventBatch) { b.Events[len(b.Events)-1] ^= 1 }, half + 1},
		"one byte less":     {func(_ *library, b *matchingv1.EventBatch) { b.Events = b.Events[1:] }, half + 1},
		"another epoch":     {func(_ *library, b *matchingv1.EventBatch) { b.Epoch++ }, half + 1},
		"another number":    {func(_ *library, b *matchingv1.EventBatch) { b.Count++ }, half + 1},
		"another version":   {func(_ *library, b *matchingv1.EventBatch) { b.Version++ }, half + 1},
		"another chain":     {func(_ *library, b *matchingv1.EventBatch) { b.Previous[0] ^= 1 }, half + 1},
		"no hash":           {func(_ *library, b *matchingv1.EventBatch) { b.Hash = nil }, half + 1},
		"a hash of no kind": {func(_ *library, b *matchingv1.EventBatch) { b.Hash = append(b.Hash, 0) }, half + 1},
	} {
		books := libraryOf(*life)
		c.spoil(books, books.books[(*life)[half].GetFirst()])
		second, again := machineOf(t, shard)
		second.Recall(books.at)
		feed(t, second, entries)
		if books.given != c.want {
			t.Errorf("%s: took %d batches of %d", name, books.given, len(*life))
		}
		if second.Digest() != first.Digest() || len(*again) != len(*life) {
			t.Fatalf("%s: another digest, or %d batches instead of %d", name, len(*again), len(*life))
		}
		for i, b := range *again {
			if !proto.Equal(b, (*life)[i]) {
				t.Fatalf("%s: batch %d is another one", name, i)
			}
		}
	}
}

// TestAHashThatWasChangedIsFound changes a hash that was kept: the next batch does not
// continue it, so that all from there on is hashed, and the chain is another one, which
// who keeps batches refuses.
func TestAHashThatWasChangedIsFound(t *testing.T) {
	entries, shard := script(t, 1_000)
	first, life := machineOf(t, shard)
	feed(t, first, entries)
	books := libraryOf(*life)
	at := (*life)[len(*life)/2]
	books.books[at.GetFirst()].Hash[5] ^= 1
	second, again := machineOf(t, shard)
	second.Recall(books.at)
	feed(t, second, entries)
	if last := len(*life) - 1; bytes.Equal((*again)[last].GetHash(), (*life)[last].GetHash()) {
		t.Error("the change has no consequence")
	}
}
