package consent_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
)

// TestWalletsHashTheSame: what a wallet makes of the JSON is what is verified.
func TestWalletsHashTheSame(t *testing.T) {
	decision := &intent.Intent{
		Environment: environment, ID: "pol_1", Action: intent.Policy, Document: strings.Repeat("ab", 32),
		Requester: "ada", Policy: 3, Created: created, Expires: created + 3600,
	}
	cold := payment()
	cold.Action, cold.Vault, cold.Contract, cold.Genesis = intent.Refill, "cold-eth", "0x"+strings.Repeat("2", 40), strings.Repeat("9", 64)
	check := func(text []byte, want [32]byte) apitypes.TypedData {
		var data apitypes.TypedData
		require.NoError(t, json.Unmarshal(text, &data))
		hash, _, err := apitypes.TypedDataAndHash(data)
		require.NoError(t, err)
		assert.Equal(t, want[:], hash)
		return data
	}
	for _, i := range []*intent.Intent{payment(), decision, cold} {
		for _, a := range []consent.Approval{
			{Person: "cem", Verdict: consent.Approve, At: now.Unix()},
			{Person: "cem", Verdict: consent.Deny, At: now.Unix(), Reason: "“no” & <never>"},
		} {
			text, err := consent.TypedData(i, &a)
			require.NoError(t, err)
			want, err := consent.TypedHash(i, &a)
			require.NoError(t, err)
			data := check(text, want)
			assert.Equal(t, consent.Summary(i), data.Message["summary"])
			if i.Action == intent.Withdrawal {
				assert.Equal(t, int64(31337), (*big.Int)(data.Domain.ChainId).Int64())
			} else {
				assert.Equal(t, int64(1), (*big.Int)(data.Domain.ChainId).Int64())
			}
		}
	}
	assert.Equal(t, "withdrawal wdr_1: 5 base units of ETH on ethereum-dev to 0x52908400098527886E0F7030069857D2E4169EE7, "+
		"network fee at most 2; asked for by customer:zoe: rent", consent.Summary(payment()))
	f := consent.Freeze{Environment: environment, Person: "cem", At: now.Unix(), Reason: "lost"}
	text, err := f.TypedData()
	require.NoError(t, err)
	check(text, f.TypedHash())
}

// TestAWalletSignsInOneWay: the twin of its signature does not count.
func TestAWalletSignsInOneWay(t *testing.T) {
	h, i := open(t), payment()
	a := h.Keys["cem"][0].Approve(t, "cem", i, now.Unix())
	s := new(big.Int).SetBytes(a.Signature[32:64])
	new(big.Int).Sub(crypto.S256().Params().N, s).FillBytes(a.Signature[32:64])
	a.Signature[64] = 27 + 28 - a.Signature[64]
	_, err := h.Roster.Verify(i, &a)
	require.ErrorContains(t, err, "lower half")
}
