package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Span is a time of whole minutes. Its text is "90m", or "24h" where it is whole hours.
type Span time.Duration

// Bounds of spans.
const (
	MaxLives  = Span(14 * 24 * time.Hour)
	MinLives  = Span(time.Minute)
	MaxWindow = Span(31 * 24 * time.Hour)
	MinWindow = Span(time.Hour)
)

const hour = Span(time.Hour)

var (
	errSpan   = errors.New(`is not a time such as "90m" or "24h": whole hours are written in hours`)
	errMinute = errors.New(`is not a time of day such as "08:30"; what lasts to midnight has no until`)
	errDay    = errors.New("is not one of mon, tue, wed, thu, fri, sat, sun")
)

// String is its text.
func (s Span) String() string {
	if s%hour == 0 {
		return strconv.FormatInt(int64(s/hour), 10) + "h"
	}
	return strconv.FormatInt(int64(s/Span(time.Minute)), 10) + "m"
}

// MarshalText implements encoding.TextMarshaler.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Span) UnmarshalText(text []byte) error {
	const digits = 5
	number, unit := string(text), Span(time.Minute)
	if cut, ok := strings.CutSuffix(number, "h"); ok {
		number, unit = cut, hour
	} else if number, ok = strings.CutSuffix(number, "m"); !ok {
		return fmt.Errorf("%.20q %w", text, errSpan)
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || len(number) > digits || n == 0 {
		return fmt.Errorf("%.20q %w", text, errSpan)
	}
	is := Span(n) * unit
	if is.String() != string(text) {
		return fmt.Errorf("%.20q %w", text, errSpan)
	}
	*s = is
	return nil
}

// Minute is a time of day in UTC: minutes since midnight. Its text is "08:30".
type Minute int

const dayMinutes = 24 * 60

// String is its text.
func (m Minute) String() string { return fmt.Sprintf("%02d:%02d", int(m)/60, int(m)%60) }

// MarshalText implements encoding.TextMarshaler.
func (m Minute) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Minute) UnmarshalText(text []byte) error {
	at, err := time.Parse("15:04", string(text))
	if err != nil || len(text) != len("15:04") {
		return fmt.Errorf("%.20q %w", text, errMinute)
	}
	*m = Minute(at.Hour()*60 + at.Minute())
	return nil
}

// Day is a day of the week in UTC. Its text is "mon" to "sun".
type Day int

// The days.
const (
	Monday Day = iota + 1
	Tuesday
	Wednesday
	Thursday
	Friday
	Saturday
	Sunday
)

const dayNames = "montuewedthufrisatsun"

// String is its text.
func (d Day) String() string {
	if d < Monday || d > Sunday {
		return "day " + strconv.Itoa(int(d))
	}
	return dayNames[3*(d-1) : 3*d]
}

// MarshalText implements encoding.TextMarshaler.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Day) UnmarshalText(text []byte) error {
	for day := Monday; day <= Sunday; day++ {
		if day.String() == string(text) {
			*d = day
			return nil
		}
	}
	return fmt.Errorf("%.20q %w", text, errDay)
}

// moment is the day and the minute of a time, in UTC whatever its zone is.
func moment(unix int64) (Day, Minute) {
	at := time.Unix(unix, 0).UTC()
	day := Day(at.Weekday())
	if day == 0 {
		day = Sunday
	}
	return day, Minute(at.Hour()*60 + at.Minute())
}
