package shardchaos

import (
	"fmt"
	"strings"
	"time"
)

// String says what came of it.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d nodes, killed %d times: %d commands acknowledged, %d fills told, %d events\n", r.Nodes, r.Kills, r.Acknowledged, r.Fills, r.Events)
	fmt.Fprintf(&b, "acknowledged commands lost: %d, fills lost: %d\n", r.OrdersLost, r.FillsLost)
	fmt.Fprintf(&b, "events of an old epoch offered: %d, accepted: %d; nodes asked for an epoch they have not seen: %d times\n", r.OldOffered, r.OldAccepted, r.StaleAsked)
	fmt.Fprintf(&b, "nodes with the same chain of events and digests: %d of %d\n", r.Agreed, r.Nodes)
	fmt.Fprintf(&b, "served again after %s (median), %s (worst)\n", r.ServingP50.Round(time.Millisecond), r.ServingWorst.Round(time.Millisecond))
	fmt.Fprintf(&b, "violations: %d\n", len(r.Violations))
	for _, v := range r.Violations {
		fmt.Fprintf(&b, "  %s\n", v)
	}
	return b.String()
}
