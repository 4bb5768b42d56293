package screening_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/chainadapters"
	"strongroom/compliance/screening"
	"strongroom/custody"
)

const (
	bitcoin  chainadapters.ChainID = "bitcoin"
	ethereum chainadapters.ChainID = "ethereum"
	litecoin chainadapters.ChainID = "litecoin"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a screener on a list in a folder of its own.
type bench struct {
	t     *testing.T
	path  string
	clock *clock
	s     *screening.Screener
}

const maxAge = 48 * time.Hour

func newBench(t *testing.T, name string) *bench {
	t.Helper()
	b := &bench{t: t, path: filepath.Join(t.TempDir(), name), clock: &clock{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}}
	b.open(b.path)
	return b
}

func (b *bench) open(path string) {
	b.t.Helper()
	var err error
	b.s, err = screening.New(screening.Config{
		Lists: map[string]string{"ofac-sdn": path}, MaxAge: maxAge, Clock: b.clock.read, Log: slog.New(slog.DiscardHandler),
		Chains: []screening.Chain{
			{ID: bitcoin, Currencies: screening.Currencies("BTC")},
			{ID: litecoin, Currencies: screening.Currencies("LTC")},
			{ID: ethereum, Currencies: screening.Currencies("ETH")},
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// write puts a list at the bench's path and lets the screener look at it.
func (b *bench) write(rows ...string) {
	b.t.Helper()
	b.writeTo(b.path, rows...)
}

func (b *bench) writeTo(path string, rows ...string) {
	b.t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(rows, "\r\n")+"\r\n\x1a"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, b.clock.read()); err != nil {
		b.t.Fatal(err)
	}
	b.clock.pass(2 * time.Second)
}

func (b *bench) ask(chain chainadapters.ChainID, address string) ([]custody.Finding, error) {
	b.t.Helper()
	return b.s.Screen(context.Background(), chain, []string{address})
}

func (b *bench) hit(chain chainadapters.ChainID, address string, want bool) {
	b.t.Helper()
	found, err := b.ask(chain, address)
	if err != nil || (len(found) > 0) != want {
		b.t.Errorf("%s on %s: %+v, %v; listed should be %v", address, chain, found, err, want)
	}
}

// closed expects that nothing is said, for this reason.
func (b *bench) closed(why error) {
	b.t.Helper()
	found, err := b.ask(bitcoin, legacy)
	if !errors.Is(err, custody.ErrScreening) || !errors.Is(err, why) || found != nil {
		b.t.Errorf("%+v, %v; want %v", found, err, why)
	}
}

// row is a line of sdn.csv.
func row(number int, name, remarks string) string {
	return fmt.Sprintf(`%d,"%s",-0- ,"CYBER2",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"%s"`, number, name, remarks)
}

const (
	legacy  = "12QtD5BFwRsdNsAZY76UVE1xyCGNTojH9h"
	nested  = "3F2sZ4jbhvDKQdGbHYPC6ZxFXEau2m5Lqj"
	segwit  = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
	lite    = "LaizKtS5DUhPuP1nTQcc83MS7HwK6vk85z"
	account = "0x7F367cC41522cE07553e823bf3be79A889DEbe1B"
)

func listed() []string {
	return []string{
		row(36, "AEROCARIBBEAN AIRLINES", "-0-"),
		row(1, "DOE, John", "DOB 1 Jan 1980; Digital Currency Address - XBT "+legacy+"; alt. Digital Currency Address - XBT "+nested+"; Gender Male."),
		row(2, "DOE, Jane", "Digital Currency Address - XBT "+strings.ToUpper(segwit)+"; Digital Currency Address - ETH "+account+"."),
		row(3, "ROE, Richard", "Digital Currency Address - LTC "+lite+"; Linked To: DOE, John."),
	}
}

func TestAddressesAreFoundAsEachFamilyWritesThem(t *testing.T) {
	b := newBench(t, "sdn.csv")
	b.write(listed()...)
	b.hit(bitcoin, legacy, true)
	b.hit(bitcoin, nested, true)
	b.hit(bitcoin, segwit, true) // bech32 does not tell capitals apart
	b.hit(bitcoin, strings.ToLower(legacy), false)
	b.hit(bitcoin, lite, false) // another chain's
	b.hit(litecoin, lite, true)
	b.hit(litecoin, legacy, false)
	b.hit(ethereum, account, true)
	b.hit(ethereum, strings.ToLower(account), true)
	b.hit(ethereum, account[:len(account)-1]+"c", false)
	found, err := b.ask(bitcoin, legacy)
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if f := found[0]; f.Address != legacy || f.List != "OFAC SDN" || f.Entry != "1 DOE, John" || f.Currency != "XBT" || len(f.Version) != 64 {
		t.Errorf("%+v", f)
	}
	if _, err := b.ask("nowhere", legacy); !errors.Is(err, custody.ErrScreening) || !errors.Is(err, screening.ErrChain) {
		t.Errorf("unknown chain: %v", err)
	}
}

func TestWhatCannotBeSaidIsAnError(t *testing.T) {
	b := newBench(t, "sdn.csv")
	b.closed(screening.ErrMissing)
	b.write(listed()...)
	b.hit(bitcoin, legacy, true)
	b.write(row(36, "AEROCARIBBEAN AIRLINES", "-0-"))
	b.closed(screening.ErrEmpty)
	b.write()
	b.closed(screening.ErrEmpty)
	for _, broken := range []string{
		`1,"DOE, John","Digital Currency Address - XBT ` + legacy + `"`, // columns
		`one,"DOE, John",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- `,
		`1,"DOE, John`, // cut within quotes
		listed()[1] + "\r\n" + listed()[1],
		listed()[1] + "\r\n" + `9,"more remarks"`,
	} {
		b.write(broken)
		b.closed(screening.ErrFormat)
	}
	b.write(listed()...)
	b.hit(bitcoin, legacy, true)
	b.clock.pass(maxAge)
	b.closed(screening.ErrStale)
	if err := os.Chtimes(b.path, time.Time{}, b.clock.read()); err != nil { // fetched again, unchanged
		t.Fatal(err)
	}
	b.clock.pass(time.Minute)
	b.hit(bitcoin, legacy, true)
	if err := os.Chtimes(b.path, time.Time{}, b.clock.read().Add(72*time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.clock.pass(time.Minute)
	b.closed(screening.ErrStale)
	if err := os.Remove(b.path); err != nil {
		t.Fatal(err)
	}
	b.clock.pass(time.Minute)
	b.closed(screening.ErrMissing)
}

func TestNoListIsAnError(t *testing.T) {
	s, err := screening.New(screening.Config{Clock: (&clock{}).read, Log: slog.New(slog.DiscardHandler), Chains: []screening.Chain{{ID: bitcoin}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Screen(context.Background(), bitcoin, []string{legacy}); !errors.Is(err, custody.ErrScreening) {
		t.Error(err)
	}
	_, err = screening.New(screening.Config{Lists: map[string]string{"nobody": "x"}, Clock: (&clock{}).read, Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, screening.ErrVendor) {
		t.Error(err)
	}
	if _, err := screening.New(screening.Config{}); err == nil {
		t.Error("a screener without clock and log")
	}
}

func TestAChangedListIsReadAgain(t *testing.T) {
	b := newBench(t, "sdn.csv")
	b.write(listed()[:2]...)
	b.hit(ethereum, account, false)
	b.write(listed()...)
	b.hit(ethereum, account, true)
	b.write(listed()[:2]...)
	b.hit(ethereum, account, false)
}

// TestFolderJoinsCutRemarks: remarks end after 1,000 characters, within an
// address, and go on in the comments.
func TestFolderJoinsCutRemarks(t *testing.T) {
	b := newBench(t, "")
	const head = 11
	b.writeTo(filepath.Join(b.path, "sdn.csv"), row(1, "DOE, John", "Digital Currency Address - XBT "+nested+"; alt. Digital Currency Address - XBT "+legacy[:head]))
	b.hit(bitcoin, nested, true)
	b.hit(bitcoin, legacy, false)
	b.hit(bitcoin, legacy[:head], false)
	b.writeTo(filepath.Join(b.path, "sdn_comments.csv"), fmt.Sprintf(`1,"%s; Gender Male."`, legacy[head:]))
	b.hit(bitcoin, legacy, true)
	if err := os.Remove(filepath.Join(b.path, "sdn.csv")); err != nil {
		t.Fatal(err)
	}
	b.clock.pass(time.Minute)
	b.closed(screening.ErrMissing)
}

func TestCompressedList(t *testing.T) {
	b := newBench(t, "sdn.csv.gz")
	file, err := os.Create(b.path)
	if err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(file)
	_, err = w.Write([]byte(strings.Join(listed(), "\n")))
	if err := errors.Join(err, w.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	young := func() {
		if err := os.Chtimes(b.path, time.Time{}, b.clock.read()); err != nil {
			t.Fatal(err)
		}
		b.clock.pass(time.Minute)
	}
	young()
	b.hit(bitcoin, legacy, true)
	raw, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.path, raw[:len(raw)-20], 0o600); err != nil { // half a download
		t.Fatal(err)
	}
	young()
	if _, err := b.ask(bitcoin, legacy); !errors.Is(err, custody.ErrScreening) {
		t.Errorf("half a file: %v", err)
	}
	b.write(listed()...) // not compressed, but named so
	b.closed(screening.ErrFormat)
}

func TestManyAskAtOnce(t *testing.T) {
	b := newBench(t, "sdn.csv")
	b.write(listed()...)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 50 {
				if found, err := b.s.Screen(context.Background(), bitcoin, []string{legacy, segwit, "other"}); err != nil || len(found) != 2 {
					t.Error(found, err)
				}
				b.clock.pass(time.Second)
			}
		})
	}
	all.Wait()
}
