package custody_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"strongroom/custody"
	"strongroom/money"
)

func gasPolicy() custody.GasPolicy {
	n := money.FromUint64
	return custody.GasPolicy{
		PerAddressDay: n(10), PerAssetHour: n(50), PerAssetDay: n(100), PerHour: n(200), PerDay: n(400),
		Pause: time.Minute, MaxPause: time.Hour,
	}
}

func TestGasLimits(t *testing.T) {
	n := money.FromUint64
	for want, u := range map[string]custody.GasUse{
		"":                                   {AddressDay: n(5), AssetHour: n(45), AssetDay: n(95), Hour: n(195), Day: n(395)},
		"gas limit of the address for a day": {AddressDay: n(6)},
		"gas limit of the token for an hour": {AssetHour: n(46)},
		"gas limit of the token for a day":   {AssetDay: n(96)},
		"gas limit of the chain for an hour": {Hour: n(196)},
		"gas limit of the chain for a day":   {Day: n(396)},
	} {
		if got := gasPolicy().Exceeds(n(5), u); got != want {
			t.Errorf("%+v: %q, want %q", u, got, want)
		}
	}
	if (custody.GasPolicy{}).Exceeds(n(1), custody.GasUse{}) == "" {
		t.Error("without limits nothing may pass")
	}
}

func TestGasPauses(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	p := gasPolicy()
	for _, c := range []struct {
		use  custody.GasUse
		rest time.Duration
	}{
		{custody.GasUse{}, 0},
		{custody.GasUse{Failed: 1, LastFailed: now}, time.Minute},
		{custody.GasUse{Failed: 1, LastFailed: now.Add(-time.Minute)}, 0},
		{custody.GasUse{Failed: 4, LastFailed: now}, 8 * time.Minute},
		{custody.GasUse{Failed: 6, LastFailed: now}, 32 * time.Minute},
		{custody.GasUse{Failed: 7, LastFailed: now}, time.Hour},
		{custody.GasUse{Failed: 1 << 30, LastFailed: now}, time.Hour},
		{custody.GasUse{AssetFailed: 2, LastAssetFailed: now}, 0},
		{custody.GasUse{AssetFailed: 3, LastAssetFailed: now}, time.Minute},
		{custody.GasUse{AssetFailed: 5, LastAssetFailed: now, Failed: 1, LastFailed: now}, 4 * time.Minute},
	} {
		until, reason := p.Rests(c.use, now)
		if (c.rest == 0) != until.IsZero() || (c.rest == 0) != (reason == "") || (c.rest > 0 && !until.Equal(now.Add(c.rest))) {
			t.Errorf("%+v: until %s, %q", c.use, until, reason)
		}
	}
}

// TestGasPauseGrows: one more failure never means a shorter pause, and no pause is
// longer than the longest.
func TestGasPauseGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(0, 0)
		p := custody.GasPolicy{
			Pause:    time.Duration(rapid.Int64Range(1, int64(48*time.Hour)).Draw(t, "pause")),
			MaxPause: time.Duration(rapid.Int64Range(1, int64(48*time.Hour)).Draw(t, "most")),
		}
		n := rapid.IntRange(1, 100).Draw(t, "failures")
		rest := func(n int) time.Duration {
			until, _ := p.Rests(custody.GasUse{Failed: n, LastFailed: now}, now)
			return until.Sub(now)
		}
		if rest(n) <= 0 || rest(n+1) < rest(n) || rest(n+1) > p.MaxPause {
			t.Fatalf("%s, then %s", rest(n), rest(n+1))
		}
	})
}
