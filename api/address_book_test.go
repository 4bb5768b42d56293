package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/api"
	"strongroom/internal/id"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
)

// bookHouse keeps address books in memory by the rules of package addressbook.
type bookHouse struct {
	mu      sync.Mutex
	now     time.Time
	entries []treasury.EntryRow
	asked   []treasury.Candidate
}

func (b *bookHouse) around() (s addressbook.Surroundings) {
	for _, e := range b.entries {
		s.Book = append(s.Book, e.Entry)
	}
	s.Own = []string{"ownaddress"}
	return s
}

func (b *bookHouse) ProposeAddress(_ context.Context, c treasury.Candidate) (treasury.EntryRow, treasury.Request, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, err := addressbook.Propose(addressbook.Entry{ID: id.New("adr"), Owner: c.Owner, Chain: c.Chain, Address: c.Address, Label: c.Label}, b.around(),
		addressbook.Terms{Wait: time.Hour, AlikeWait: 2 * time.Hour}, b.now)
	if err != nil {
		return treasury.EntryRow{}, treasury.Request{}, fmt.Errorf("propose: %w", err)
	}
	b.asked = append(b.asked, c)
	b.entries = append(b.entries, treasury.EntryRow{Entry: e})
	return treasury.EntryRow{Entry: e}, treasury.Request{}, nil
}

func (b *bookHouse) RemoveAddress(_ context.Context, entry, _, reason string) (treasury.EntryRow, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.IndexFunc(b.entries, func(e treasury.EntryRow) bool { return e.ID == entry })
	removed, err := b.entries[at].Remove(reason, b.now)
	if err != nil {
		return treasury.EntryRow{}, fmt.Errorf("remove: %w", err)
	}
	b.entries[at].Entry = removed
	return b.entries[at], nil
}

func (b *bookHouse) Addresses(_ context.Context, owner string) ([]treasury.EntryRow, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []treasury.EntryRow
	for _, e := range slices.Backward(b.entries) {
		if e.Owner == owner {
			e.State = e.At(b.now)
			list = append(list, e)
		}
	}
	return list, nil
}

func withBook(b *bookHouse) func(*api.Config) {
	return func(c *api.Config) {
		c.Allowed = &api.Allowed{Book: b, Canonical: func(chain, address string) (string, error) {
			if chain != "bitcoin-regtest" || strings.HasPrefix(address, "bad") {
				return "", errors.New("the checksum is wrong")
			}
			return strings.ToLower(address), nil
		}}
	}
}

// says reports whether a member of an answer has a value.
func says(a answer, member, want string) bool {
	var body map[string]any
	return json.Unmarshal(a.body, &body) == nil && body[member] == want
}

func TestCustomersAllowAddresses(t *testing.T) {
	b := &bookHouse{now: time.Unix(1_700_000_000, 0)}
	h := open(t, withBook(b))
	ask := func(address, label string) answer {
		return h.call(h.alice, "POST", "/v1/address-book", fmt.Sprintf(`{"chain":"bitcoin-regtest","address":%q,"label":%q}`, address, label))
	}
	made := ask("ABCD-first-WXYZ", "exchange")
	if made.status != http.StatusCreated || !says(made, "state", "proposed") || !says(made, "address", "abcd-first-wxyz") {
		t.Fatalf("%d %s", made.status, made.body)
	}
	if c := b.asked[0]; c.Owner != "customer:"+h.customer.ID || c.Requester != c.Owner {
		t.Errorf("asked by %+v", c)
	}
	for name, tc := range map[string]struct {
		address, label, code string
		status               int
	}{
		"the same again":        {"abcd-first-wxyz", "exchange", "conflict", http.StatusConflict},
		"with a wrong checksum": {"bad", "x", "destination-not-allowed", http.StatusUnprocessableEntity},
		"of the house":          {"ownaddress", "x", "destination-not-allowed", http.StatusUnprocessableEntity},
		"without a label":       {"efgh-second", "", "invalid-request", http.StatusUnprocessableEntity},
	} {
		if a := ask(tc.address, tc.label); a.status != tc.status || !says(a, "type", "urn:strongroom:problem:"+tc.code) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	entry := &b.entries[0]
	approved, err := entry.Approve(b.around(), b.now)
	must(t, err)
	entry.Entry = approved
	list := h.call(h.alice, "GET", "/v1/address-book", "")
	if !strings.Contains(string(list.body), `"state":"cooling"`) || !strings.Contains(string(list.body), `"activeFrom":"2023-11-14T23:13:20Z"`) {
		t.Errorf("%s", list.body)
	}
	b.now = b.now.Add(2 * time.Hour)
	if a := ask("abcd-twin-wxyz", "twin"); !strings.Contains(string(a.body), `"alike":["abcd-first-wxyz"]`) {
		t.Errorf("it resembles the other: %s", a.body)
	}
	if a := h.call(h.alice, "DELETE", "/v1/address-book/adr_00000000000000000000000000000000", ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
	for range 2 { // again is no error
		if a := h.call(h.alice, "DELETE", "/v1/address-book/"+entry.ID, ""); a.status != http.StatusOK || !says(a, "state", "removed") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	for n := range 9 {
		ask(fmt.Sprintf("%dnother-%d", n, n), "more")
	}
	if a := ask("one-too-many", "more"); a.status == http.StatusCreated || !strings.Contains(string(a.body), "10 addresses of yours wait") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAnotherCustomersEntryIsNotThere(t *testing.T) {
	b := &bookHouse{now: time.Unix(1_700_000_000, 0)}
	h := open(t, withBook(b))
	_, _, err := b.ProposeAddress(t.Context(), treasury.Candidate{Owner: addressbook.Customer("cus_other"), Chain: "bitcoin-regtest", Address: "abcd-first-wxyz", Label: "x"})
	must(t, err)
	if a := h.call(h.alice, "DELETE", "/v1/address-book/"+b.entries[0].ID, ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := h.call(h.alice, "GET", "/v1/address-book", ""); string(a.body) != "{\"items\":[]}\n" && !strings.Contains(string(a.body), `"items":[]`) {
		t.Errorf("%s", a.body)
	}
	without := open(t)
	if a := without.call(without.alice, "GET", "/v1/address-book", ""); a.status != http.StatusNotFound {
		t.Errorf("without a treasury: %d %s", a.status, a.body)
	}
}
