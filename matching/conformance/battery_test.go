package conformance_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"strongroom/matching/conformance"
	"strongroom/matching/engine"
	"strongroom/matching/engine/naive"
)

func buy(id, price, qty int64) conformance.Message {
	return conformance.Message{Side: engine.Buy, ID: id, Price: price, Qty: qty}
}

func sell(id, price, qty int64) conformance.Message {
	return conformance.Message{Side: engine.Sell, ID: id, Price: price, Qty: qty}
}

func ioc(m conformance.Message) conformance.Message {
	m.IOC = true
	return m
}

func cancel(id int64) conformance.Message {
	return conformance.Message{Kind: conformance.Cancel, ID: id}
}

func modify(id, price, qty int64) conformance.Message {
	return conformance.Message{Kind: conformance.Modify, ID: id, Price: price, Qty: qty}
}

// scenario is a stream of its own and the reports that it must bring, without the
// acknowledgements of new orders.
type scenario struct {
	name     string
	messages []conformance.Message
	want     []string
}

func scenarios() []scenario {
	return append(append(queues(), aggressors()...), ids()...)
}

func queues() []scenario {
	three := []conformance.Message{buy(1, 100, 5), buy(2, 100, 6), buy(3, 100, 7)}
	with := func(more ...conformance.Message) []conformance.Message {
		return append(append([]conformance.Message(nil), three...), more...)
	}
	return []scenario{
		{
			"cancelling the head keeps those behind", with(cancel(1), sell(4, 100, 13)),
			[]string{"2,3,0,1,100", "1,4,100,6,2,4", "1,4,100,7,3,4"},
		},
		{
			"cancelling the middle keeps those behind", with(cancel(2), sell(4, 100, 12)),
			[]string{"2,3,0,2,100", "1,4,100,5,1,4", "1,4,100,7,3,4"},
		},
		{
			"cancelling the tail keeps those before", with(cancel(3), sell(4, 100, 11)),
			[]string{"2,3,0,3,100", "1,4,100,5,1,4", "1,4,100,6,2,4"},
		},
		{
			"a modify keeps its siblings and goes behind them", with(modify(1, 100, 5), sell(4, 100, 18)),
			[]string{"3,3,0,1,100,5", "1,4,100,6,2,4", "1,4,100,7,3,4", "1,4,100,5,1,4"},
		},
		{
			"a smaller quantity by modify loses the place too", with(modify(1, 100, 2), sell(4, 100, 7)),
			[]string{"3,3,0,1,100,2", "1,4,100,6,2,4", "1,4,100,1,3,4"},
		},
		{
			"a modify to another price keeps those it leaves", with(modify(2, 99, 6), sell(4, 99, 18)),
			[]string{"3,3,0,2,99,6", "1,4,100,5,1,4", "1,4,100,7,3,4", "1,4,99,6,2,4"},
		},
		{
			"a cancelled best level leaves no phantom price",
			[]conformance.Message{buy(1, 100, 5), buy(2, 99, 5), cancel(1), sell(3, 100, 5), sell(4, 99, 5)},
			[]string{"2,2,0,1,100", "1,4,99,5,2,4"},
		},
	}
}

func aggressors() []scenario {
	return []scenario{
		{
			"best price first, an exact fill leaves nothing",
			[]conformance.Message{sell(1, 102, 5), sell(2, 101, 5), buy(3, 102, 10), buy(4, 102, 1), cancel(3), cancel(4)},
			[]string{"1,2,101,5,2,3", "1,2,102,5,1,3", "4,4,3", "2,5,0,4,102"},
		},
		{
			"a residual that rests is the best price",
			[]conformance.Message{sell(1, 101, 5), buy(2, 101, 8), buy(3, 100, 9), sell(4, 100, 4)},
			[]string{"1,1,101,5,1,2", "1,3,101,3,2,4", "1,3,100,1,3,4"},
		},
		{
			"a modify of a buy that crosses trades at the maker's price",
			[]conformance.Message{sell(1, 105, 5), buy(2, 100, 5), modify(2, 110, 5)},
			[]string{"1,2,105,5,1,2", "3,2,0,2,110,5"},
		},
		{
			"a modify of a sell that crosses trades at the maker's price",
			[]conformance.Message{buy(1, 95, 5), sell(2, 100, 5), modify(2, 90, 5)},
			[]string{"1,2,95,5,1,2", "3,2,1,2,90,5"},
		},
		{
			"an IOC rest is dropped",
			[]conformance.Message{sell(1, 100, 5), ioc(buy(2, 101, 8)), sell(3, 101, 3), cancel(2)},
			[]string{"1,1,100,5,1,2", "2,1,0,2,101", "4,3,2"},
		},
		{
			"an IOC that meets nobody is dropped",
			[]conformance.Message{ioc(sell(1, 100, 5)), buy(2, 100, 5)},
			[]string{"2,0,1,1,100"},
		},
		{
			"a marketable limit stops at its own price",
			[]conformance.Message{sell(1, 100, 5), sell(2, 101, 5), sell(3, 102, 5), buy(4, 101, 15), cancel(4), cancel(3)},
			[]string{"1,3,100,5,1,4", "1,3,101,5,2,4", "2,4,0,4,101", "2,5,1,3,102"},
		},
		{
			"very wide prices",
			[]conformance.Message{buy(1, 1, 1), sell(2, math.MaxInt64, 1), buy(3, math.MaxInt64, 2), sell(4, 1, 2)},
			[]string{
				"1,2,9223372036854775807,1,2,3", "1,3,9223372036854775807,1,3,4", "1,3,1,1,1,4",
			},
		},
	}
}

func ids() []scenario {
	return []scenario{
		{
			"a partly filled order can be cancelled",
			[]conformance.Message{buy(1, 100, 5), sell(2, 100, 2), cancel(1), sell(3, 100, 1)},
			[]string{"1,1,100,2,1,2", "2,2,0,1,100"},
		},
		{
			"a partly filled order can be modified",
			[]conformance.Message{buy(1, 100, 5), sell(2, 100, 2), modify(1, 101, 4), sell(3, 101, 4)},
			[]string{"1,1,100,2,1,2", "3,2,0,1,101,4", "1,3,101,4,1,3"},
		},
		{
			"a filled, cancelled or never issued id is refused",
			[]conformance.Message{
				buy(1, 100, 5), sell(2, 100, 5), cancel(1), modify(2, 100, 1), buy(3, 100, 5), cancel(3), cancel(3), modify(9, 100, 1),
			},
			[]string{"1,1,100,5,1,2", "4,2,1", "5,3,2", "2,5,0,3,100", "4,6,3", "5,7,9"},
		},
		{
			"a freed id can be used again",
			[]conformance.Message{buy(1, 100, 5), cancel(1), sell(1, 101, 3), buy(2, 101, 3), buy(1, 99, 1), cancel(1)},
			[]string{"2,1,0,1,100", "1,3,101,3,1,2", "2,5,0,1,99"},
		},
	}
}

func machines(t *testing.T, cfg engine.Config) map[string]conformance.Machine {
	t.Helper()
	fast, err := engine.New(cfg)
	if err != nil {
		t.Fatalf("make engine: %v", err)
	}
	slow, err := naive.New(cfg)
	if err != nil {
		t.Fatalf("make naive engine: %v", err)
	}
	return map[string]conformance.Machine{"fast": fast, "naive": slow}
}

// reports runs messages and returns what they bring but for acknowledgements.
func reports(t *testing.T, m conformance.Machine, messages []conformance.Message) []string {
	t.Helper()
	var text strings.Builder
	r := conformance.NewReporter(m, &text)
	for _, message := range messages {
		if err := r.Do(message); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for line := range strings.SplitSeq(text.String(), "\n") {
		if !strings.HasPrefix(line, "0,") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestBattery(t *testing.T) {
	t.Parallel()
	const room = 64
	for _, s := range scenarios() {
		for name, m := range machines(t, conformance.Shard(room)) {
			t.Run(s.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				got := reports(t, m, s.messages)
				if strings.Join(got, "\n") != strings.Join(s.want, "\n") {
					t.Errorf("reports are\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(s.want, "\n"))
				}
			})
		}
	}
}

// TestLevelSweptAtOnce has one order take a level of thousands, oldest first.
func TestLevelSweptAtOnce(t *testing.T) {
	t.Parallel()
	const level = 5000
	var messages []conformance.Message
	var want []string
	for id := int64(1); id <= level; id++ {
		messages = append(messages, sell(id, 100, id))
		want = append(want, fmt.Sprintf("1,%d,100,%d,%d,%d", level, id, id, level+1))
	}
	messages = append(messages, buy(level+1, 100, level*(level+1)/2))
	for name, m := range machines(t, conformance.Shard(level+1)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := reports(t, m, messages)
			if len(got) != len(want) {
				t.Fatalf("%d trades, not %d", len(got), len(want))
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("trade %d is %s, not %s", i, got[i], want[i])
				}
			}
		})
	}
}
