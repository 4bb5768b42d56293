package cold

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
)

// Bounds of frames.
const (
	// MaxFrames is the most frames that a file is cut into: beyond it, nobody would hold
	// a camera for so long.
	MaxFrames = 2_000
	// MinFrameBytes and MaxFrameBytes bound what of the file is in one frame.
	MinFrameBytes = 16
	MaxFrameBytes = 1_200
	maxFrameText  = 64 + MaxFrameBytes*8/5 + 8
	frameMagic    = "STRONGROOM1"
	frameParts    = 6
	idBytes       = 8
)

// frame is one piece of a file. Its text has only characters of a QR code's
// alphanumeric mode: magic/number/total/file/checksum/payload. The file is named by
// the first bytes of its SHA-256, and the checksum is of all else in the frame.
type frame struct {
	number, total int // from 1
	file          string
	payload       string
}

func payloadEncoding() *base32.Encoding { return base32.StdEncoding.WithPadding(base32.NoPadding) }

func (f frame) text() string {
	head := fmt.Sprintf("%s/%d/%d/%s", frameMagic, f.number, f.total, f.file)
	return fmt.Sprintf("%s/%08X/%s", head, crc32.ChecksumIEEE([]byte(head+"/"+f.payload)), f.payload)
}

// Frames cuts a file into texts of which each fits one QR code, with at most size bytes
// of the file in each. Errors wrap ErrFrames.
func Frames(file []byte, size int) ([]string, error) {
	if size < MinFrameBytes || size > MaxFrameBytes {
		return nil, fmt.Errorf("%w: %d bytes per frame, %d to %d can be", ErrFrames, size, MinFrameBytes, MaxFrameBytes)
	}
	total := (len(file) + size - 1) / size
	if total < 1 || total > MaxFrames {
		return nil, fmt.Errorf("%w: %d bytes make %d frames, 1 to %d can be: carry it as a file", ErrFrames, len(file), total, MaxFrames)
	}
	texts := make([]string, 0, total)
	id := fileID(file)
	for piece := range slices.Chunk(file, size) {
		texts = append(texts, frame{len(texts) + 1, total, id, payloadEncoding().EncodeToString(piece)}.text())
	}
	return texts, nil
}

func fileID(file []byte) string {
	sum := sha256.Sum256(file)
	return strings.ToUpper(hex.EncodeToString(sum[:idBytes]))
}

// Join puts a file together from its frames, which may come in any order and more than
// once; empty texts do not count. Errors wrap ErrFrames and name the frames that are
// missing.
func Join(texts []string) ([]byte, error) {
	var first *frame
	pieces := make(map[int]string)
	for i, text := range texts {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		f, err := parseFrame(text)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrFrames, i+1, err)
		}
		if first == nil {
			first = &f
		}
		if f.file != first.file || f.total != first.total {
			return nil, fmt.Errorf("%w: line %d: is of another file (%s, %d frames) than the first (%s, %d frames)", ErrFrames, i+1, f.file, f.total, first.file, first.total)
		}
		if other, twice := pieces[f.number]; twice && other != f.payload {
			return nil, fmt.Errorf("%w: line %d: frame %d has come with other content", ErrFrames, i+1, f.number)
		}
		pieces[f.number] = f.payload
	}
	if first == nil {
		return nil, fmt.Errorf("%w: there is none", ErrFrames)
	}
	return assemble(first, pieces)
}

func assemble(first *frame, pieces map[int]string) ([]byte, error) {
	var missing []string
	var file []byte
	for number := 1; number <= first.total; number++ {
		text, there := pieces[number]
		if !there {
			missing = append(missing, strconv.Itoa(number))
			continue
		}
		piece, err := payloadEncoding().DecodeString(text)
		if err != nil {
			return nil, fmt.Errorf("%w: frame %d: %w", ErrFrames, number, err)
		}
		file = append(file, piece...)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%w: of %d, missing: %s", ErrFrames, first.total, strings.Join(missing, ", "))
	}
	if fileID(file) != first.file {
		return nil, fmt.Errorf("%w: together they are file %s, not %s", ErrFrames, fileID(file), first.file)
	}
	return file, nil
}

func parseFrame(text string) (frame, error) {
	if len(text) > maxFrameText {
		return frame{}, fmt.Errorf("%d characters, a frame has at most %d", len(text), maxFrameText)
	}
	parts := strings.Split(text, "/")
	if len(parts) != frameParts || parts[0] != frameMagic {
		return frame{}, fmt.Errorf("%.20q is no frame: it begins with %s/", text, frameMagic)
	}
	number, err := strconv.Atoi(parts[1])
	if err != nil {
		return frame{}, fmt.Errorf("number %.10q", parts[1])
	}
	total, err := strconv.Atoi(parts[2])
	if err != nil || total > MaxFrames || number < 1 || number > total {
		return frame{}, fmt.Errorf("frame %.10q of %.10q, at most %d", parts[1], parts[2], MaxFrames)
	}
	f := frame{number, total, parts[3], parts[5]}
	if f.text() != text {
		return frame{}, fmt.Errorf("frame %d of %d was not read right: its checksum does not fit", number, total)
	}
	return f, nil
}
