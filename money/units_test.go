package money_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"strongroom/money"
)

// units draws from the whole range, with the edges drawn often.
func units(t *rapid.T, name string) money.Units {
	b := rapid.OneOf(
		rapid.SliceOfN(rapid.Byte(), 0, 32),
		rapid.SampledFrom([][]byte{{}, {1}, maxBytes()}),
	).Draw(t, name)
	u, err := money.FromBig(new(big.Int).SetBytes(b))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func maxBytes() []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

// Every operation agrees with arbitrary-precision integers, or says that the
// result does not fit exactly where it does not.
func TestArithmeticAgreesWithBigIntegers(t *testing.T) {
	limit := new(big.Int).Lsh(big.NewInt(1), 256)
	fits := func(b *big.Int) bool { return b.Sign() >= 0 && b.Cmp(limit) < 0 }
	rapid.Check(t, func(t *rapid.T) {
		u, v := units(t, "u"), units(t, "v")
		k := rapid.Uint64().Draw(t, "k")
		for name, c := range map[string]struct {
			got  func() (money.Units, error)
			want *big.Int
		}{
			"add": {func() (money.Units, error) { return u.Add(v) }, new(big.Int).Add(u.Big(), v.Big())},
			"sub": {func() (money.Units, error) { return u.Sub(v) }, new(big.Int).Sub(u.Big(), v.Big())},
			"mul": {func() (money.Units, error) { return u.Mul(k) }, new(big.Int).Mul(u.Big(), new(big.Int).SetUint64(k))},
			"sum": {func() (money.Units, error) { return money.Sum(u, v) }, new(big.Int).Add(u.Big(), v.Big())},
		} {
			got, err := c.got()
			switch {
			case fits(c.want) && (err != nil || got.Big().Cmp(c.want) != 0):
				t.Fatalf("%s(%s, %s) = %s, %v; want %s", name, u, v, got, err, c.want)
			case !fits(c.want) && !errors.Is(err, money.ErrRange):
				t.Fatalf("%s(%s, %s) = %s, %v; want ErrRange", name, u, v, got, err)
			}
		}
		if u.Cmp(v) != u.Big().Cmp(v.Big()) || u.Less(v) != (u.Cmp(v) < 0) || (u == v) != (u.Cmp(v) == 0) {
			t.Fatalf("comparison of %s and %s", u, v)
		}
		if low := money.Min(u, v); low.Cmp(u) > 0 || low.Cmp(v) > 0 || (low != u && low != v) {
			t.Fatalf("min of %s and %s is %s", u, v, low)
		}
		if floor := u.SubFloor(v); u.Less(v) && !floor.IsZero() {
			t.Fatalf("floor of %s-%s is %s", u, v, floor)
		}
	})
}

func TestMulDivRoundsAsToldAndLosesLessThanOneUnit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := money.FromUint64(rapid.Uint64().Draw(t, "u"))
		num := money.FromUint64(rapid.Uint64Range(0, 1<<40).Draw(t, "num"))
		den := money.FromUint64(rapid.Uint64Range(1, 1<<40).Draw(t, "den"))
		down, err1 := u.MulDiv(num, den, money.Down)
		up, err2 := u.MulDiv(num, den, money.Up)
		even, err3 := u.MulDiv(num, den, money.HalfEven)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		exact := new(big.Rat).SetFrac(new(big.Int).Mul(u.Big(), num.Big()), den.Big())
		low, high := new(big.Rat).SetInt(down.Big()), new(big.Rat).SetInt(up.Big())
		if low.Cmp(exact) > 0 || high.Cmp(exact) < 0 {
			t.Fatalf("%s is not within [%s, %s]", exact, down, up)
		}
		gap, err := up.Sub(down)
		if err != nil || money.FromUint64(1).Less(gap) {
			t.Fatalf("down %s and up %s are more than one apart", down, up)
		}
		if even != down && even != up {
			t.Fatalf("half even %s is neither %s nor %s", even, down, up)
		}
	})
	one, two, three, five := money.FromUint64(1), money.FromUint64(2), money.FromUint64(3), money.FromUint64(5)
	for num, want := range map[money.Units]money.Units{one: {}, three: two, five: two} { // 0.5, 1.5, 2.5
		if got, err := one.MulDiv(num, two, money.HalfEven); err != nil || got != want {
			t.Errorf("%s/2 to even = %s, %v; want %s", num, got, err, want)
		}
	}
	if _, err := one.MulDiv(one, money.Units{}, money.Down); !errors.Is(err, money.ErrRange) {
		t.Errorf("division by zero: %v", err)
	}
}

func TestJSONAndBytesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := units(t, "u")
		text, err := json.Marshal(u)
		if err != nil {
			t.Fatal(err)
		}
		var v money.Units
		if err := json.Unmarshal(text, &v); err != nil || v != u {
			t.Fatalf("%s -> %s, %v", text, v, err)
		}
		if money.FromBytes32(u.Bytes32()) != u {
			t.Fatalf("%s is not kept by its bytes", u)
		}
	})
}

func TestParseUnitsTakesOnlyTheCanonicalForm(t *testing.T) {
	for _, bad := range []string{"", "-1", "+1", "01", "1.0", " 1", "1 ", "1e3", "0x10", "1_000", "١"} {
		if u, err := money.ParseUnits(bad); !errors.Is(err, money.ErrSyntax) {
			t.Errorf("%q = %s, %v; want ErrSyntax", bad, u, err)
		}
	}
	over := new(big.Int).Lsh(big.NewInt(1), 256).String()
	if _, err := money.ParseUnits(over); !errors.Is(err, money.ErrRange) {
		t.Errorf("2^256: %v; want ErrRange", err)
	}
}

func BenchmarkUnitsAdd(b *testing.B) {
	u, v := money.FromUint64(1_234_567_890_123_456_789), money.FromUint64(987_654_321_987_654_321)
	b.ReportAllocs()
	for b.Loop() {
		u, _ = u.Add(v)
	}
}
