package wire

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"strongroom/matching/engine"
)

// PackedLen returns how many bytes the command or event at the start of b says that it takes;
// zero where not even its mask is there.
func PackedLen(b []byte) int {
	if len(b) < maskBytes {
		return 0
	}
	return maskBytes + wordBytes*bits.OnesCount32(binary.LittleEndian.Uint32(b))
}

// AppendConfig packs a market's configuration: its fields in order, little-endian.
func AppendConfig(b []byte, c *engine.MarketConfig) []byte {
	out, err := binary.Append(b, binary.LittleEndian, c)
	if err != nil {
		panic("wire: engine.MarketConfig has no fixed size: " + err.Error()) // a mistake in the code, found by its first test
	}
	return out
}

// ReadConfig reads a market's configuration that takes the whole of b. Errors:
// ErrMalformed.
func ReadConfig(b []byte, c *engine.MarketConfig) error {
	rest, err := readConfig(b, c)
	if err != nil {
		return err
	}
	if len(rest) != 0 {
		return fmt.Errorf("%w: %d bytes behind a configuration", ErrMalformed, len(rest))
	}
	return nil
}

func readConfig(b []byte, c *engine.MarketConfig) ([]byte, error) {
	n, err := binary.Decode(b, binary.LittleEndian, c)
	if err != nil {
		return nil, fmt.Errorf("%w: configuration of %d bytes", ErrMalformed, len(b))
	}
	return b[n:], nil
}
