package vault_test

import (
	"testing"
	"time"

	"strongroom/treasury/vault"
)

func TestDrills(t *testing.T) {
	const day = 24 * 3600
	vaults := []vault.Vault{hotVault(), warmVault(), coldVault()}
	at := func(days int64) int64 { return now().Unix() - days*day }
	proofs := []vault.Proof{
		{Vault: "hot-eth-1", At: at(31)},
		{Vault: "hot-eth-1", At: at(1)},
		{Vault: "warm-eth", At: at(25)},
		{Vault: "cold-eth", At: at(30)},
		{Vault: "cold-eth", At: at(-1)}, // nobody proves anything tomorrow
	}
	due := vault.Drills(vaults, proofs, now(), 5*day*time.Second)
	if len(due) != 2 || due[0].Vault != "cold-eth" || !due[0].Overdue || due[1].Vault != "warm-eth" || due[1].Overdue {
		t.Fatalf("%+v", due)
	}
	if !due[1].Lapses.Equal(now().Add(5*day*time.Second)) || !due[1].Last.Equal(now().Add(-25*day*time.Second)) {
		t.Errorf("warm: %+v", due[1])
	}
	if vault.Accepts(vaults[2], proofs, now()) || !vault.Accepts(vaults[2], proofs, now().Add(-time.Second)) {
		t.Error("a proof counts for its days and no second more")
	}
	if due = vault.Drills(vaults[:1], nil, now(), 0); len(due) != 1 || !due[0].Overdue || !due[0].Last.IsZero() {
		t.Errorf("never proven: %+v", due)
	}
}
