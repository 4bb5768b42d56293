package treasurypages

import (
	"strings"

	"strongroom/treasury"
	"strongroom/treasury/intent"
)

// actionText is what people call an action.
func actionText(a intent.Action) string {
	switch a {
	case intent.Withdrawal:
		return "Withdrawal"
	case intent.Sweep:
		return "Sweep"
	case intent.Refill:
		return "Refill"
	case intent.ColdSpend:
		return "Payment out of a vault"
	case intent.Allow:
		return "Address book entry"
	case intent.Policy:
		return "Policy"
	case intent.Roster:
		return "People"
	case intent.Unfreeze:
		return "Go on signing"
	case intent.KeyDrill:
		return "Key drill"
	}
	return string(a)
}

// stateText is what people call a state.
func stateText(s treasury.State) string {
	switch s {
	case treasury.Waiting:
		return "waits for consent"
	case treasury.Approved:
		return "approved"
	case treasury.Denied:
		return "denied"
	case treasury.Expired:
		return "expired"
	case treasury.Cancelled:
		return "cancelled"
	case treasury.Done:
		return "done"
	case treasury.Failed:
		return "failed"
	}
	return string(s)
}

// short is the beginning and the end of an address or id, for lists. Pages about one thing
// show it whole.
func short(s string) string {
	const ends, most = 8, 22
	if len(s) <= most {
		return s
	}
	return s[:ends] + "…" + s[len(s)-ends:]
}

// chunks are an address or hash in groups of four, to compare with a device.
func chunks(s string) []string {
	const size = 4
	var out []string
	if rest, ok := strings.CutPrefix(s, "0x"); ok {
		out, s = append(out, "0x"), rest
	}
	for len(s) > size {
		out, s = append(out, s[:size]), s[size:]
	}
	return append(out, s)
}
