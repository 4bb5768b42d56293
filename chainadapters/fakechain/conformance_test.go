package fakechain_test

import (
	"fmt"
	"strings"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/fakechain"
	"strongroom/money"
)

const network = "fakenet"

func TestConformanceAccount(t *testing.T) { chaintest.Run(t, newHarness(t, chainadapters.Account)) }

func TestConformanceUTXO(t *testing.T) { chaintest.Run(t, newHarness(t, chainadapters.UTXO)) }

// harness dresses a fake chain for the suite.
type harness struct {
	chain   *fakechain.Chain
	adapter *fakechain.Adapter
	wallets uint32
}

func newHarness(t *testing.T, family chainadapters.Family) *harness {
	t.Helper()
	chain, err := fakechain.New(fakechain.Config{Family: family, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	return &harness{chain: chain, adapter: chain.Adapter(chain.Identity())}
}

func (h *harness) Adapter() chainadapters.Adapter   { return h.adapter }
func (h *harness) Identity() chainadapters.Identity { return h.chain.Identity() }
func (h *harness) Token() string                    { return h.chain.Token() }
func (h *harness) Plenty() money.Units              { return money.FromUint64(1e18) }

func (h *harness) Faulty(_ testing.TB, fault chaintest.Fault) chainadapters.Adapter {
	a := h.chain.Adapter(h.chain.Identity())
	a.Break(map[chaintest.Fault]fakechain.Fault{
		chaintest.Down: fakechain.Down, chaintest.Truncated: fakechain.Down, chaintest.WrongID: fakechain.Down,
		chaintest.Hang: fakechain.Timeout, chaintest.NullBlock: fakechain.NullBlock,
		chaintest.PartialBlock: fakechain.PartialBlock, chaintest.OtherBlock: fakechain.PartialBlock,
		chaintest.Lagging: fakechain.Lagging, chaintest.LostReply: fakechain.LostReply,
	}[fault])
	return a
}

func (h *harness) Foreign(testing.TB) []chainadapters.Adapter {
	id := h.chain.Identity()
	broken := h.chain.Adapter(id)
	broken.Break(fakechain.Foreign)
	return []chainadapters.Adapter{
		h.chain.Adapter(chainadapters.Identity{Network: "other", Genesis: id.Genesis}),
		h.chain.Adapter(chainadapters.Identity{Network: id.Network, Genesis: "other"}),
		broken,
	}
}

func (h *harness) Mine(tb testing.TB, n int) {
	tb.Helper()
	if err := h.chain.Mine(n); err != nil {
		tb.Fatal(err)
	}
}

func (h *harness) Reorg(tb testing.TB, depth int) {
	tb.Helper()
	if err := h.chain.Reorg(depth); err != nil {
		tb.Fatal(err)
	}
}

func (h *harness) DropPool(testing.TB) { h.chain.DropPool() }

func (h *harness) Fund(tb testing.TB, address string, units money.Units) string {
	tb.Helper()
	return h.FundMany(tb, []chainadapters.Payment{{To: address, Amount: units}})
}

func (h *harness) FundToken(tb testing.TB, address string, units money.Units) string {
	tb.Helper()
	return h.FundMany(tb, []chainadapters.Payment{{To: address, Contract: h.Token(), Amount: units}})
}

func (h *harness) FundMany(tb testing.TB, payments []chainadapters.Payment) string {
	tb.Helper()
	txid, err := h.chain.Pay(payments...)
	if err != nil {
		tb.Fatal(err)
	}
	return txid
}

func (h *harness) FundFailing(tb testing.TB, units money.Units) (txid, to string) {
	tb.Helper()
	return h.Fund(tb, h.Token(), units), h.Token()
}

func (h *harness) NewWallet(testing.TB) chaintest.Wallet {
	h.wallets++
	return chaintest.Wallet{
		Address: fakechain.Address(network, fmt.Sprintf("wallet %d", h.wallets)),
		Path:    chainadapters.KeyPath{Account: chainadapters.HotAccount, Index: h.wallets},
		Sign: func(_ testing.TB, unsigned []byte) []byte {
			raw, _ := fakechain.Sign(unsigned)
			return raw
		},
	}
}

func (h *harness) Addresses() chaintest.AddressCases {
	good := fakechain.Address(network, "somebody")
	xpub := fakechain.PublicKey("house")
	return chaintest.AddressCases{
		Valid: map[string]string{good: good},
		Invalid: []string{
			good[:len(good)-1], good + "0", strings.ToUpper(good), fakechain.Address("othernet", "somebody"),
			good[:len(good)-1] + string(good[len(good)-1]^1),
		},
		Derived: []chaintest.Derived{
			{XPub: xpub, Branch: 0, Index: 0, Address: fakechain.Address(network, "fakepubhouse/0/0")},
			{XPub: xpub, Branch: 1, Index: 7, Address: fakechain.Address(network, "fakepubhouse/1/7")},
		},
	}
}
