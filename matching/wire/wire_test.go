package wire_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"strongroom/matching/engine"
	"strongroom/matching/wire"
)

// fill gives each number below v another value that is not zero.
func fill(v reflect.Value, next *uint64) {
	switch v.Kind() { //nolint:exhaustive // the others would panic in SetUint
	case reflect.Struct:
		for _, f := range v.Fields() {
			fill(f, next)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), next)
		}
	case reflect.Int64:
		*next++
		v.SetInt(-int64(*next))
	default:
		*next++
		v.SetUint(*next)
	}
}

// A field that is added to the contract and forgotten here would be lost on the way.
func TestEveryFieldTravels(t *testing.T) {
	var n uint64
	var command, command2 engine.Command
	fill(reflect.ValueOf(&command).Elem(), &n)
	packed := wire.AppendCommand(nil, &command)
	rest, err := wire.ReadCommand(packed, &command2)
	command.Time = 0
	if err != nil || len(rest) != 0 || command2 != command || len(packed) != wire.MaxCommandBytes {
		t.Errorf("command came back as %+v, %d bytes left, %v; was %+v", command2, len(rest), err, command)
	}
	var event, event2 engine.Event
	fill(reflect.ValueOf(&event).Elem(), &n)
	packed = wire.AppendEvent(nil, &event)
	rest, err = wire.ReadEvent(packed, &event2)
	if err != nil || len(rest) != 0 || event2 != event || len(packed) != wire.MaxEventBytes {
		t.Errorf("event came back as %+v, %d bytes left, %v; was %+v", event2, len(rest), err, event)
	}
	var config, config2 engine.MarketConfig
	fill(reflect.ValueOf(&config).Elem(), &n)
	if err := wire.ReadConfig(wire.AppendConfig(nil, &config), &config2); err != nil || config2 != config {
		t.Errorf("configuration came back as %+v, %v; was %+v", config2, err, config)
	}
	results := []wire.Result{{1, 2, 3, engine.EventAccepted, 0, false}, {2, 5, 1 << 40, engine.EventRejected, engine.CodeByHalt, true}}
	packed = wire.AppendResult(wire.AppendResult(nil, &results[0]), &results[1])
	if back, err := wire.ReadResults(packed, nil); err != nil || !reflect.DeepEqual(back, results) {
		t.Errorf("results came back as %+v, %v", back, err)
	}
}

func limit(price int64) *engine.Command {
	return &engine.Command{Op: engine.OpNew, Account: 7, Key: engine.Key{Lo: 9}, Price: price, Qty: 5}
}

func TestEntry(t *testing.T) {
	body := wire.AppendCommand(wire.AppendCommand(nil, limit(10)), limit(11))
	b := wire.AppendEntry(nil, -5)
	b = wire.AppendOpen(b, 77, "api")
	b = wire.AppendCommands(b, 3, 41, 2, body)
	b = wire.AppendMarket(b, 78, 2, &engine.MarketConfig{Base: 1, MaxPegs: 6})
	b = wire.AppendEnd(b, 9)
	at, rest, err := wire.ReadEntry(b)
	if err != nil || at != -5 {
		t.Fatalf("time %d, %v", at, err)
	}
	var got [4]wire.Record
	for i := range got {
		if rest, err = wire.ReadRecord(rest, &got[i]); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	want := [4]wire.Record{
		{Kind: wire.RecordOpen, Token: 77, Owner: []byte("api")},
		{Kind: wire.RecordCommands, Session: 3, First: 41, Count: 2, Body: body},
		{Kind: wire.RecordMarket, Token: 78, Market: 2, Config: engine.MarketConfig{Base: 1, MaxPegs: 6}},
		{Kind: wire.RecordEnd, Session: 9},
	}
	if !reflect.DeepEqual(got, want) || len(rest) != 0 {
		t.Errorf("read %+v and %d bytes", got, len(rest))
	}
}

func TestRefusals(t *testing.T) {
	one := wire.AppendCommand(nil, limit(10))
	for name, c := range map[string]struct {
		frame []byte
		want  error
	}{
		"no mask":       {[]byte{1, 2, 3}, wire.ErrMalformed},
		"words missing": {one[:len(one)-1], wire.ErrMalformed},
		"unknown word":  {[]byte{0, 0, 0, 128, 1, 0, 0, 0, 0, 0, 0, 0}, wire.ErrMalformed},
		"written zero":  {[]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, wire.ErrMalformed},
		"wide tier":     {[]byte{128, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0}, wire.ErrMalformed},
		"too many":      {bytes.Repeat([]byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, wire.MaxFrameCommands+1), wire.ErrOversized},
		"too long":      {make([]byte, wire.MaxFrameBytes+1), wire.ErrOversized},
	} {
		if _, err := wire.ReadCommands(c.frame, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if out, err := wire.ReadCommands(bytes.Repeat(one, wire.MaxFrameCommands), nil); err != nil || len(out) != wire.MaxFrameCommands {
		t.Errorf("a full frame: %d commands, %v", len(out), err)
	}
}

func FuzzCommands(f *testing.F) {
	f.Add(wire.AppendCommand(nil, limit(3)))
	f.Add([]byte{128, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		commands, err := wire.ReadCommands(b, nil)
		if err != nil {
			return
		}
		var again []byte
		for i := range commands {
			again = wire.AppendCommand(again, &commands[i])
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x reads as %+v, which packs as %x", b, commands, again)
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add(wire.AppendEvent(nil, &engine.Event{Seq: 1, Kind: engine.EventTrade, Price: 7, Qty: -1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		events, err := wire.ReadEvents(b, 64, nil)
		if err != nil {
			return
		}
		var again []byte
		for i := range events {
			again = wire.AppendEvent(again, &events[i])
		}
		if !bytes.Equal(again, b) {
			t.Errorf("%x reads as %+v, which packs as %x", b, events, again)
		}
	})
}

// What is read from the log is either refused or understood to its end.
func FuzzEntry(f *testing.F) {
	f.Add(wire.AppendEnd(wire.AppendOpen(wire.AppendEntry(nil, 5), 1, "x"), 3))
	f.Add(wire.AppendCommands(wire.AppendEntry(nil, 5), 1, 1, 1, wire.AppendCommand(nil, limit(3))))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, rest, err := wire.ReadEntry(b)
		for err == nil && len(rest) > 0 {
			var r wire.Record
			left := len(rest)
			if rest, err = wire.ReadRecord(rest, &r); err == nil && len(rest) >= left {
				t.Fatalf("no progress in %x", b)
			}
		}
	})
}

func BenchmarkCommand(b *testing.B) {
	buf := wire.AppendCommand(nil, limit(10))
	var c engine.Command
	for b.Loop() {
		buf = wire.AppendCommand(buf[:0], limit(10))
		if _, err := wire.ReadCommand(buf, &c); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(buf)), "bytes")
}
