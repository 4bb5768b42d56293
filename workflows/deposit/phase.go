package deposit

import "time"

// The longest waits for a signal. One that runs out only means that nobody told
// us.
const (
	firstNap     = 15 * time.Second
	longestNap   = 5 * time.Minute
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

// phase is the name of a state for auditors' searches.
func phase(v View) string {
	if v.Trouble != "" {
		return "attention"
	}
	return string(v.State)
}
