package cold_test

import (
	"bytes"
	"errors"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	zxing "github.com/makiuchi-d/gozxing/qrcode"
	"github.com/skip2/go-qrcode"
	"pgregory.net/rapid"

	"strongroom/treasury/cold"
)

func TestFramesComeBackInAnyOrderAndTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		file := rapid.SliceOfN(rapid.Byte(), 1, 5_000).Draw(t, "file")
		texts, err := cold.Frames(file, rapid.IntRange(cold.MinFrameBytes, cold.MaxFrameBytes).Draw(t, "size"))
		if err != nil {
			t.Fatal(err)
		}
		seen := append(slices.Clone(texts), rapid.SliceOfN(rapid.SampledFrom(texts), 0, 5).Draw(t, "again")...)
		seen = rapid.Permutation(append(seen, "", " ")).Draw(t, "order")
		if got, err := cold.Join(seen); err != nil || !bytes.Equal(got, file) {
			t.Fatal(err)
		}
		gone := rapid.SampledFrom(texts).Draw(t, "gone")
		seen = slices.DeleteFunc(seen, func(text string) bool { return text == gone })
		if _, err := cold.Join(seen); !errors.Is(err, cold.ErrFrames) || (len(texts) > 1 && !strings.Contains(err.Error(), "missing: "+strings.Split(gone, "/")[1])) {
			t.Fatalf("without %s: %v", gone, err)
		}
	})
}

// Every character of a frame matters.
func TestAFrameThatWasMisreadIsRefused(t *testing.T) {
	texts, err := cold.Frames([]byte(strings.Repeat("all of a file ", 9)), 40)
	if err != nil {
		t.Fatal(err)
	}
	for at := range len(texts[1]) {
		for _, with := range []string{"", "A", "7", "/"} {
			wrong := texts[1][:at] + with + texts[1][at+1:]
			if wrong == texts[1] {
				continue
			}
			if _, err := cold.Join([]string{texts[0], wrong, texts[2], texts[3]}); !errors.Is(err, cold.ErrFrames) {
				t.Fatalf("%s for %s: %v", wrong, texts[1], err)
			}
		}
	}
	other, err := cold.Frames([]byte("another file"), 40)
	if err != nil {
		t.Fatal(err)
	}
	for name, wrong := range map[string][]string{"none": {}, "of two files": append(other, texts...), "no frame": {"hello"}} {
		if _, err := cold.Join(wrong); !errors.Is(err, cold.ErrFrames) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, try := range map[string]func() error{
		"too small": func() error { _, err := cold.Frames([]byte("x"), 1); return err },
		"too large": func() error { _, err := cold.Frames([]byte("x"), 5_000); return err },
		"empty":     func() error { _, err := cold.Frames(nil, 100); return err },
		"too many":  func() error { _, err := cold.Frames(make([]byte, 100_000), 16); return err },
	} {
		if err := try(); !errors.Is(err, cold.ErrFrames) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Another implementation reads the pictures, up to the largest frame.
func TestAnotherReaderReadsTheCodes(t *testing.T) {
	file := make([]byte, 3_000)
	chance := rand.New(rand.NewPCG(1, 2))
	for i := range file {
		file[i] = byte(chance.Uint32())
	}
	for _, size := range []int{100, 300, cold.MaxFrameBytes} {
		texts, err := cold.Frames(file, size)
		if err != nil {
			t.Fatal(err)
		}
		var read []string
		for _, text := range texts {
			read = append(read, readCode(t, text))
		}
		if got, err := cold.Join(read); err != nil || !bytes.Equal(got, file) {
			t.Fatalf("%d bytes a frame: %v", size, err)
		}
	}
}

func readCode(t *testing.T, text string) string {
	t.Helper()
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := code.PNG(-6)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	hints := make(map[gozxing.DecodeHintType]any)
	hints[gozxing.DecodeHintType_PURE_BARCODE] = true
	result, err := zxing.NewQRCodeReader().Decode(bitmap, hints)
	if err != nil {
		t.Fatalf("%d characters: %v", len(text), err)
	}
	return result.GetText()
}
