package desk_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"strongroom/treasury"
)

func TestWhatCosignersBring(t *testing.T) {
	t.Parallel()
	h := open(t)
	odd := errors.New("not the vault's")
	check := func(vault string, offered, brought []byte) error {
		if vault != "cold-btc" || string(offered) != "offer" || string(brought) == "odd" {
			return odd
		}
		return nil
	}
	require.ErrorIs(t, h.Bring(t.Context(), "rfl_1", []byte("one"), check), treasury.ErrUnknown, "nothing was offered")
	require.ErrorIs(t, h.Offer(t.Context(), "rfl_1", "", []byte("offer")), treasury.ErrInvalid)
	for range 2 {
		require.NoError(t, h.Offer(t.Context(), "rfl_1", "cold-btc", []byte("offer")))
	}
	require.ErrorIs(t, h.Offer(t.Context(), "rfl_1", "cold-btc", []byte("other")), treasury.ErrConflict)
	for _, copied := range []string{"one", "two", "one"} {
		require.NoError(t, h.Bring(t.Context(), "rfl_1", []byte(copied), check))
	}
	err := h.Bring(t.Context(), "rfl_1", []byte("odd"), check)
	require.ErrorIs(t, err, treasury.ErrRefused)
	require.ErrorIs(t, err, odd)
	require.ErrorIs(t, h.Bring(t.Context(), "rfl_1", nil, check), treasury.ErrInvalid)
	copies, err := h.Copies(t.Context(), "rfl_1")
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("one"), []byte("two")}, copies)
	vault, psbt, err := h.Offered(t.Context(), "rfl_1")
	require.NoError(t, err)
	require.Equal(t, "cold-btc", vault)
	require.Equal(t, "offer", string(psbt))
	_, err = h.pool.Exec(t.Context(), `UPDATE treasury.offer SET psbt = 'x'`)
	require.Error(t, err, "what was offered stays")
}
