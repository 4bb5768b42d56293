// Package envoy brings to the signer what people decided at the treasury's desk: another
// policy, an entry of an allow-list, an end of a freeze, and rosters as officers signed
// them. It is a messenger: the signer verifies all of it again by itself, and what it
// refuses stays refused. What was brought before does no harm.
package envoy
