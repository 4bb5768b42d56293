package signer

import (
	"errors"
	"fmt"
	"testing"
	"time"
	_ "time/tzdata" // the zone of this test, wherever it runs
)

// withdrawer asks for token withdrawals, each with a nonce and an id of its own.
type withdrawer struct {
	s     *Signer
	clock *testClock
	n     uint64
}

func (w *withdrawer) ask(t *testing.T, amount uint64) error {
	t.Helper()
	w.n++
	_, err := w.s.Sign(tokenWithdrawal(t, fmt.Sprintf("wdr_%d", w.n), w.n, amount))
	return err
}

func (w *withdrawer) want(t *testing.T, allowed bool, amount uint64, when string) {
	t.Helper()
	err := w.ask(t, amount)
	if allowed && err != nil {
		t.Errorf("%s: %v", when, err)
	}
	if !allowed && !errors.Is(err, ErrRefused) {
		t.Errorf("%s: got %v, want ErrRefused", when, err)
	}
}

func newWithdrawer(t *testing.T) *withdrawer {
	t.Helper()
	s, clock := newSignerAt(t)
	return &withdrawer{s: s, clock: clock}
}

// Caps of TUSD: 1,000 per transaction, 2,000 per hour, 5,000 per day.
func TestHourSlides(t *testing.T) {
	w := newWithdrawer(t)
	w.want(t, false, 1001, "above the transaction cap")
	w.want(t, true, 1000, "first")
	w.clock.advance(time.Minute)
	w.want(t, true, 1000, "second")
	w.want(t, false, 1, "hour is full")
	w.clock.advance(59*time.Minute - time.Nanosecond)
	w.want(t, false, 1, "an instant before the first is an hour old")
	w.clock.advance(time.Nanosecond)
	w.want(t, true, 1000, "the first is exactly an hour old")
	w.want(t, false, 1, "hour is full again")
}

func TestDaySlides(t *testing.T) {
	w := newWithdrawer(t)
	for i := range 5 {
		w.want(t, true, 1000, fmt.Sprintf("hour %d", i))
		w.clock.advance(time.Hour)
	}
	w.want(t, false, 1, "day is full")
	w.clock.advance(19*time.Hour - time.Nanosecond)
	w.want(t, false, 1, "an instant before the first is a day old")
	w.clock.advance(time.Nanosecond)
	w.want(t, true, 1000, "the first is exactly a day old")
	w.want(t, false, 1, "day is full again")
}

// A window is a length of time. The night on which clocks go forward is no
// shorter, midnight opens nothing, and the zone of the machine does not matter.
func TestWindowsIgnoreZones(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	w := newWithdrawer(t)
	w.clock.at = time.Date(2026, 3, 29, 1, 30, 0, 0, berlin) // 03:00 follows 02:00 this night
	w.want(t, true, 1000, "before the change")
	w.want(t, true, 1000, "before the change")
	w.clock.at = time.Date(2026, 3, 29, 3, 0, 0, 0, berlin) // half an hour later
	w.want(t, false, 1, "wall clock shows another hour and a half")
	w.clock.at = time.Date(2026, 3, 29, 3, 30, 0, 0, berlin)
	w.want(t, true, 1, "an hour has passed")

	w = newWithdrawer(t)
	w.clock.at = time.Date(2026, 5, 1, 23, 59, 0, 0, time.UTC)
	w.want(t, true, 1000, "before midnight")
	w.want(t, true, 1000, "before midnight")
	w.clock.advance(2 * time.Minute)
	w.want(t, false, 1, "after midnight")
}

func TestClockSetBackOpensNothing(t *testing.T) {
	w := newWithdrawer(t)
	w.want(t, true, 1000, "first")
	w.want(t, true, 1000, "second")
	w.clock.advance(-48 * time.Hour)
	w.want(t, false, 1, "two days earlier")
	w.clock.advance(48*time.Hour + 59*time.Minute)
	w.want(t, false, 1, "still within the hour")
}

func TestCapsSurviveRestart(t *testing.T) {
	clock := newClock()
	cfg := testConfig(t.TempDir(), clock)
	w := &withdrawer{s: openSigner(t, cfg), clock: clock}
	w.want(t, true, 1000, "first")
	w.want(t, true, 1000, "second")
	if err := w.s.Close(); err != nil {
		t.Fatal(err)
	}
	w.s = openSigner(t, cfg)
	t.Cleanup(func() { _ = w.s.Close() })
	w.want(t, false, 1, "after a restart")
	status, err := w.s.Status()
	if err != nil || status.GetCaps()[1].GetUsedHour() != "2000" || status.GetCaps()[1].GetUsedDay() != "2000" {
		t.Errorf("status %v: %v", status, err)
	}
}

func TestGasTopUpsHaveCapsOfTheirOwn(t *testing.T) {
	s := newSigner(t)
	for i, want := range []bool{true, true, false} {
		_, err := s.Sign(gasTopUp(t, s, fmt.Sprintf("gas_%d", i), uint64(i), 1000))
		if (err == nil) != want {
			t.Errorf("top-up %d: %v", i, err)
		}
	}
	if _, err := s.Sign(ethWithdrawal(t, "wdr_1", 9, 1000)); err != nil {
		t.Errorf("a withdrawal after the top-ups: %v", err)
	}
}

func TestCollectionsHaveNoCap(t *testing.T) {
	s := newSigner(t)
	for i := range uint64(5) {
		if _, err := s.Sign(tokenCollect(t, s, fmt.Sprintf("col_%d", i), i, 900_000)); err != nil {
			t.Errorf("collection %d: %v", i, err)
		}
	}
}

func TestFeeIsBoundedTwice(t *testing.T) {
	s := newSigner(t)
	req := ethWithdrawal(t, "wdr_1", 0, 5) // 21,000 gas at 2 gwei
	req.MaxFee = "41999999999999"
	if _, err := s.Sign(req); !errors.Is(err, ErrRefused) {
		t.Errorf("fee above max_fee: %v", err)
	}
	req.MaxFee = "42000000000000"
	if _, err := s.Sign(req); err != nil {
		t.Errorf("fee equal to max_fee: %v", err)
	}
	p := plainPayload(1, outsider(), 5)
	p.Gas = 5_000_001 // 2 gwei × this is just above the ceiling of 0.01
	req = ethWithdrawal(t, "wdr_2", 1, 5)
	req.UnsignedTx, req.MaxFee = p.bytes(t), "99999999999999999999"
	if _, err := s.Sign(req); !errors.Is(err, ErrRefused) {
		t.Errorf("fee above the ceiling: %v", err)
	}
}
