package trading_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strongroom/matching/engine"
	"strongroom/trading"
)

func TestEveryCodeHasANameOfItsOwn(t *testing.T) {
	seen := map[string]engine.Code{}
	for c := engine.CodeUnknownOp; c <= engine.CodeHaltEnd; c++ {
		name := trading.CodeName(c)
		if before, twice := seen[name]; twice || name == "" || strings.HasPrefix(name, "code_") {
			t.Errorf("code %d is called %q, as %d is", c, name, before)
		}
		seen[name] = c
	}
	if trading.CodeName(engine.CodeNone) != "" || trading.CodeName(engine.CodeHaltEnd+1) != "code_46" {
		t.Errorf("the code behind the last is %s", trading.CodeName(engine.CodeHaltEnd+1))
	}
}

func TestNamesOfTypesSidesAndStates(t *testing.T) {
	for c := engine.Limit; c <= engine.OCO; c++ {
		if trading.TypeOf(c) == "" {
			t.Errorf("type %d has no name", c)
		}
	}
	if trading.TypeOf(engine.OCO+1) != "" || trading.SideName(engine.Buy) != "buy" || trading.SideName(engine.Sell) != "sell" {
		t.Error("a side or type has another's name")
	}
	for s := engine.Closed; s <= engine.Halted; s++ {
		if trading.StateName(s) == "" || trading.StateName(s) == "unknown" {
			t.Errorf("state %d has no name", s)
		}
	}
	if trading.StateName(engine.Halted+1) != "unknown" {
		t.Error("a state that is none has a name")
	}
}

func TestOrderIDsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := engine.OrderID(rapid.Uint64Min(1).Draw(t, "id"))
		if got, ok := trading.ParseOrderID(trading.OrderIDText(id)); !ok || got != id {
			t.Fatalf("%d comes back as %d", id, got)
		}
	})
	for _, text := range []string{"", "0", "01", "+1", "-1", "1 ", "18446744073709551616", "1e3"} {
		if _, ok := trading.ParseOrderID(text); ok {
			t.Errorf("%q is taken for an id", text)
		}
	}
}

func TestClientKeysDifferByCustomerAndID(t *testing.T) {
	if trading.ClientKey("a", "b") == trading.ClientKey("b", "a") {
		t.Error("client keys are no names")
	}
	if got := trading.ClientKey("usr_1", "mine"); got == (engine.Key{}) {
		t.Error("a client key is none")
	}
}
