package transfer

import "time"

// The longest waits between two questions whether the engine's answer is settled. That
// takes moments, unless settlement stands still.
const (
	firstNap     = 50 * time.Millisecond
	longestNap   = 30 * time.Second
	firstRest    = time.Minute // where a person has to do something
	longestRest  = time.Hour
	maxDoublings = 16
)

// nap returns how long to wait for a signal after naps waits without any news.
func nap(naps int, person bool) time.Duration {
	first, longest := firstNap, longestNap
	if person {
		first, longest = firstRest, longestRest
	}
	return min(first<<min(naps, maxDoublings), longest)
}

// ended reports whether nothing is left to be done.
func (p Phase) ended() bool { return p == Done || p == Refused }

// phase is the name of a view for auditors' searches.
func phase(v View) string {
	if v.Trouble != "" {
		return "attention"
	}
	return string(v.State)
}
