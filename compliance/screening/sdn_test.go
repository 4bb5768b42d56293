package screening

import (
	"errors"
	"strings"
	"testing"
)

// FuzzSDN feeds the parser anything. It must not fail other than with a named
// error or come up with an address that the text does not hold.
func FuzzSDN(f *testing.F) {
	for _, seed := range []string{
		"", "\x1a", "1,a,-0- ,,,,,,,,,\"x\"\r\n\x1a",
		`1,"DOE, John",-0- ,"CYBER2",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"Digital Currency Address - XBT 12QtD5BFwRsdNsAZY76UVE1xyCGNTojH9h; alt. Digital Currency Address - XBT"`,
		"1,a,b,c,d,e,f,g,h,i,j,Digital Currency Address - ETH 0x7F367cC41522cE07\n1,553e823bf3be79A889DEbe1B.\n",
		"1,\"unfinished",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all := newRemarks()
		if err := all.read(strings.NewReader(text)); err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("unnamed error: %v", err)
			}
			return
		}
		entries, cut, err := all.entries()
		if err != nil || cut+len(entries) > strings.Count(strings.Join(texts(all), "\n"), mark) {
			t.Fatalf("%d entries, %d cut, %v", len(entries), cut, err)
		}
		x := index{}
		for _, e := range entries {
			x.add(e)
			if !strings.Contains(strings.Join(texts(all), "\n"), e.Address) || e.Currency == "" || len(e.Address) < shortest {
				t.Fatalf("made up %+v", e)
			}
			if found := x.find(Subject{Chain: Chain{Currencies: []string{strings.ToUpper(e.Currency)}}, Address: e.Address}); len(found) == 0 {
				t.Fatalf("%+v is not found", e)
			}
		}
	})
}

func texts(m *remarks) []string {
	var list []string
	for _, text := range m.text {
		list = append(list, text)
	}
	return list
}

func TestFoldIsStable(t *testing.T) {
	for _, a := range []string{"0XAB", "BC1QXY", "bc1qxy", "1AbC", "3abc", "RLTC1Q", "fakecoins:00ff"} {
		if fold(fold(a)) != fold(a) {
			t.Errorf("%s: %s, then %s", a, fold(a), fold(fold(a)))
		}
	}
	if fold("BC1Qxy") != "BC1Qxy" {
		t.Error("mixed capitals are not bech32")
	}
}
