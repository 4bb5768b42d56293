package cold_test

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"strongroom/chainadapters/evm/safe"
	"strongroom/treasury/cold"
)

// What inspect takes is derived from the vault: it has a hash to compare, says who
// signed, and can be combined with the original or is another transaction.
func FuzzInspect(f *testing.F) {
	h := openHouse(f, "regtest", 2, 3)
	file := h.spend(f, 2_000)
	signed := h.sign(f, file, 0)
	f.Add(file)
	f.Add(signed)
	f.Add([]byte("cHNidP8="))
	original := h.review(f, file)
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := h.Inspect(text)
		if err != nil {
			if r != nil {
				t.Fatal("a review with an error")
			}
			return
		}
		if len(r.Signed)+len(r.Missing) != 3 || r.Confirm == "" || r.Need != 2 {
			t.Fatalf("%+v", r)
		}
		_, err = h.Combine(file, text)
		if same := r.Confirm == original.Confirm; same != (err == nil) {
			t.Fatalf("the same transaction: %t, combined: %v", same, err)
		}
		if same := r.Confirm == original.Confirm; same && r.Words != original.Words {
			t.Fatalf("one hash, two effects:\n%s\n%s", r.Words, original.Words)
		}
	})
}

// The same of a Safe's transactions: whatever is taken is the transaction that it says.
func FuzzInspectSafe(f *testing.F) {
	c := openContract(f, 2, 3)
	file := c.file(safe.PayToken(place("dollar"), place("hot"), big.NewInt(1), 7))
	f.Add(file)
	f.Add(c.sign(f, file, 1))
	original := c.review(f, file)
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := c.Inspect(text)
		if err != nil {
			if r != nil {
				t.Fatal("a review with an error")
			}
			return
		}
		_, err = c.Combine(file, text)
		same := r.Confirm == original.Confirm
		if len(r.Signed)+len(r.Missing) != 3 || same != (err == nil) || same != (r.Words == original.Words) {
			t.Fatalf("the same transaction: %t, combined: %v:\n%s", same, err, r)
		}
	})
}

// A description that is taken opens the same way again from what it says of itself.
func FuzzDescription(f *testing.F) {
	good := openHouse(f, "regtest", 2, 3).text
	f.Add(good)
	f.Add(bytes.ToUpper(good))
	f.Add([]byte(`{"kind":"multisig","name":"x","maxFee":"1","multisig":{}}`))
	f.Add(openContract(f, 2, 3).text)
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := cold.ParseDescription(text)
		if err != nil {
			return
		}
		v, err := cold.Open(d)
		if err != nil {
			return
		}
		want := map[string]string{cold.KindMultisig: "receive", cold.KindSafe: "MultiSendCallOnly"}[d.Kind]
		if words, err := v.Words(); err != nil || !strings.Contains(words, want) {
			t.Fatalf("%s %v", words, err)
		}
	})
}

// Texts that join are the frames of what they join to.
func FuzzJoin(f *testing.F) {
	frames, err := cold.Frames([]byte(strings.Repeat("0123456789", 10)), 40)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(strings.Join(frames, "\n"))
	f.Add(frames[0] + "\n" + frames[0])
	f.Add("STRONGROOM1/1/1/E3B0C44298FC1C14/00000000/")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := cold.Join(strings.Split(text, "\n"))
		if err != nil {
			return
		}
		again, err := cold.Frames(file, cold.MaxFrameBytes)
		if len(file) == 0 && err != nil {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if back, err := cold.Join(again); err != nil || !bytes.Equal(back, file) {
			t.Fatalf("%v", err)
		}
	})
}

// Neither a key file nor a passphrase makes the reader fail otherwise than by an error.
func FuzzOpenKey(f *testing.F) {
	_, sealed, err := cold.NewKey(zeros(7), passphrase, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 1\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if bytes.Contains(file, []byte("scrypt")) && !bytes.Contains(file, []byte(" 1\n")) {
			return // a higher work factor costs time, up to maxWorkFactor
		}
		if key, err := cold.OpenKey(file, passphrase); err == nil {
			if owner, err := key.Owner(); err != nil || len(owner) != 42 {
				t.Fatal(owner, err)
			}
		}
	})
}
