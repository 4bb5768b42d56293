package custody

import (
	"time"

	"strongroom/money"
)

// GasPolicy bounds what the gas station sends to deposit addresses, in base units
// of the chain's native asset, network fees included. A limit of zero lets
// nothing through.
type GasPolicy struct {
	PerAddressDay money.Units // to one deposit address
	PerAssetHour  money.Units // for the collections of one token
	PerAssetDay   money.Units
	PerHour       money.Units // of the whole chain
	PerDay        money.Units
	// Pause is how long an address rests after a collection that failed on chain;
	// each further failure doubles it, up to MaxPause.
	Pause    time.Duration
	MaxPause time.Duration
}

// GasUse is what the gas station has spent, and how collections went, as the rows
// say now. Windows slide: the hour and the day that end now.
type GasUse struct {
	AddressDay, AssetHour, AssetDay, Hour, Day money.Units
	// Failed counts the collections of the asset at the address that failed on
	// chain since the last that succeeded there; AssetFailed the same wherever.
	Failed, AssetFailed         int
	LastFailed, LastAssetFailed time.Time
}

// assetPatience is how many collections of a token may fail, wherever, before all
// of its addresses rest.
const assetPatience = 3

// Rests returns until when nothing is tried at an address because collections of
// the token failed, and why; zero where nothing speaks against it.
func (p GasPolicy) Rests(u GasUse, now time.Time) (until time.Time, reason string) {
	if u.Failed > 0 {
		until, reason = u.LastFailed.Add(p.pause(u.Failed)), "its collection failed on chain"
	}
	if n := u.AssetFailed - assetPatience; n >= 0 {
		if rest := u.LastAssetFailed.Add(p.pause(n + 1)); rest.After(until) {
			until, reason = rest, "collections of this token keep failing on chain"
		}
	}
	if !until.After(now) {
		return time.Time{}, ""
	}
	return until, reason
}

// pause is how long the n-th failure in a row counts, from one on.
func (p GasPolicy) pause(n int) time.Duration {
	d := min(p.Pause, p.MaxPause)
	for range n - 1 {
		if d >= p.MaxPause/2 {
			return p.MaxPause
		}
		d *= 2
	}
	return d
}

// Exceeds says which limit a top-up of this cost would go beyond; empty for none.
func (p GasPolicy) Exceeds(cost money.Units, u GasUse) string {
	for _, limit := range []struct {
		used, most money.Units
		reason     string
	}{
		{u.AddressDay, p.PerAddressDay, "gas limit of the address for a day"},
		{u.AssetHour, p.PerAssetHour, "gas limit of the token for an hour"},
		{u.AssetDay, p.PerAssetDay, "gas limit of the token for a day"},
		{u.Hour, p.PerHour, "gas limit of the chain for an hour"},
		{u.Day, p.PerDay, "gas limit of the chain for a day"},
	} {
		sum, err := limit.used.Add(cost)
		if err != nil || limit.most.Less(sum) {
			return limit.reason
		}
	}
	return ""
}
