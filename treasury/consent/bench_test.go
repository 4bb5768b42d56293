package consent_test

import (
	"testing"

	"strongroom/treasury/consent"
	"strongroom/treasury/consent/consenttest"
)

// BenchmarkThree judges three approvals: what a signer does for each request of that kind.
func BenchmarkThree(b *testing.B) {
	pass := func(id string) *consenttest.Key {
		return consenttest.Passkey(b, id, consenttest.Site, consenttest.Origin, consenttest.ES256)
	}
	for name, key := range map[string]func(id string) *consenttest.Key{
		"passkey": pass,
		"ed25519": func(id string) *consenttest.Key { return consenttest.Plain(b, id) },
		"wallet":  func(id string) *consenttest.Key { return consenttest.Wallet(b, id) },
	} {
		b.Run(name, func(b *testing.B) {
			h, i := consenttest.Open(b, environment, 1, 1, created-1000), payment()
			var said []consent.Approval
			for _, person := range []string{"ada", "bea", "cem"} {
				h.Add(person, true, []string{"treasury"}, key(person+"-1"))
				said = append(said, h.Keys[person][0].Approve(b, person, i, now.Unix()))
			}
			c := caseOf(b, h, i, of("treasury", 3), said...)
			b.ReportAllocs()
			for b.Loop() {
				if j, err := consent.Judge(c); err != nil || j.Outcome != consent.Met {
					b.Fatal(j, err)
				}
			}
		})
	}
}
