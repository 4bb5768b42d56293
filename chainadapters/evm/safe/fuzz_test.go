package safe_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"strongroom/chainadapters/evm/safe"
)

// What is read is what is written, and nothing else is read.
func FuzzParseFile(f *testing.F) {
	keys := keysOf(3)
	blank := safe.File{Vault: vaultOf(2, keys...), Tx: safe.PayNative(named("hot"), wei(1), 0)}
	f.Add(blank.Encode())
	one, _ := blank.Sign(keys[0])
	f.Add(one.Encode())
	f.Add([]byte(`{"kind":"safe"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := safe.ParseFile(text)
		if err != nil {
			return
		}
		var given, own bytes.Buffer
		if json.Compact(&given, text) != nil || json.Compact(&own, file.Encode()) != nil || !bytes.Equal(given.Bytes(), own.Bytes()) {
			t.Errorf("%q is read as %s", text, file.Encode())
		}
		_, _ = safe.Decode(file.Vault, file.Tx, known())
	})
}

func FuzzParseExec(f *testing.F) {
	keys := keysOf(3)
	file := safe.File{Vault: vaultOf(2, keys...), Tx: safe.PayToken(named("dollar"), named("hot"), wei(1), 0)}
	for _, key := range keys {
		file, _ = file.Sign(key)
	}
	call, _ := file.ExecCalldata()
	f.Add(call)
	f.Add(call[:400])
	f.Fuzz(func(t *testing.T, text []byte) {
		if tx, signatures, err := safe.ParseExec(text); err == nil {
			if len(signatures) == 0 || len(tx.Data) > len(text) {
				t.Errorf("%x: %+v", text, tx)
			}
		}
	})
}

// Whatever data is, what comes out can be made again from its payments alone.
func FuzzDecodeBatch(f *testing.F) {
	v := vaultOf(2, keysOf(3)...)
	set := safe.Canonical()
	whole, _ := safe.Batch(set, safe.PayNative(named("hot"), wei(1), 0), safe.PayToken(named("dollar"), named("hot"), wei(2), 0))
	f.Add(whole.Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := safe.Decode(v, safe.Tx{To: set.MultiSend, Data: data, Operation: safe.DelegateCall}, known())
		if err != nil {
			return
		}
		var calls []safe.Tx
		for _, p := range e.Payments {
			if p.Token == named("dollar") {
				calls = append(calls, safe.PayToken(p.Token, p.To, p.Amount, 0))
			} else {
				calls = append(calls, safe.PayNative(p.To, p.Amount, 0))
			}
		}
		if again, err := safe.Batch(set, calls...); err != nil || v.Hash(again) != e.Hash {
			t.Errorf("%x has payments that do not make it: %s", data, e)
		}
	})
}
