package desk_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/vault"
)

func hot() vault.Vault {
	return vault.Vault{ID: "hot-eth", Asset: "ETH", Chain: "ethereum-dev", Tier: vault.Hot, Address: "0xh0", Cap: units(1000), Target: units(500), Floor: units(100), ProofDays: 30}
}

func cold() vault.Vault {
	return vault.Vault{ID: "cold-eth", Asset: "ETH", Chain: "ethereum-dev", Tier: vault.Cold, Address: "0xc0", ProofDays: 30}
}

func terms() vault.Terms { return vault.Terms{Limit: units(400), FeeShare: 100} }

func eth() money.Asset { return money.Asset{Code: "ETH", Scale: 18} }

func (h *house) vaults() {
	h.tb.Helper()
	for _, v := range []vault.Vault{hot(), cold()} {
		_, err := h.SaveVault(h.tb.Context(), v, 0)
		require.NoError(h.tb, err)
		require.NoError(h.tb, h.Prove(h.tb.Context(), treasury.ProofRow{
			Proof: vault.Proof{Vault: v.ID, At: h.clock().Unix()}, Kind: treasury.ProofDrill, Evidence: "a signature",
		}))
	}
}

func (h *house) holds(id string, final uint64) {
	h.tb.Helper()
	require.NoError(h.tb, h.Snapshot(h.tb.Context(), treasury.Snapshot{Vault: id, Final: units(final), At: h.clock()}))
}

// What one plan proposed, the next one sees: many at once propose it once.
func TestPlansTakeTurns(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.vaults()
	h.holds("hot-eth", 1700)
	var mu sync.Mutex
	var rows []treasury.MoveRow
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			some, _, err := h.Plan(context.Background(), eth(), "ethereum-dev", terms(), vault.Sweeps)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			rows = append(rows, some...)
		})
	}
	all.Wait()
	require.Len(t, rows, 3, "1200 in parts of at most 400")
	open, err := h.Moves(t.Context(), "ETH", true)
	require.NoError(t, err)
	require.ElementsMatch(t, rows, open)

	one := rows[0]
	_, err = h.Advance(t.Context(), one.ID, one.Version, treasury.MoveChange{To: treasury.MoveSent})
	require.ErrorIs(t, err, treasury.ErrConflict, "it was never signed")
	signed, err := h.Advance(t.Context(), one.ID, one.Version, treasury.MoveChange{To: treasury.MoveSigned, TxID: "0x1"})
	require.NoError(t, err)
	_, err = h.Advance(t.Context(), one.ID, one.Version, treasury.MoveChange{To: treasury.MoveRecalled})
	require.ErrorIs(t, err, treasury.ErrConflict, "somebody was first")
	final, err := h.Advance(t.Context(), one.ID, signed.Version, treasury.MoveChange{To: treasury.MoveFinal, Outcome: "block 7"})
	require.NoError(t, err)
	require.Equal(t, "0x1", final.TxID)
	read, err := h.Move(t.Context(), one.ID)
	require.NoError(t, err)
	require.Equal(t, final, read)
	state, err := h.State(t.Context(), eth(), "ethereum-dev", terms())
	require.NoError(t, err)
	require.Len(t, state.Flows, 2)
}

func TestVaultWithoutProofTakesNothing(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.vaults()
	h.pass(31 * 24 * time.Hour)
	h.holds("hot-eth", 1700)
	rows, plan, err := h.Plan(t.Context(), eth(), "ethereum-dev", terms(), vault.Sweeps)
	require.NoError(t, err)
	require.Empty(t, rows)
	require.Len(t, plan.Held, 1)
	for name, p := range map[string]treasury.ProofRow{
		"from the future": {Proof: vault.Proof{Vault: "cold-eth", At: h.clock().Add(time.Hour).Unix()}, Kind: treasury.ProofDrill, Evidence: "x"},
		"of no kind":      {Proof: vault.Proof{Vault: "cold-eth", At: h.clock().Unix()}, Evidence: "x"},
		"of nothing":      {Proof: vault.Proof{Vault: "cold-eth", At: h.clock().Unix()}, Kind: treasury.ProofDrill},
	} {
		require.ErrorIs(t, h.Prove(t.Context(), p), treasury.ErrInvalid, name)
	}
	fresh := treasury.ProofRow{Proof: vault.Proof{Vault: "cold-eth", At: h.clock().Unix()}, Kind: treasury.ProofPayment, Evidence: "0x7"}
	require.NoError(t, h.Prove(t.Context(), fresh))
	require.NoError(t, h.Prove(t.Context(), fresh), "the same again")
	proofs, err := h.Proofs(t.Context(), "cold-eth")
	require.NoError(t, err)
	require.Len(t, proofs, 2)
	rows, _, err = h.Plan(t.Context(), eth(), "ethereum-dev", terms(), vault.Sweeps)
	require.NoError(t, err)
	require.Len(t, rows, 3)
}

func TestVaultsAreSavedByVersion(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.vaults()
	v := hot()
	v.Cap = units(2000)
	_, err := h.SaveVault(t.Context(), v, 0)
	require.ErrorIs(t, err, treasury.ErrConflict)
	saved, err := h.SaveVault(t.Context(), v, 1)
	require.NoError(t, err)
	require.Equal(t, int64(2), saved.Version)
	v.Floor = units(5000)
	_, err = h.SaveVault(t.Context(), v, 2)
	require.ErrorIs(t, err, treasury.ErrInvalid)
	v = hot()
	v.Asset = "BTC"
	_, err = h.SaveVault(t.Context(), v, 2)
	require.ErrorIs(t, err, treasury.ErrConflict, "an asset stays what it is")
	list, err := h.Vaults(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
}

func TestAddressIsPaidAfterItCooledDown(t *testing.T) {
	t.Parallel()
	h := open(t)
	const owner, to = "customer:1", "0x52908400098527886E0F7030069857D2E4169EE7"
	c := treasury.Candidate{Owner: owner, Chain: "ethereum-dev", Address: to, Label: "landlord", Requester: owner, Reason: "rent"}
	entry, request, err := h.ProposeAddress(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, addressbook.Proposed, entry.State)
	standing := func() addressbook.Standing {
		is, err := h.Standing(t.Context(), owner, "ethereum-dev", to)
		require.NoError(t, err)
		return is
	}
	require.Equal(t, addressbook.New, standing().Class)
	require.Equal(t, treasury.Done, h.signs("dov", &request).State)
	require.Equal(t, addressbook.Cooling, standing().State)
	require.Equal(t, addressbook.New, standing().Class, "it cools down")
	h.pass(time.Hour)
	require.Equal(t, addressbook.Allowlisted, standing().Class)
	other, err := h.Standing(t.Context(), "customer:2", "ethereum-dev", to)
	require.NoError(t, err)
	require.Equal(t, addressbook.New, other.Class, "one customer's entry is nothing to another")

	alike := c
	alike.Address = "0x5290aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa9EE7"
	second, request, err := h.ProposeAddress(t.Context(), alike)
	require.NoError(t, err)
	require.Equal(t, []string{to}, second.Alike)
	require.Equal(t, treasury.Danger, request.Notes[0].Level)
	_, err = h.Sign(t.Context(), request.ID, h.people.Keys["dov"][0].Deny(t, "dov", &request.Intent, h.clock().Unix(), "that is a trick"))
	require.NoError(t, err)
	list, err := h.Addresses(t.Context(), owner)
	require.NoError(t, err)
	require.Equal(t, addressbook.Denied, list[0].State)
	removed, err := h.RemoveAddress(t.Context(), entry.ID, "ada", "moved out")
	require.NoError(t, err)
	require.Equal(t, addressbook.Removed, removed.State)
	require.Equal(t, addressbook.New, standing().Class)
}
