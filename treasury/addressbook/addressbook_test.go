package addressbook_test

import (
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"strongroom/treasury/addressbook"
)

const (
	known  = "0xAbCd000000000000000000000000000000001234"
	forged = "0xabcd111111111111111111111111111111111234"
	other  = "0x1111000000000000000000000000000000002222"
	ada    = "customer:ada"
)

func now() time.Time { return time.Date(2030, 5, 6, 12, 0, 0, 0, time.UTC) }

func terms() addressbook.Terms {
	return addressbook.Terms{Wait: 24 * time.Hour, AlikeWait: 72 * time.Hour}
}

func want(owner, address string) addressbook.Entry {
	return addressbook.Entry{ID: "e1", Owner: owner, Chain: "eth", Address: address, Label: "Zoë's exchange"}
}

func propose(t *testing.T, e addressbook.Entry, s addressbook.Surroundings) addressbook.Entry {
	t.Helper()
	e, err := addressbook.Propose(e, s, terms(), now())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAnEntryCoolsDown(t *testing.T) {
	var none addressbook.Surroundings
	e := propose(t, want(ada, known), none)
	if e.State != addressbook.Proposed || len(e.Alike) > 0 {
		t.Fatalf("%+v", e)
	}
	approved := now().Add(5 * time.Hour)
	e, err := e.Approve(none, approved)
	if err != nil || e.State != addressbook.Cooling {
		t.Fatal(e, err)
	}
	from := approved.Add(24 * time.Hour)
	if e.ActiveFrom != from.Unix() || e.At(from.Add(-time.Second)) != addressbook.Cooling || e.At(from) != addressbook.Active {
		t.Errorf("%+v", e)
	}
	none.Book = []addressbook.Entry{e}
	for at, class := range map[time.Time]addressbook.Class{from.Add(-time.Second): addressbook.New, from: addressbook.Allowlisted} {
		if is := addressbook.Classify(ada, "eth", known, none, at); is.Class != class || is.Entry != "e1" {
			t.Errorf("at %s: %+v", at, is)
		}
	}
	if _, err := e.Approve(none, from); !errors.Is(err, addressbook.ErrState) {
		t.Error("approved twice:", err)
	}
	if _, err := e.Deny("not mine", from); !errors.Is(err, addressbook.ErrState) {
		t.Error("denied while active:", err)
	}
	gone, err := e.Remove("closed", from)
	if err != nil || gone.At(from.Add(1000*time.Hour)) != addressbook.Removed {
		t.Fatal(gone, err)
	}
	none.Book = []addressbook.Entry{gone}
	if is := addressbook.Classify(ada, "eth", known, none, from); is.Class != addressbook.New || is.Entry != "" {
		t.Errorf("removed: %+v", is)
	}
	if _, err := gone.Remove("again", from); !errors.Is(err, addressbook.ErrState) {
		t.Error("removed twice:", err)
	}
	second := want(ada, known)
	second.ID = "e2"
	if second = propose(t, second, none); second.State != addressbook.Proposed {
		t.Errorf("again: %+v", second)
	}
}

func TestDeny(t *testing.T) {
	var none addressbook.Surroundings
	e := propose(t, want(addressbook.House, known), none)
	cooling, err := e.Approve(none, now())
	if err != nil {
		t.Fatal(err)
	}
	for _, live := range []addressbook.Entry{e, cooling} {
		if _, err := live.Deny("", now()); !errors.Is(err, addressbook.ErrInvalid) {
			t.Error("without a reason:", err)
		}
		denied, err := live.Deny("nobody asked for it", now())
		if err != nil || denied.At(now().Add(1000*time.Hour)) != addressbook.Denied || denied.Reason == "" {
			t.Errorf("%+v, %v", denied, err)
		}
		if _, err := denied.Approve(none, now()); !errors.Is(err, addressbook.ErrState) {
			t.Error("approved after it was denied:", err)
		}
	}
}

// TestLookAlikes: what resembles a known address is named and waits longer, wherever
// that address is known from.
func TestLookAlikes(t *testing.T) {
	active := addressbook.Entry{
		ID: "e0", Owner: addressbook.House, Chain: "eth", Address: known, Label: "x", Wait: 1,
		State: addressbook.Cooling, ApprovedAt: 1, ActiveFrom: 2,
	}
	removed, err := active.Remove("old", now())
	if err != nil {
		t.Fatal(err)
	}
	early := active
	early.ActiveFrom = now().Unix() + 1
	never, err := early.Remove("a mistake", now())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := active
	elsewhere.Chain = "other"
	for name, c := range map[string]struct {
		s     addressbook.Surroundings
		alike bool
	}{
		"nothing is known":        {addressbook.Surroundings{}, false},
		"a vault":                 {addressbook.Surroundings{Own: []string{other, known}}, true},
		"one that was paid":       {addressbook.Surroundings{Known: []string{known, known}}, true},
		"itself":                  {addressbook.Surroundings{Known: []string{forged}}, false},
		"an entry":                {addressbook.Surroundings{Book: []addressbook.Entry{active}}, true},
		"one that was":            {addressbook.Surroundings{Book: []addressbook.Entry{removed}}, true},
		"one that cools down yet": {addressbook.Surroundings{Book: []addressbook.Entry{early}}, false},
		"one that never was":      {addressbook.Surroundings{Book: []addressbook.Entry{never}}, false},
		"one of another chain":    {addressbook.Surroundings{Book: []addressbook.Entry{elsewhere}}, false},
	} {
		e := propose(t, want(ada, forged), c.s)
		wait, alike := terms().Wait, []string(nil)
		if c.alike {
			wait, alike = terms().AlikeWait, []string{known}
		}
		if !slices.Equal(e.Alike, alike) || e.Wait != int64(wait/time.Second) {
			t.Errorf("%s: %v, waits %d s", name, e.Alike, e.Wait)
		}
		if is := addressbook.Classify(ada, "eth", forged, c.s, now()); is.Class != addressbook.New || !slices.Equal(is.Alike, alike) {
			t.Errorf("%s: %+v", name, is)
		}
		if _, err := e.Approve(c.s, now()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKnownSince: an address that became known between proposal and approval stops the
// approval of what resembles it.
func TestKnownSince(t *testing.T) {
	e := propose(t, want(ada, forged), addressbook.Surroundings{})
	if _, err := e.Approve(addressbook.Surroundings{Known: []string{known}}, now()); !errors.Is(err, addressbook.ErrChanged) || !strings.Contains(err.Error(), known) {
		t.Fatal(err)
	}
}

func TestClassesAreOfOnePayer(t *testing.T) {
	e := addressbook.Entry{ID: "e", Owner: ada, Chain: "eth", Address: known, Label: "x", State: addressbook.Active, Wait: 1}
	s := addressbook.Surroundings{Book: []addressbook.Entry{e}, Own: []string{other}}
	for _, c := range []struct {
		owner, chain, address string
		class                 addressbook.Class
	}{
		{ada, "eth", known, addressbook.Allowlisted},
		{ada, "eth", strings.ToLower(known), addressbook.New},
		{ada, "other", known, addressbook.New},
		{"customer:eve", "eth", known, addressbook.New},
		{addressbook.House, "eth", known, addressbook.New},
		{ada, "eth", other, addressbook.Own},
		{ada, "eth", forged, addressbook.New},
	} {
		if is := addressbook.Classify(c.owner, c.chain, c.address, s, now()); is.Class != c.class {
			t.Errorf("%+v: %+v", c, is)
		}
	}
}

func TestRefusedProposals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*addressbook.Entry, *addressbook.Surroundings, *addressbook.Terms)
		err    error
		says   string
	}{
		"no id":       {func(e *addressbook.Entry, _ *addressbook.Surroundings, _ *addressbook.Terms) { e.ID = "" }, addressbook.ErrInvalid, "id"},
		"a person":    {func(e *addressbook.Entry, _ *addressbook.Surroundings, _ *addressbook.Terms) { e.Owner = "ada" }, addressbook.ErrInvalid, "owner"},
		"nobody":      {func(e *addressbook.Entry, _ *addressbook.Surroundings, _ *addressbook.Terms) { e.Owner = "customer:" }, addressbook.ErrInvalid, "owner"},
		"no chain":    {func(e *addressbook.Entry, _ *addressbook.Surroundings, _ *addressbook.Terms) { e.Chain = "" }, addressbook.ErrInvalid, "chain"},
		"a space":     {func(e *addressbook.Entry, _ *addressbook.Surroundings, _ *addressbook.Terms) { e.Address += " " }, addressbook.ErrInvalid, "address"},
		"cyrillic":    {func(e *addressbook.Entry, _ *addressbook.Surroundings, _ *addressbook.Terms) { e.Address = "0xа" }, addressbook.ErrInvalid, "address"},
		"turned text": {func(e *addressbook.Entry, _ *addressbook.Surroundings, _ *addressbook.Terms) { e.Label = "a\u202eb" }, addressbook.ErrInvalid, "label"},
		"no width":    {func(e *addressbook.Entry, _ *addressbook.Surroundings, _ *addressbook.Terms) { e.Label = "a\u3164b" }, addressbook.ErrInvalid, "label"},
		"decomposed":  {func(e *addressbook.Entry, _ *addressbook.Surroundings, _ *addressbook.Terms) { e.Label = "Zoe\u0308" }, addressbook.ErrInvalid, "label"},
		"bad UTF-8":   {func(e *addressbook.Entry, _ *addressbook.Surroundings, _ *addressbook.Terms) { e.Label = "\xff" }, addressbook.ErrInvalid, "label"},
		"no wait":     {func(_ *addressbook.Entry, _ *addressbook.Surroundings, t *addressbook.Terms) { t.Wait = 0 }, addressbook.ErrInvalid, "wait"},
		"shorter wait": {func(_ *addressbook.Entry, _ *addressbook.Surroundings, t *addressbook.Terms) {
			t.AlikeWait = t.Wait - 1
		}, addressbook.ErrInvalid, "wait"},
		"a vault": {func(e *addressbook.Entry, s *addressbook.Surroundings, _ *addressbook.Terms) {
			s.Own = []string{e.Address}
		}, addressbook.ErrOwn, ""},
		"a taken id": {func(e *addressbook.Entry, s *addressbook.Surroundings, _ *addressbook.Terms) {
			s.Book = []addressbook.Entry{{ID: e.ID}}
		}, addressbook.ErrInvalid, "id"},
		"a full book": {func(_ *addressbook.Entry, s *addressbook.Surroundings, _ *addressbook.Terms) {
			s.Book = make([]addressbook.Entry, addressbook.MaxEntries+1)
		}, addressbook.ErrInvalid, "book"},
		"there already": {func(e *addressbook.Entry, s *addressbook.Surroundings, _ *addressbook.Terms) {
			there := *e
			there.ID, there.State = "e0", addressbook.Proposed
			s.Book = []addressbook.Entry{there}
		}, addressbook.ErrThere, "e0"},
	} {
		e, s, when := want(ada, known), addressbook.Surroundings{}, terms()
		c.change(&e, &s, &when)
		if _, err := addressbook.Propose(e, s, when, now()); !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDocumentBindsAll: whatever is approved has a document of its own, and how far the
// entry has come has none.
func TestDocumentBindsAll(t *testing.T) {
	e := propose(t, want(ada, known), addressbook.Surroundings{})
	base, err := e.Document()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{base: "itself"}
	for name, change := range map[string]func(*addressbook.Entry){
		"id": func(e *addressbook.Entry) { e.ID += "x" }, "owner": func(e *addressbook.Entry) { e.Owner += "x" },
		"chain": func(e *addressbook.Entry) { e.Chain += "x" }, "address": func(e *addressbook.Entry) { e.Address = forged },
		"label": func(e *addressbook.Entry) { e.Label += "x" }, "wait": func(e *addressbook.Entry) { e.Wait++ },
		"proposed": func(e *addressbook.Entry) { e.ProposedAt++ }, "alike": func(e *addressbook.Entry) { e.Alike = []string{other} },
	} {
		changed := e
		change(&changed)
		document, err := changed.Document()
		if err != nil || seen[document] != "" {
			t.Errorf("%s: as %s, %v", name, seen[document], err)
		}
		seen[document] = name
	}
	approved, err := e.Approve(addressbook.Surroundings{}, now())
	if err != nil {
		t.Fatal(err)
	}
	if document, err := approved.Document(); err != nil || document != base {
		t.Error("the document changed with the state:", err)
	}
}

func TestAlikeIsBounded(t *testing.T) {
	var s addressbook.Surroundings
	for i := range addressbook.MaxAlike + 5 {
		s.Known = append(s.Known, "0xabcd"+strings.Repeat("0", 30)+strconv.Itoa(10+i)+"1234")
	}
	e := propose(t, want(ada, forged), s)
	if !reflect.DeepEqual(e.Alike, s.Known[:addressbook.MaxAlike]) {
		t.Errorf("%v", e.Alike)
	}
	if _, err := e.Approve(s, now()); err != nil {
		t.Error(err)
	}
}
