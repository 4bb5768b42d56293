package flowsbench

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPercentiles(t *testing.T) {
	var list []float64
	for i := range 100 {
		list = append(list, float64(100-i))
	}
	if p50, p99 := percentiles(list); p50 != 50*time.Second || p99 != 99*time.Second {
		t.Errorf("p50 %s, p99 %s", p50, p99)
	}
	if p50, p99 := percentiles(nil); p50 != 0 || p99 != 0 {
		t.Error("nothing has percentiles")
	}
}

func TestProcessorTimeIsRead(t *testing.T) {
	p, ok := parseStat([]byte("42 (a b) c) S 7 42 42 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 9 0 1 1 1"))
	if !ok || p.parent != 7 || p.used != 1750*time.Millisecond {
		t.Errorf("read %+v, %v", p, ok)
	}
	for _, bad := range []string{"", "42 (x", "42 (x) S 7", "42 (x) S a 42 42 0 -1 4194560 1 0 0 0 150 25 0"} {
		if _, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q passes", bad)
		}
	}
	all := map[int]process{1: {}, 10: {parent: 1}, 11: {parent: 10}, 12: {parent: 11}, 99: {parent: 1}}
	names := map[int]string{10: "bench", 11: "postgres"}
	for pid, want := range map[int]string{10: "bench", 11: "postgres", 12: "postgres", 99: "", 1: ""} {
		if got := owner(pid, all, names); got != want {
			t.Errorf("process %d belongs to %q, want %q", pid, got, want)
		}
	}
	before := usage(map[string]int{"self": os.Getpid()})
	sum := sha256.Sum256(nil)
	for range 1_000_000 { // a tenth of a second of work, and the clock ticks in hundredths
		sum = sha256.Sum256(sum[:])
	}
	if used := since(before, usage(map[string]int{"self": os.Getpid()})); used["self"] <= 0 {
		t.Errorf("worked for %x, used %v", sum, used)
	}
	if s := (process{title: "postgres: strongroom temporal 127.0.0.1(51234) idle"}).session(); s != "temporal" {
		t.Errorf("session %q", s)
	}
	if busy, idle := machine(); busy <= 0 || busy+idle < time.Second || share(0, 0) <= 0 || share(0, 0) > 1 {
		t.Errorf("the machine was busy for %s and idle for %s", busy, idle)
	}
	if s := (process{title: "postgres: walwriter "}).session(); s != "server" {
		t.Errorf("session %q", s)
	}
}

func TestReportSaysWhatBounds(t *testing.T) {
	busy := Flow{Count: 10, Took: time.Second, Watched: time.Second, CPU: map[string]time.Duration{"temporal": time.Hour, "worker": time.Second}}
	idle := Flow{Count: 10, Took: time.Second, Watched: time.Hour, CPU: map[string]time.Duration{"worker": time.Second}}
	crowded := idle
	crowded.Machine = 0.99
	text := Report{Deposits: busy, Withdrawals: idle, Collections: idle}.String() + Report{Deposits: crowded, Withdrawals: idle}.String()
	for _, want := range []string{"10.0/s", "collections ", "most of all temporal", "which others use", "waiting for blocks"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
}

func TestBeginStopsAtTheFirstError(t *testing.T) {
	b := &bench{Config: Config{Count: 1000, Callers: 4}}
	down := errors.New("down")
	began := make(chan int, 1000)
	_, err := b.begin(t.Context(), func(_ context.Context, n int) (string, error) {
		began <- n
		if n == 10 {
			return "", down
		}
		return "x", nil
	})
	if !errors.Is(err, down) || len(began) > 100 {
		t.Errorf("began %d, %v", len(began), err)
	}
	all, err := b.begin(t.Context(), func(context.Context, int) (string, error) { return "x", nil })
	if err != nil || len(all) != 1000 {
		t.Errorf("began %d, %v", len(all), err)
	}
}
