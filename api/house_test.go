package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strongroom/api"
	"strongroom/assets"
	"strongroom/custody"
	"strongroom/identity"
	"strongroom/identity/reqsign"
	"strongroom/internal/id"
	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/money"
)

const genesis = `{"assets":[
 {"code":"BTC","name":"Bitcoin","chain":"bitcoin-regtest","scale":8,"native":true,"minDeposit":"0.0001","minWithdrawal":"0.001",
  "withdrawalFee":"0.0002","tiers":[{"upTo":"1","creditDepth":1,"withdrawableDepth":3},{"creditDepth":3,"withdrawableDepth":6}],
  "finalDepth":3,"dailyLimit":"10","state":"listed"},
 {"code":"OLD","name":"Old coin","chain":"old-chain","scale":2,"native":true,"minDeposit":"1","minWithdrawal":"1",
  "withdrawalFee":"0","tiers":[{"creditDepth":2,"withdrawableDepth":4}],"finalDepth":4,"dailyLimit":"0","state":"suspended"}]}`

// vault is custody and the books in memory: one customer's Bitcoin balance, and
// withdrawals that are idempotent by key.
type vault struct {
	mu        sync.Mutex
	available money.Units
	taken     map[string]custody.Withdrawal // by customer and idempotency key
	hashes    map[string][32]byte
	byID      map[string]custody.Withdrawal
	deposits  []custody.Deposit
	events    []custody.Event
	broken    error // answered by everything
	created   int
}

func newVault() *vault {
	v := &vault{
		available: money.FromUint64(500_000_000), taken: map[string]custody.Withdrawal{},
		hashes: map[string][32]byte{}, byID: map[string]custody.Withdrawal{},
	}
	for i := range 5 {
		v.deposits = append(v.deposits, custody.Deposit{ID: id.New("dep"), Asset: "BTC", Amount: money.FromUint64(uint64(i + 1)), State: custody.DepositCredited})
	}
	return v
}

func (v *vault) CreateWithdrawal(_ context.Context, r custody.WithdrawalRequest) (custody.Withdrawal, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := r.Customer + "\n" + r.IdempotencyKey
	if w, ok := v.taken[key]; ok {
		if v.hashes[key] != r.RequestHash {
			return custody.Withdrawal{}, false, fmt.Errorf("create withdrawal: %w", custody.ErrIdempotency)
		}
		w.State, w.Version = custody.WithdrawalConfirming, 7 // it went on meanwhile
		return w, true, nil
	}
	switch {
	case v.broken != nil:
		return custody.Withdrawal{}, false, v.broken
	case r.Asset == "OLD":
		return custody.Withdrawal{}, false, fmt.Errorf("%w: withdrawals are suspended", custody.ErrAsset)
	case strings.HasPrefix(r.To, "twin") && !r.ConfirmDestination:
		return custody.Withdrawal{}, false, fmt.Errorf("%w: %w", custody.ErrDestination, custody.ErrLookAlike)
	case strings.HasPrefix(r.To, "bad"):
		return custody.Withdrawal{}, false, fmt.Errorf("%w: checksum", custody.ErrDestination)
	case r.Amount.Less(money.FromUint64(100_000)):
		return custody.Withdrawal{}, false, fmt.Errorf("%w: below the minimum", custody.ErrAmount)
	case v.available.Less(r.Amount):
		return custody.Withdrawal{}, false, custody.ErrInsufficient
	}
	v.available = v.available.SubFloor(r.Amount)
	v.created++
	w := custody.Withdrawal{
		ID: id.New("wdr"), Customer: r.Customer, Asset: r.Asset, Chain: "bitcoin-regtest", To: r.To, Amount: r.Amount,
		Fee: money.FromUint64(20_000), State: custody.WithdrawalHeld, Version: 1, CreatedAt: time.Unix(1_700_000_000, 0).UTC(),
	}
	v.taken[key], v.hashes[key], v.byID[w.ID] = w, r.RequestHash, w
	return w, false, nil
}

func (v *vault) CancelWithdrawal(ctx context.Context, customer, wdr string) (custody.Withdrawal, error) {
	w, err := v.Withdrawal(ctx, customer, wdr)
	if err != nil {
		return w, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if w.State != custody.WithdrawalHeld {
		return custody.Withdrawal{}, fmt.Errorf("cancel in %s: %w", w.State, custody.ErrIllegal)
	}
	w.State, w.Version = custody.WithdrawalCancelled, 2
	v.byID[wdr] = w
	return w, nil
}

func (v *vault) Withdrawal(_ context.Context, customer, wdr string) (custody.Withdrawal, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	w, ok := v.byID[wdr]
	if !ok || w.Customer != customer {
		return custody.Withdrawal{}, custody.ErrNotFound
	}
	return w, v.broken
}

func (v *vault) Withdrawals(_ context.Context, customer, cursor string, limit int) ([]custody.Withdrawal, string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []custody.Withdrawal
	for _, w := range v.byID {
		if w.Customer == customer && w.ID > cursor && len(list) < limit {
			list = append(list, w)
		}
	}
	return list, "", v.broken
}

func (v *vault) Deposit(_ context.Context, _, dep string) (custody.Deposit, error) {
	for _, d := range v.deposits {
		if d.ID == dep {
			return d, v.broken
		}
	}
	return custody.Deposit{}, custody.ErrNotFound
}

func (v *vault) Deposits(_ context.Context, _, cursor string, limit int) ([]custody.Deposit, string, error) {
	if v.broken != nil {
		return nil, "", v.broken
	}
	var list []custody.Deposit
	for _, d := range v.deposits {
		if d.ID > cursor && len(list) < limit {
			list = append(list, d)
		}
	}
	if len(list) == limit && len(list) > 0 {
		return list, list[len(list)-1].ID, nil
	}
	return list, "", nil
}

func (v *vault) DepositAddress(_ context.Context, customer, asset string) (custody.DepositAddress, error) {
	return custody.DepositAddress{Asset: asset, Chain: "bitcoin-regtest", Address: "addr-of-" + customer}, v.broken
}

func (v *vault) Events(_ context.Context, _ string, after uint64, limit int) ([]custody.Event, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []custody.Event
	for _, e := range v.events {
		if e.Seq > after && len(list) < limit {
			list = append(list, e)
		}
	}
	return list, v.broken
}

func (v *vault) tell(kind string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	seq := uint64(len(v.events) + 1)
	v.events = append(v.events, custody.Event{Seq: seq, Kind: kind, Subject: "dep_x", Data: []byte(`{"n":1}`)})
}

func (v *vault) Balances(context.Context, string) ([]api.Balance, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return []api.Balance{{Asset: "BTC", Available: v.available}}, v.broken
}

func (v *vault) Entries(_ context.Context, q api.EntryQuery) ([]api.Entry, string, error) {
	return []api.Entry{{ID: "dep/x/credit/1", Direction: "credit", Kind: "single", Amount: money.FromUint64(uint64(len(q.Account)))}}, "", v.broken
}

func (v *vault) Chains(context.Context) ([]api.ChainHealth, error) {
	return []api.ChainHealth{{Chain: "bitcoin-regtest", Height: 9}, {Chain: "old-chain", Halted: true, Reason: "node is on another network"}}, v.broken
}

// house is a server on a real socket, real identity and assets, and a vault.
type house struct {
	*vault
	t            *testing.T
	url          string
	cfg          api.Config
	server       *api.Server
	ids          *identity.Store
	customer     identity.Customer
	admin, alice reqsign.Credential
	clock        atomic.Int64 // nanoseconds added to the real time
	gate         atomic.Pointer[error]
	nonce        atomic.Int64
	log          syncBuffer
	floor        *floor
}

func open(t *testing.T, changes ...func(*api.Config)) *house {
	t.Helper()
	h := &house{vault: newVault(), t: t, floor: newFloor(t)}
	pool, err := pg.Open(t.Context(), testenv.Postgres(t, identity.Migrations(), assets.Migrations()))
	must(t, err)
	t.Cleanup(pool.Close)
	now := func() time.Time { return realNow().Add(time.Duration(h.clock.Load())) }
	sealer, err := identity.NewSealer(make([]byte, 32))
	must(t, err)
	h.ids, err = identity.New(identity.Config{Pool: pool, Sealer: sealer, Clock: now})
	must(t, err)
	registry, err := assets.New(assets.Config{Pool: pool, Clock: now})
	must(t, err)
	list, err := assets.Parse([]byte(genesis))
	must(t, err)
	must(t, registry.Load(t.Context(), list))
	cfg := api.Config{
		Auth: h.ids, Customers: h.ids, Freezer: h.ids, Keys: h.ids, Assets: registry, Books: h.vault, Addresses: h.vault,
		Deposits: h.vault, Withdrawals: h.vault, WithdrawalLog: h.vault, Events: h.vault, Chains: h.vault,
		Gate: api.GateFunc(h.checkGate), Ready: map[string]api.Gate{"engine": api.GateFunc(h.checkGate)},
		CursorKey: []byte("0123456789abcdef"), PerKey: api.Rate{PerSecond: 1e5, Burst: 1e5}, PerIP: api.Rate{PerSecond: 1e5, Burst: 1e5},
		Trading:   &api.Trading{Orders: h.floor, Log: history{h.floor}, Data: h.floor, Transfers: purse{h.floor}, Endings: purse{h.floor}, Catalog: h.floor},
		EventPoll: 5 * time.Millisecond, Log: slog.New(slog.NewJSONHandler(&h.log, nil)), Clock: now, Metrics: prometheus.NewRegistry(),
	}
	for _, change := range changes {
		change(&cfg)
	}
	h.cfg = cfg
	h.server, err = api.New(cfg)
	must(t, err)
	socket := httptest.NewServer(h.server.Handler())
	t.Cleanup(socket.Close)
	h.url = socket.URL
	h.admin, err = h.ids.BootstrapOperator(t.Context(), filepath.Join(t.TempDir(), "admin.json"))
	must(t, err)
	h.customer, _, err = h.ids.CreateCustomer(t.Context(), "Alice", "alice")
	must(t, err)
	h.alice = h.key(identity.Read, identity.Withdraw)
	return h
}

// realNow is the clock of these tests before they move it.
func realNow() time.Time { return time.Now() } //nolint:forbidigo // the one place that binds the real clock

func (h *house) checkGate(context.Context) error {
	if err := h.gate.Load(); err != nil {
		return *err
	}
	return nil
}

func (h *house) key(scopes ...identity.Scope) reqsign.Credential {
	h.t.Helper()
	_, cred, err := h.ids.CreateKey(h.t.Context(), identity.NewKey{Customer: h.customer.ID, Scheme: reqsign.HMAC, Scopes: scopes})
	must(h.t, err)
	return cred
}

// syncBuffer is a log that a test reads while the server writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) problem(t *testing.T) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(a.body, &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("not a problem: %d %s %q (%v)", a.status, a.header.Get("Content-Type"), a.body, err)
	}
	if p.Status != a.status || p.Type == "" || p.Title == "" || p.Detail == "" || p.Instance != a.header.Get("X-Request-Id") {
		t.Errorf("problem lacks a member or contradicts its answer: %+v", p)
	}
	return p
}

// request signs and returns a request; call sends it.
func (h *house) request(cred reqsign.Credential, method, path, body string, headers ...string) *http.Request {
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if cred.Key != "" {
		now := realNow().Add(time.Duration(h.clock.Load()))
		if err := cred.SignHTTP(req, []byte(body), now, fmt.Sprintf("nonce-%08d", h.nonce.Add(1))); err != nil {
			h.t.Fatal(err)
		}
	}
	return req
}

func (h *house) send(req *http.Request) answer {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Error(err)
		return answer{}
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Error(err)
	}
	return answer{res.StatusCode, res.Header, body}
}

func (h *house) call(cred reqsign.Credential, method, path, body string, headers ...string) answer {
	return h.send(h.request(cred, method, path, body, headers...))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
