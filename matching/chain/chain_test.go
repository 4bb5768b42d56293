package chain_test

import (
	"encoding/binary"
	"encoding/hex"
	"reflect"
	"testing"

	"strongroom/matching/chain"
	"strongroom/matching/engine"
	"strongroom/matching/engine/flow"
)

// TestEveryFieldCounts changes each field of an event by itself: none may change and
// leave the hash as it was.
func TestEveryFieldCounts(t *testing.T) {
	base := engine.Event{Seq: 7, Kind: engine.EventTrade}
	seen := map[chain.Hash]string{chain.Of(&base): "nothing"}
	var walk func(v reflect.Value, name string)
	walk = func(v reflect.Value, name string) {
		if v.Kind() == reflect.Struct {
			for i := range v.NumField() {
				walk(v.Field(i), name+"."+v.Type().Field(i).Name)
			}
			return
		}
		for _, bit := range []int{0, v.Type().Bits() - 1} {
			changed := base
			field := reflect.ValueOf(&changed).Elem().FieldByIndex(indexOf(t, name))
			if field.CanInt() {
				field.SetInt(field.Int() ^ int64(1)<<bit)
			} else {
				field.SetUint(field.Uint() ^ uint64(1)<<bit)
			}
			h := chain.Of(&changed)
			if other, twice := seen[h]; twice {
				t.Errorf("bit %d of %s leads to the hash of %s", bit, name, other)
			}
			seen[h] = name
		}
	}
	walk(reflect.ValueOf(base), "")
	if len(seen) < 40 {
		t.Errorf("%d hashes: were all fields changed?", len(seen))
	}
}

// indexOf finds a field by a name such as ".Key.Hi".
func indexOf(t *testing.T, name string) (index []int) {
	t.Helper()
	at := reflect.TypeFor[engine.Event]()
	start := 1
	for i := 1; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			continue
		}
		f, ok := at.FieldByName(name[start:i])
		if !ok {
			t.Fatalf("no field %s", name)
		}
		index, at, start = append(index, f.Index...), f.Type, i+1
	}
	return index
}

// TestCutsDoNotMatter hashes a stream event by event and in pieces.
func TestCutsDoNotMatter(t *testing.T) {
	stream := flow.NewAny(5, flow.All)
	e, err := engine.New(stream.Shard())
	if err != nil {
		t.Fatal(err)
	}
	var events []engine.Event
	for range 500 {
		step := stream.Next()
		out := step.Do(e, nil)
		stream.Saw(out)
		events = append(events, out...)
	}
	var one chain.Hash
	for i := range events {
		one = one.Next(&events[i])
	}
	for size := 1; size < 50; size += 6 {
		var h chain.Hash
		for from := 0; from < len(events); from += size {
			h = h.Over(events[from:min(from+size, len(events))])
		}
		if h != one {
			t.Errorf("pieces of %d lead to %x instead of %x", size, h, one)
		}
	}
	if one.Mark() != binary.LittleEndian.Uint64(one[:8]) || one == (chain.Hash{}) {
		t.Errorf("mark %x of %x", one.Mark(), one)
	}
	swapped := append([]engine.Event{events[1], events[0]}, events[2:]...)
	if (chain.Hash{}).Over(swapped) == one {
		t.Error("order does not matter")
	}
}

const fixed = "b2bb3946e902e0214262a8125f87ed6c212da350e18e1dbc347f6df87fdb5baf"

// TestFixedHash holds the form still: settlement's rows and the nodes' files have it.
func TestFixedHash(t *testing.T) {
	e := engine.Event{
		Seq: 1, Time: 2, Key: engine.Key{Hi: 3, Lo: 4}, Order: 5, Maker: 6, Price: 7, Qty: 8, Shown: 9, Left: 10, TakerLeft: 11,
		Amount: engine.Amount{Hi: 12, Lo: 13}, Balance: engine.Amount{Hi: 14, Lo: 15}, Until: 16, Digest: 17, Balances: 18,
		Account: 19, MakerAccount: 20, Market: 21, Asset: 22, Kind: 23, Code: 24, Side: 1, Type: 25, State: 26,
	}
	h := (chain.Hash{}).Next(&e)
	if got := hex.EncodeToString(h[:]); got != fixed {
		t.Errorf("the chain of one event is %s", got)
	}
}
