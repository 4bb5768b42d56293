package quorum_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/chainadapters/chaintest"
	"strongroom/chainadapters/fakechain"
	"strongroom/chainadapters/quorum"
	"strongroom/money"
)

const network = "fakenet"

func TestConformanceAccount(t *testing.T) { chaintest.Run(t, newHarness(t, chainadapters.Account)) }

func TestConformanceUTXO(t *testing.T) { chaintest.Run(t, newHarness(t, chainadapters.UTXO)) }

// over returns a quorum of the given adapters.
func over(tb testing.TB, policy chainadapters.NodePolicy, adapters ...chainadapters.Adapter) *quorum.Adapter {
	tb.Helper()
	cfg := quorum.Config{
		Chain: "fake", Policy: policy, Timeout: 5 * time.Second, Grace: time.Second, Log: slog.New(slog.DiscardHandler),
	}
	for i, a := range adapters {
		cfg.Nodes = append(cfg.Nodes, quorum.Node{Name: fmt.Sprintf("node%d", i), Adapter: a})
	}
	q, err := quorum.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(q.Wait)
	return q
}

// size is how many nodes the suite's quorum has.
const size = 3

// harness dresses a quorum of fakes of one chain for the suite. A fault is that of
// all nodes: what one of them does is out-voted.
type harness struct {
	chain   *fakechain.Chain
	adapter *quorum.Adapter
	wallets uint32
}

func newHarness(t *testing.T, family chainadapters.Family) *harness {
	t.Helper()
	chain, err := fakechain.New(fakechain.Config{Family: family, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{chain: chain}
	h.adapter = h.quorum(t, chain.Identity(), fakechain.None)
	return h
}

func (h *harness) quorum(tb testing.TB, is chainadapters.Identity, fault fakechain.Fault) *quorum.Adapter {
	tb.Helper()
	var nodes []chainadapters.Adapter
	for range size {
		a := h.chain.Adapter(is)
		a.Break(fault)
		nodes = append(nodes, a)
	}
	return over(tb, chainadapters.NodePolicy{}, nodes...)
}

func (h *harness) Adapter() chainadapters.Adapter   { return h.adapter }
func (h *harness) Identity() chainadapters.Identity { return h.chain.Identity() }
func (h *harness) Token() string                    { return h.chain.Token() }
func (h *harness) Plenty() money.Units              { return money.FromUint64(1e18) }

func (h *harness) Faulty(tb testing.TB, fault chaintest.Fault) chainadapters.Adapter {
	tb.Helper()
	return h.quorum(tb, h.chain.Identity(), map[chaintest.Fault]fakechain.Fault{
		chaintest.Down: fakechain.Down, chaintest.Truncated: fakechain.Down, chaintest.WrongID: fakechain.Down,
		chaintest.Hang: fakechain.Timeout, chaintest.NullBlock: fakechain.NullBlock,
		chaintest.PartialBlock: fakechain.PartialBlock, chaintest.OtherBlock: fakechain.PartialBlock,
		chaintest.Lagging: fakechain.Lagging, chaintest.LostReply: fakechain.LostReply,
	}[fault])
}

func (h *harness) Foreign(tb testing.TB) []chainadapters.Adapter {
	tb.Helper()
	is := h.chain.Identity()
	return []chainadapters.Adapter{
		h.quorum(tb, chainadapters.Identity{Network: "other", Genesis: is.Genesis}, fakechain.None),
		h.quorum(tb, chainadapters.Identity{Network: is.Network, Genesis: "other"}, fakechain.None),
		h.quorum(tb, is, fakechain.Foreign),
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
		Valid:   map[string]string{good: good},
		Invalid: []string{good[:len(good)-1], good + "0", strings.ToUpper(good), fakechain.Address("othernet", "somebody")},
		Derived: []chaintest.Derived{{XPub: xpub, Branch: 0, Index: 0, Address: fakechain.Address(network, "fakepubhouse/0/0")}},
	}
}
