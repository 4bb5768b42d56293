package tour

import (
	"testing"

	"pgregory.net/rapid"

	"strongroom/money"
)

func TestReachStaysOnTheGrid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		best, tick string
		sells      bool
		want       string
	}{
		{"60000", "0.01", true, "58800"},
		{"60000", "0.01", false, "61200"},
		{"0.001501", "0.000001", false, "0.001531"},
		{"0.001501", "0.000001", true, "0.00147"},
		{"60000.01", "0.5", true, "58800"},
	} {
		if got, err := reach(c.best, c.tick, c.sells); err != nil || got != c.want {
			t.Errorf("%+v: %s, %v", c, got, err)
		}
	}
	for _, bad := range [][2]string{{"x", "1"}, {"1", "x"}, {"1", "0"}} {
		if _, err := reach(bad[0], bad[1], true); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		tick := money.FromUint64(rapid.Uint64Range(1, 1<<40).Draw(t, "tick"))
		best, err := tick.Mul(rapid.Uint64Range(100, 1<<30).Draw(t, "ticks"))
		if err != nil {
			t.Fatal(err)
		}
		sells := rapid.Bool().Draw(t, "sells")
		text, err := reach(decimals().Format(best), decimals().Format(tick), sells)
		if err != nil {
			t.Fatal(err)
		}
		price, err := decimals().Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := price.MulDiv(money.FromUint64(1), tick, money.Down)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := whole.MulDiv(tick, money.FromUint64(1), money.Down); err != nil || back != price {
			t.Fatalf("%s is between ticks", text)
		}
		if sells != price.Less(best) {
			t.Fatalf("%s from %s, sells %v", text, decimals().Format(best), sells)
		}
	})
}
