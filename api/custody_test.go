package api_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"strongroom/api"
	"strongroom/chainadapters"
	"strongroom/chainadapters/fakechain"
	"strongroom/custody"
	"strongroom/custody/custodydb"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/ledger"
	"strongroom/money"
)

// oneAsset is custody's view of a registry with Bitcoin in it.
type oneAsset struct{}

func (oneAsset) info() custody.AssetInfo {
	return custody.AssetInfo{
		Asset: money.Asset{Code: "BTC", Scale: 8}, Chain: "bitcoin-regtest", Native: "BTC",
		MinDeposit: money.FromUint64(10_000), MinWithdrawal: money.FromUint64(100_000), WithdrawalFee: money.FromUint64(20_000),
		Tiers: []custody.Tier{{CreditDepth: 1, WithdrawDepth: 3}}, FinalDepth: 3, State: custody.AssetListed,
	}
}

func (a oneAsset) AssetByCode(code string) (custody.AssetInfo, bool) { return a.info(), code == "BTC" }

func (a oneAsset) AssetsOf(chainadapters.ChainID) []custody.AssetInfo {
	return []custody.AssetInfo{a.info()}
}

// realBooks puts the server on the real ledger and the real custody, and gives
// Alice half a Bitcoin.
func realBooks(t *testing.T) (h *house, outside string, pool *pgxpool.Pool) {
	t.Helper()
	ctx := t.Context()
	pool, err := pg.Open(ctx, testenv.Postgres(t, ledger.Migrations(), custodydb.Migrations()))
	must(t, err)
	t.Cleanup(pool.Close)
	book, err := ledger.New(ledger.Config{Pool: pool, Clock: realNow})
	must(t, err)
	t.Cleanup(func() { must(t, book.Close(context.Background())) })
	chain, err := fakechain.New(fakechain.Config{Family: chainadapters.UTXO, Network: "fakebtc"})
	must(t, err)
	adapter := chain.Adapter(chain.Identity())
	store, err := custodydb.New(custodydb.Config{
		Pool: pool, Ledger: book, Assets: oneAsset{}, Environment: "test", Clock: realNow,
		Adapters: map[chainadapters.ChainID]chainadapters.Adapter{"bitcoin-regtest": adapter},
		XPubs:    map[chainadapters.ChainID]custodydb.XPubs{"bitcoin-regtest": {Deposit: fakechain.PublicKey("deposit"), Hot: fakechain.PublicKey("hot")}},
	})
	must(t, err)
	h = open(t, func(c *api.Config) {
		c.Books, c.Addresses, c.Deposits, c.Withdrawals = api.LedgerBooks{Ledger: book}, store, store, store
		c.WithdrawalLog, c.Events = store, store
	})
	outside, err = adapter.DeriveAddress(fakechain.PublicKey("somebody"), 0, 1)
	must(t, err)
	must(t, store.OpenAccounts(ctx, h.customer.ID, oneAsset{}.info()))
	house := []ledger.Account{{ID: custody.DepositsAccount("bitcoin-regtest", "BTC"), Asset: "BTC", Class: ledger.Asset}}
	must(t, book.Open(ctx, house...))
	must(t, book.Attest(ctx, ledger.Attestation{Asset: "BTC", Source: "chain/bitcoin-regtest", Amount: money.FromUint64(50_000_000), Evidence: "test"}))
	_, err = book.Post(ctx, ledger.Transaction{ID: "seed", Legs: []ledger.Transfer{{
		ID: "seed/1", Kind: ledger.Single, Debit: house[0].ID, Credit: custody.FundingAccount(h.customer.ID, "BTC"), Amount: money.FromUint64(50_000_000),
	}}})
	must(t, err)
	return h, outside, pool
}

// TestParallelWithdrawalsOfTheWholeBalance: with real custody and ledger behind
// it, one of 200 succeeds, and what fails leaves nothing.
func TestParallelWithdrawalsOfTheWholeBalance(t *testing.T) {
	h, outside, pool := realBooks(t)
	statuses := map[int]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			a := h.call(h.alice, "POST", "/v1/withdrawals", `{"asset":"BTC","to":"`+outside+`","amount":"0.4998"}`, "Idempotency-Key", "whole-"+itoa(i))
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
			if a.status != 201 && !strings.Contains(string(a.body), "insufficient-funds") {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	var rows, keys int
	must(t, pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM custody.withdrawal), (SELECT count(*) FROM ledger.transfer WHERE id LIKE 'wdr/%')`).Scan(&rows, &keys))
	if statuses[201] != 1 || statuses[422] != 199 || rows != 1 {
		t.Errorf("answers %v, %d withdrawals", statuses, rows)
	}
	a := h.call(h.alice, "GET", "/v1/balances", "")
	if !strings.Contains(string(a.body), `"available":"0","held":"0.5"`) {
		t.Errorf("balances: %s", a.body)
	}
}

// TestSameRequestOnRealCustody: 100 times at once with one key has one effect and
// one answer, also after the withdrawal went on.
func TestSameRequestOnRealCustody(t *testing.T) {
	h, outside, _ := realBooks(t)
	body := `{"asset":"BTC","to":"` + outside + `","amount":"0.01"}`
	answers := make([]answer, 100)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = h.call(h.alice, "POST", "/v1/withdrawals", body, "Idempotency-Key", "same") })
	}
	wg.Wait()
	for _, a := range answers {
		if a.status != 201 || string(a.body) != string(answers[0].body) {
			t.Fatalf("%d %s beside %s", a.status, a.body, answers[0].body)
		}
	}
	var w api.Withdrawal
	must(t, json.Unmarshal(answers[0].body, &w))
	if a := h.call(h.alice, "GET", "/v1/balances", ""); !strings.Contains(string(a.body), `"available":"0.4898","held":"0.0102"`) {
		t.Errorf("balances: %s", a.body)
	}
	if a := h.call(h.alice, "POST", "/v1/withdrawals/"+w.ID+"/cancel", ""); a.status != 200 {
		t.Fatalf("cancel: %d %s", a.status, a.body)
	}
	if a := h.call(h.alice, "POST", "/v1/withdrawals", body, "Idempotency-Key", "same"); a.status != 201 || string(a.body) != string(answers[0].body) {
		t.Errorf("after the cancel: %d %s", a.status, a.body)
	}
	if a := h.call(h.alice, "GET", "/v1/balances", ""); !strings.Contains(string(a.body), `"available":"0.5","held":"0"`) {
		t.Errorf("balances after the cancel: %s", a.body)
	}
	a := h.call(h.alice, "GET", "/v1/ledger/entries?asset=BTC&limit=2", "")
	var page struct {
		Items      []api.LedgerEntry `json:"items"`
		NextCursor string            `json:"nextCursor"`
	}
	must(t, json.Unmarshal(a.body, &page))
	if len(page.Items) != 2 || page.Items[0].Kind != "void" || page.NextCursor == "" || page.Items[0].BookedAt.Before(time.Unix(1_700_000_000, 0)) {
		t.Errorf("bookings: %s", a.body)
	}
	if a := h.call(h.alice, "GET", "/v1/ledger/entries?asset=BTC&limit=2&cursor="+page.NextCursor, ""); a.status != 200 {
		t.Errorf("second page: %d %s", a.status, a.body)
	}
	next, end := h.follow(t, "")
	defer end()
	if e := next(); e["event"] != "withdrawal.held" || !strings.Contains(e["data"], w.ID) {
		t.Errorf("first event: %v", e)
	}
	if p := h.call(h.alice, "POST", "/v1/withdrawals", strings.Replace(body, outside, "nonsense", 1), "Idempotency-Key", "n").problem(t); p.Errors[0].Location != "body.to" {
		t.Errorf("bad address: %+v", p)
	}
	if a := h.call(h.alice, "POST", "/v1/deposit-addresses", `{"asset":"BTC"}`); a.status != 200 {
		t.Errorf("address: %d %s", a.status, a.body)
	} else {
		var d api.DepositAddress
		must(t, json.Unmarshal(a.body, &d))
		if p := h.call(h.alice, "POST", "/v1/withdrawals", strings.Replace(body, outside, d.Address, 1), "Idempotency-Key", "o").problem(t); p.Errors[0].Location != "body.to" {
			t.Errorf("our own address: %+v", p)
		}
	}
}
