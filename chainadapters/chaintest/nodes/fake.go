package nodes

import (
	"fmt"
	"strings"
	"testing"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/fakechain"
	"strongroom/money"
)

// fakeNetwork is what the fake chain calls itself.
const fakeNetwork = "fakenet"

// Fake dresses a fake chain for the suite.
type Fake struct {
	chain   *fakechain.Chain
	adapter *fakechain.Adapter
	wallets uint32
}

// NewFake makes a fake chain of a family.
func NewFake(tb testing.TB, family chainadapters.Family) *Fake {
	tb.Helper()
	chain, err := fakechain.New(fakechain.Config{Family: family, Network: fakeNetwork})
	if err != nil {
		tb.Fatal(err)
	}
	return &Fake{chain: chain, adapter: chain.Adapter(chain.Identity())}
}

// Adapter implements chaintest.Harness.
func (h *Fake) Adapter() chainadapters.Adapter { return h.adapter }

// Identity implements chaintest.Harness.
func (h *Fake) Identity() chainadapters.Identity { return h.chain.Identity() }

// Token implements chaintest.Harness.
func (h *Fake) Token() string { return h.chain.Token() }

// Plenty implements chaintest.Harness.
func (h *Fake) Plenty() money.Units { return money.FromUint64(1e18) }

// Faulty implements chaintest.Harness.
func (h *Fake) Faulty(_ testing.TB, fault chaintest.Fault) chainadapters.Adapter {
	a := h.chain.Adapter(h.chain.Identity())
	a.Break(map[chaintest.Fault]fakechain.Fault{
		chaintest.Down: fakechain.Down, chaintest.Truncated: fakechain.Down, chaintest.WrongID: fakechain.Down,
		chaintest.Hang: fakechain.Timeout, chaintest.NullBlock: fakechain.NullBlock,
		chaintest.PartialBlock: fakechain.PartialBlock, chaintest.OtherBlock: fakechain.PartialBlock,
		chaintest.Lagging: fakechain.Lagging, chaintest.LostReply: fakechain.LostReply,
	}[fault])
	return a
}

// Foreign implements chaintest.Harness.
func (h *Fake) Foreign(testing.TB) []chainadapters.Adapter {
	id := h.chain.Identity()
	broken := h.chain.Adapter(id)
	broken.Break(fakechain.Foreign)
	return []chainadapters.Adapter{
		h.chain.Adapter(chainadapters.Identity{Network: "other", Genesis: id.Genesis}),
		h.chain.Adapter(chainadapters.Identity{Network: id.Network, Genesis: "other"}),
		broken,
	}
}

// Mine implements chaintest.Harness.
func (h *Fake) Mine(tb testing.TB, n int) {
	tb.Helper()
	if err := h.chain.Mine(n); err != nil {
		tb.Fatal(err)
	}
}

// Reorg implements chaintest.Harness.
func (h *Fake) Reorg(tb testing.TB, depth int) {
	tb.Helper()
	if err := h.chain.Reorg(depth); err != nil {
		tb.Fatal(err)
	}
}

// DropPool implements chaintest.Harness.
func (h *Fake) DropPool(testing.TB) { h.chain.DropPool() }

// Fund implements chaintest.Harness.
func (h *Fake) Fund(tb testing.TB, address string, units money.Units) string {
	tb.Helper()
	return h.FundMany(tb, []chainadapters.Payment{{To: address, Amount: units}})
}

// FundToken implements chaintest.Harness.
func (h *Fake) FundToken(tb testing.TB, address string, units money.Units) string {
	tb.Helper()
	return h.FundMany(tb, []chainadapters.Payment{{To: address, Contract: h.Token(), Amount: units}})
}

// FundMany implements chaintest.Harness.
func (h *Fake) FundMany(tb testing.TB, payments []chainadapters.Payment) string {
	tb.Helper()
	txid, err := h.chain.Pay(payments...)
	if err != nil {
		tb.Fatal(err)
	}
	return txid
}

// FundFailing implements chaintest.Harness.
func (h *Fake) FundFailing(tb testing.TB, units money.Units) (txid, to string) {
	tb.Helper()
	return h.Fund(tb, h.Token(), units), h.Token()
}

// NewWallet implements chaintest.Harness.
func (h *Fake) NewWallet(testing.TB) chaintest.Wallet {
	h.wallets++
	return chaintest.Wallet{
		Address: fakechain.Address(fakeNetwork, fmt.Sprintf("wallet %d", h.wallets)),
		Path:    chainadapters.KeyPath{Account: chainadapters.HotAccount, Index: h.wallets},
		Sign: func(_ testing.TB, unsigned []byte) []byte {
			raw, _ := fakechain.Sign(unsigned)
			return raw
		},
	}
}

// Addresses implements chaintest.Harness.
func (h *Fake) Addresses() chaintest.AddressCases {
	good := fakechain.Address(fakeNetwork, "somebody")
	xpub := fakechain.PublicKey("house")
	return chaintest.AddressCases{
		Valid: map[string]string{good: good},
		Invalid: []string{
			good[:len(good)-1], good + "0", strings.ToUpper(good), fakechain.Address("othernet", "somebody"),
			good[:len(good)-1] + string(good[len(good)-1]^1),
		},
		Derived: []chaintest.Derived{
			{XPub: xpub, Branch: 0, Index: 0, Address: fakechain.Address(fakeNetwork, "fakepubhouse/0/0")},
			{XPub: xpub, Branch: 1, Index: 7, Address: fakechain.Address(fakeNetwork, "fakepubhouse/1/7")},
		},
	}
}
