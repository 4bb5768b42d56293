package desk_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"strongroom/treasury"
	"strongroom/treasury/drill"
	"strongroom/treasury/vault"
)

// A drill is drawn here, proven once by enough keys, and counts from when it was drawn.
func TestADrillIsDrawnAndProvenOnce(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := t.Context()
	v := vault.Vault{ID: "cold-eth", Asset: "ETH", Chain: "ethereum-dev", Tier: vault.Cold, Address: "0xabc", ProofDays: 90}
	_, err := h.SaveVault(ctx, v, 0)
	require.NoError(t, err)
	f, err := h.OpenDrill(ctx, "cold-eth", "0xabc")
	require.NoError(t, err)
	again, err := h.OpenDrill(ctx, "cold-eth", "0xabc")
	require.NoError(t, err)
	require.Equal(t, f, again, "one is open at a time")
	_, err = h.OpenDrill(ctx, "cold-eth", "0xdef")
	require.ErrorIs(t, err, treasury.ErrConflict)
	_, err = h.OpenDrill(ctx, "cold-none", "0xabc")
	require.Error(t, err)
	opened := h.now

	h.pass(time.Hour)
	keys := []string{"0x1"}
	prove := func(of string, _ *drill.File) ([]string, int, error) {
		require.Equal(t, "cold-eth", of)
		return keys, 2, nil
	}
	_, _, err = h.BringDrill(ctx, f.Encode(), prove)
	require.ErrorIs(t, err, treasury.ErrRefused)
	require.ErrorContains(t, err, "it takes 2")
	_, _, err = h.BringDrill(ctx, f.Encode(), func(string, *drill.File) ([]string, int, error) { return nil, 2, errors.New("not valid") })
	require.ErrorIs(t, err, treasury.ErrRefused)
	other := bytes.Replace(f.Encode(), []byte("vault: cold-eth"), []byte("vault: cold-btc"), 1)
	_, _, err = h.BringDrill(ctx, other, prove)
	require.ErrorIs(t, err, treasury.ErrRefused, "another text")
	made := f
	text, err := drill.Parse(f.Message)
	require.NoError(t, err)
	text.Nonce = strings.Repeat("0", 32)
	made.Message = text.Message()
	_, _, err = h.BringDrill(ctx, made.Encode(), prove)
	require.ErrorIs(t, err, treasury.ErrUnknown, "drawn by somebody else")
	_, _, err = h.BringDrill(ctx, []byte("{}"), prove)
	require.ErrorIs(t, err, treasury.ErrInvalid)
	proofs, err := h.Proofs(ctx, "cold-eth")
	require.NoError(t, err)
	require.Empty(t, proofs)

	keys = []string{"0x1", "0x2"}
	for range 2 {
		of, _, err := h.BringDrill(ctx, f.Encode(), prove)
		require.NoError(t, err)
		require.Equal(t, "cold-eth", of)
	}
	proofs, err = h.Proofs(ctx, "cold-eth")
	require.NoError(t, err)
	require.Len(t, proofs, 1)
	require.Equal(t, opened.Unix(), proofs[0].At)
	require.Equal(t, treasury.ProofDrill, proofs[0].Kind)
	next, err := h.OpenDrill(ctx, "cold-eth", "0xdef")
	require.NoError(t, err)
	require.NotEqual(t, f.Message, next.Message)
	h.pass(drill.Life)
	_, _, err = h.BringDrill(ctx, next.Encode(), prove)
	require.ErrorIs(t, err, treasury.ErrRefused, "too late")
}
