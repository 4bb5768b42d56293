package signer

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func FuzzDecodeEVM(f *testing.F) {
	f.Add(plainPayload(3, outsider(), 5).bytes(f))
	f.Add(tokenPayload(3, outsider(), 5).bytes(f))
	f.Add([]byte{dynamicFeeType, 0xc0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := decodeEVM(raw)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(p.bytes(t), raw) {
			t.Fatalf("%x is not the only form of %+v", raw, p)
		}
		_, _ = p.maxFee()
	})
}

func FuzzDecodePSBT(f *testing.F) {
	s := newSigner(f)
	f.Add(btcWithdrawal(f, s, "wdr_1", 1, 2).GetUnsignedTx())
	f.Add(btcCollect(f, s, "col_1").GetUnsignedTx())
	f.Add([]byte("psbt\xff\x01\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		packet, err := decodePSBT(raw)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(packetBytes(t, packet), raw) {
			t.Fatalf("%x is not the only form of what was read", raw)
		}
	})
}

func TestPolicyFile(t *testing.T) {
	good, err := json.Marshal(testPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if p, err := ParsePolicy(good); err != nil || len(p.Assets) != 3 {
		t.Fatalf("%d assets: %v", len(p.Assets), err)
	}
	for name, swap := range map[string][2]string{
		"unknown member":       {`"code":"BTC"`, `"code":"BTC","cap":"5"`},
		"unknown chain":        {`"chain":"bitcoin-regtest"`, `"chain":"bitcoin"`},
		"unknown network":      {`"network":"regtest"`, `"network":"mars"`},
		"unknown family":       {`"family":"evm"`, `"family":"solana"`},
		"no chain id":          {`"chainId":31337,`, ``},
		"no fee ceiling":       {`"feeCeiling":"100000"`, `"feeCeiling":"0"`},
		"amount as a number":   {`"feeCeiling":"100000"`, `"feeCeiling":100000`},
		"asset twice":          {`"code":"TUSD"`, `"code":"ETH"`},
		"contract on Bitcoin":  {`"code":"BTC","chain":"bitcoin-regtest"`, `"code":"BTC","chain":"bitcoin-regtest","contract":"` + tokenHex + `"`},
		"malformed contract":   {tokenHex, tokenHex[:20]},
		"chain without a name": {`"name":"ethereum-dev"`, `"name":""`},
	} {
		text := strings.Replace(string(good), swap[0], swap[1], 1)
		if text == string(good) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := ParsePolicy([]byte(text)); !errors.Is(err, ErrPolicy) {
			t.Errorf("%s: got %v, want ErrPolicy", name, err)
		}
	}
	if _, err := ParsePolicy(append(good, "{}"...)); !errors.Is(err, ErrPolicy) {
		t.Errorf("something after the object: got %v, want ErrPolicy", err)
	}
}
