package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"strongroom/treasury/consent"
	"strongroom/treasury/consent/softkey"
)

// Three officers draw keys, two of them sign a roster apart, and it is joined and shown;
// one alone is not enough, and nobody signs what was not compared.
func TestRosterIsSignedByOfficers(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	r := consent.Roster{Environment: "test", Version: 1, Created: 1_700_000_000, Expires: 1_700_086_400, RPID: "localhost", Origins: []string{"http://localhost:1"}}
	r.Officers.K = 2
	for _, officer := range []string{"1", "2", "3"} {
		r.Officers.Keys = append(r.Officers.Keys, strings.TrimSpace(well(t, "roster", "officer", "--out", file(officer+".key"))))
	}
	slices.Sort(r.Officers.Keys)
	for _, person := range []string{"ada", "bob"} {
		key, err := softkey.New(person + "-api")
		if err != nil {
			t.Fatal(err)
		}
		r.Persons = append(r.Persons, consent.Person{ID: person, Name: person, Groups: []string{"treasury"}, Keys: []consent.Key{key.Public()}, Officer: true})
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	put(t, file("roster.json"), string(text))
	document, err := r.Document()
	if err != nil {
		t.Fatal(err)
	}
	ill(t, "not signed", "roster", "sign", file("roster.json"), "--key", file("1.key"), "--out", file("1.sig"))
	ill(t, "not the key of an officer", "roster", "sign", file("roster.json"), "--key", file("roster.json"), "--out", file("1.sig"), "--yes-i-have-compared", document)
	for _, officer := range []string{"1", "3"} {
		well(t, "roster", "sign", file("roster.json"), "--key", file(officer+".key"), "--out", file(officer+".sig"), "--yes-i-have-compared", document)
	}
	ill(t, "", "roster", "join", file("roster.json"), file("1.sig"), "--out", file("signed.json"))
	well(t, "roster", "join", file("roster.json"), file("3.sig"), file("1.sig"), "--out", file("signed.json"))
	shown := well(t, "roster", "show", file("signed.json"))
	for _, want := range []string{"roster 1 of test", "ada-api", "2 of them sign", "give --officers"} {
		if !strings.Contains(shown, want) {
			t.Errorf("does not say %q:\n%s", want, shown)
		}
	}
	trusted := []string{"roster", "show", file("signed.json"), "--k", "2"}
	for _, key := range r.Officers.Keys {
		trusted = append(trusted, "--officers", key)
	}
	if strings.Contains(well(t, trusted...), "give --officers") {
		t.Error("verified officers are doubted")
	}
	ill(t, "", "roster", "show", file("signed.json"), "--k", "1", "--officers", strings.Repeat("ab", 32))
	ill(t, "", "roster", "officer", "--out", file("1.key"))
}

// A roster is changed one key at a time, and each change is another version that officers
// sign.
func TestRostersGainAndLoseKeys(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	officer := strings.TrimSpace(well(t, "roster", "officer", "--out", file("1.key")))
	key := func(id string) string {
		made, err := softkey.New(id)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(made.Public())
		if err != nil {
			t.Fatal(err)
		}
		put(t, file(id+".json"), string(text))
		return file(id + ".json")
	}
	first, err := softkey.New("bob-api")
	if err != nil {
		t.Fatal(err)
	}
	r := consent.Roster{
		Environment: "test", Version: 1, Created: 1_700_000_000, Expires: 1_700_086_400, RPID: "localhost", Origins: []string{"http://localhost:1"},
		Officers: consent.Officers{Keys: []string{officer}, K: 1}, Persons: []consent.Person{{ID: "bob", Name: "Bob", Groups: []string{"treasury"}, Officer: true, Keys: []consent.Key{first.Public()}}},
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	put(t, file("1.json"), string(text))
	ill(t, "--name", "roster", "add", key("ada-api"), "--roster", file("1.json"), "--person", "ada", "--out", file("2.json"))
	said := well(t, "roster", "add", file("ada-api.json"), "--roster", file("1.json"), "--person", "ada", "--name", "Ada", "--group", "treasury", "--officer", "--out", file("2.json"))
	if !strings.Contains(said, "roster 2") {
		t.Error(said)
	}
	ill(t, "is on the roster", "roster", "add", key("ada-usb"), "--roster", file("2.json"), "--person", "ada", "--name", "Ada", "--out", file("3.json"))
	well(t, "roster", "add", file("ada-usb.json"), "--roster", file("2.json"), "--person", "ada", "--out", file("3.json"))
	ill(t, "", "roster", "add", file("ada-usb.json"), "--roster", file("3.json"), "--person", "bob", "--out", file("4.json"))
	ill(t, "not on the roster", "roster", "remove", "ada", "--key", "ada-tv", "--roster", file("3.json"), "--out", file("4.json"))
	well(t, "roster", "remove", "ada", "--key", "ada-api", "--roster", file("3.json"), "--out", file("4.json"))
	well(t, "roster", "remove", "bob", "--roster", file("4.json"), "--out", file("5.json"))
	last, err := readRoster(file("5.json"))
	if err != nil || last.Version != 5 || len(last.Persons) != 1 || len(last.Persons[0].Keys) != 1 || last.Persons[0].Keys[0].ID != "ada-usb" || !last.Persons[0].Officer {
		t.Errorf("%+v, %v", last, err)
	}
	ill(t, "", "roster", "remove", "ada", "--roster", file("5.json"), "--out", file("6.json"))
}

// ill runs a command that fails and says why.
func ill(t *testing.T, why string, args ...string) {
	t.Helper()
	var out, errOut strings.Builder
	if code := run(t.Context(), args, &out, &errOut); code == 0 || !strings.Contains(errOut.String(), why) {
		t.Errorf("%v: exit code %d, says %s%s", args, code, out.String(), errOut.String())
	}
}
