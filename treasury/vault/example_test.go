package vault_test

import (
	"fmt"
	"time"

	"strongroom/money"
	"strongroom/treasury/vault"
)

// The worked example of docs/treasury-vaults.md.
func Example() {
	eth := money.Asset{Code: "ETH", Scale: 18}
	of := func(text string) money.Units {
		u, err := eth.Parse(text)
		if err != nil {
			panic(err)
		}
		return u
	}
	at := time.Date(2030, 5, 6, 12, 0, 0, 0, time.UTC)
	hot := vault.Vault{ID: "hot-eth-1", Asset: "ETH", Chain: "eth", Tier: vault.Hot, Address: "0xh", Cap: of("100"), Floor: of("20"), Target: of("60"), ProofDays: 30}
	warm := vault.Vault{ID: "warm-eth", Asset: "ETH", Chain: "eth", Tier: vault.Warm, Address: "0xw", Cap: of("50"), Floor: of("5"), Target: of("40"), ProofDays: 30}
	cold := vault.Vault{ID: "cold-eth", Asset: "ETH", Chain: "eth", Tier: vault.Cold, Address: "0xc", ProofDays: 90}
	s := &vault.State{
		Asset: eth, Chain: "eth", Now: at,
		Terms:    vault.Terms{Limit: of("25"), Fee: of("0.01"), FeeShare: 100, Least: of("1")},
		Holdings: []vault.Holding{{Vault: hot, Final: of("130"), Open: of("12")}, {Vault: warm, Final: of("25")}, {Vault: cold, Final: of("900")}},
	}
	for _, id := range []string{"hot-eth-1", "warm-eth", "cold-eth"} {
		s.Proofs = append(s.Proofs, vault.Proof{Vault: id, At: at.Unix()})
	}
	show := func(what string, p vault.Plan, err error) {
		fmt.Printf("%s: %d moves, %d held, %v\n", what, len(p.Moves), len(p.Held), err)
		for i, m := range p.Moves {
			fmt.Printf("  %s to %s: %s ETH in %d; %s\n", m.From, m.To, eth.Format(m.Amount), len(m.Parts), m.Why)
			s.Flows = append(s.Flows, m.Flows(fmt.Sprintf("%s %d", what, i))...)
		}
	}
	p, err := vault.Sweeps(s)
	show("sweep", p, err)
	p, err = vault.Sweeps(s)
	show("sweep again", p, err)

	s.Flows = nil // all final
	s.Holdings[0].Final, s.Holdings[1].Final = of("72"), of("40")
	s.Holdings[0].Open, s.Holdings[0].Approved = of("70"), of("70")
	p, err = vault.Refills(s)
	show("refill", p, err)
	// Output:
	// sweep: 2 moves, 0 held, <nil>
	//   hot-eth-1 to warm-eth: 15 ETH in 1; hot-eth-1 holds 130 ETH, above its cap of 100 ETH; 72 ETH is to stay
	//   hot-eth-1 to cold-eth: 42.97 ETH in 2; hot-eth-1 holds 130 ETH, above its cap of 100 ETH; 72 ETH is to stay
	// sweep again: 0 moves, 0 held, <nil>
	// refill: 1 moves, 0 held, <nil>
	//   warm-eth to hot-eth-1: 28 ETH in 2; hot-eth-1 will hold 72 ETH, below the 90 ETH that its floor and approved withdrawals need; it is filled up to 100 ETH
}
