package settlebench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"strongroom/matching/engine"
)

func at0(n int64) time.Time { return time.Unix(0, n) }

// noted is a stream of events a nanosecond apart from sequence 10 on; those of odd
// sequences are trades.
func noted(n int) *stream {
	s := &stream{}
	events := make([]engine.Event, n)
	for i := range events {
		events[i] = engine.Event{Seq: uint64(10 + i), Time: int64(100 + i)}
		if events[i].Seq%2 == 1 {
			events[i].Kind = engine.EventTrade
		}
	}
	s.note(events)
	return s
}

func TestAFillIsSettledByTheCommitThatHoldsIt(t *testing.T) {
	s := noted(6)
	s.note([]engine.Event{{Seq: 12, Kind: engine.EventTrade}}) // said again
	w := &book{commits: []commit{{10, at0(200)}, {13, at0(300)}}}

	assert.Equal(t, []fill{{at0(101), at0(200)}, {at0(103), at0(300)}, {at0(105), at0(300)}}, fills(s, w))
}

func TestBehindCountsWhatWasMadeAndNotSettled(t *testing.T) {
	s := noted(6)
	w := &book{commits: []commit{{10, at0(104)}, {12, at0(105)}, {14, at0(106)}}}

	assert.Equal(t, []int{2, 1, 0}, behind(s, w), "made before each commit, less what it settled")
}

func TestARunIsCutIntoParts(t *testing.T) {
	d := Drain{begun: at0(0)}
	for i := range int64(11) {
		d.fills = append(d.fills, fill{settled: at0((i + 1) * int64(time.Second))})
	}
	samples := []sample{
		{at: at0(int64(time.Second)), doing: []string{"works"}, wal: 100},
		{at: at0(2 * int64(time.Second)), wal: 300, own: time.Second / 2},
	}

	parts := steps(d, 5, samples)
	assert.Len(t, parts, 2, "one fill too many is told with the last")
	assert.Equal(t, Step{Fills: 5, Rate: 1, WAL: 200, Own: 0.5, Waits: "waits for us 50 %  works 50 %", Slowest: time.Second}, parts[0])
	assert.Equal(t, 11, parts[1].Fills)
	assert.InDelta(t, 1, parts[1].Rate, 1e-9)
}

func TestOnlyWhatCanBeMeasuredIs(t *testing.T) {
	good := Config{Clock: func() time.Time { return at0(1) }, Customers: 2, Fills: 1, Runs: 1}
	require.NoError(t, good.check())
	for name, change := range map[string]func(*Config){
		"no clock":       func(c *Config) { c.Clock = nil },
		"one customer":   func(c *Config) { c.Customers = 1 },
		"no fills":       func(c *Config) { c.Fills = 0 },
		"too many fills": func(c *Config) { c.Fills = mostFills + 1 },
		"no runs":        func(c *Config) { c.Runs = 0 },
		"no steps":       func(c *Config) { c.Long = 10 },
		"no rate":        func(c *Config) { c.Rates, c.Duration = []int{0}, time.Second },
		"no time":        func(c *Config) { c.Rates = []int{1} },
	} {
		bad := good
		change(&bad)
		assert.ErrorIs(t, bad.check(), ErrInvalid, name)
	}
}
