package setup_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"strongroom/treasury/setup"
)

const good = `{
 "officers": {"keys": ["3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"], "k": 1},
 "policyLock": "1h", "addressWait": "1m", "alikeWait": "2m", "firstPolicy": "p", "firstRoster": "r",
 "maxFees": {"btc": "5"}, "moves": {"BTC": {"limit": "0", "fee": "5", "feeShare": 100, "least": "7"}},
 "vaults": [{"id": "cold-btc", "asset": "BTC", "chain": "btc", "tier": "cold", "address": "bc1", "cap": "0", "floor": "0", "target": "0", "proofDays": 30}]
}`

func TestParse(t *testing.T) {
	f, err := setup.Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if f.Addresses().AlikeWait != 2*time.Minute || f.Moves["BTC"].Terms().FeeShare != 100 || len(f.Vaults) != 1 {
		t.Errorf("%+v", f)
	}
	for name, change := range map[string][2]string{
		"no officers":       {`"k": 1`, `"k": 2`},
		"no lock":           {`"policyLock": "1h"`, `"policyLock": "0h"`},
		"no first policy":   {`"firstPolicy": "p"`, `"firstPolicy": ""`},
		"alike before":      {`"alikeWait": "2m"`, `"alikeWait": "1h"`},
		"unknown member":    {`"moves"`, `"movez"`},
		"no fee of a chain": {`{"btc": "5"}`, `{"ltc": "5"}`},
		"bad terms":         {`"feeShare": 100`, `"feeShare": 0`},
		"bad vault":         {`"tier": "cold"`, `"tier": "icy"`},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		if name == "alike before" {
			text = strings.Replace(text, `"addressWait": "1m"`, `"addressWait": "2h"`, 1)
		}
		if _, err := setup.Parse([]byte(text)); !errors.Is(err, setup.ErrFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := setup.Parse([]byte(good + "{}")); !errors.Is(err, setup.ErrFile) {
		t.Errorf("something follows: %v", err)
	}
}
