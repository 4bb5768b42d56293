package wire

import (
	"fmt"

	"strongroom/matching/engine"
)

const (
	commandWords = 21
	// tierBits is where the word of session and tier ends.
	tierBits = 40
)

// AppendCommand packs c behind b. Its time is left out: the entry that holds a command
// says it for all of them.
func AppendCommand(b []byte, c *engine.Command) []byte {
	w := [commandWords]uint64{
		uint64(c.Op) | uint64(c.Side)<<8 | uint64(c.Type)<<16 | uint64(c.TIF)<<24 | uint64(c.STP)<<32 | uint64(c.State)<<40 | uint64(c.Flags)<<48,
		uint64(c.Account) | uint64(c.Market)<<32 | uint64(c.Asset)<<48,
		uint64(c.Price), uint64(c.Qty), uint64(c.Order), c.Key.Hi, c.Key.Lo, //nolint:gosec // bits as they are
		uint64(c.Session) | uint64(c.Tier)<<32,
		uint64(c.Display), uint64(c.Trigger), uint64(c.TriggerLimit), uint64(c.Offset), uint64(c.Expires), //nolint:gosec // bits as they are
		uint64(c.TakeProfit), uint64(c.StopLoss), uint64(c.StopLossLimit), //nolint:gosec // bits as they are
		c.Amount.Hi, c.Amount.Lo, uint64(c.Until), uint64(c.Window), //nolint:gosec // bits as they are
		uint64(c.Count) | uint64(c.Group)<<32,
	}
	return pack(b, w[:])
}

// ReadCommand reads the command at the start of b into c, whose time becomes zero, and
// returns what follows it. Errors: ErrMalformed.
func ReadCommand(b []byte, c *engine.Command) ([]byte, error) {
	var w [commandWords]uint64
	rest, err := unpack(b, w[:])
	if err != nil {
		return nil, err
	}
	if w[7]>>tierBits != 0 {
		return nil, fmt.Errorf("%w: session %x", ErrMalformed, w[7])
	}
	*c = engine.Command{
		Op: engine.Op(w[0]), Side: engine.Side(w[0] >> 8), Type: engine.Type(w[0] >> 16), TIF: engine.TimeInForce(w[0] >> 24), //nolint:gosec // bits as they are
		STP: engine.STP(w[0] >> 32), State: engine.State(w[0] >> 40), Flags: engine.Flags(w[0] >> 48), //nolint:gosec // bits as they are
		Account: engine.AccountID(w[1]), Market: engine.MarketID(w[1] >> 32), Asset: engine.AssetID(w[1] >> 48), //nolint:gosec // bits as they are
		Price: int64(w[2]), Qty: int64(w[3]), Order: engine.OrderID(w[4]), Key: engine.Key{Hi: w[5], Lo: w[6]}, //nolint:gosec // bits as they are
		Session: engine.SessionID(w[7]), Tier: uint8(w[7] >> 32), //nolint:gosec // bits as they are
		Display: int64(w[8]), Trigger: int64(w[9]), TriggerLimit: int64(w[10]), Offset: int64(w[11]), Expires: int64(w[12]), //nolint:gosec // bits as they are
		TakeProfit: int64(w[13]), StopLoss: int64(w[14]), StopLossLimit: int64(w[15]), //nolint:gosec // bits as they are
		Amount: engine.Amount{Hi: w[16], Lo: w[17]}, Until: int64(w[18]), Window: int64(w[19]), //nolint:gosec // bits as they are
		Count: uint32(w[20]), Group: uint32(w[20] >> 32), //nolint:gosec // bits as they are
	}
	return rest, nil
}

// ReadCommands reads a frame: one command after another to its end, at most
// MaxFrameCommands, appended to out. Errors: ErrMalformed, ErrOversized.
func ReadCommands(b []byte, out []engine.Command) ([]engine.Command, error) {
	if len(b) > MaxFrameBytes {
		return nil, fmt.Errorf("%w: %d bytes of commands", ErrOversized, len(b))
	}
	for n := 0; len(b) > 0; n++ {
		if n == MaxFrameCommands {
			return nil, fmt.Errorf("%w: more than %d commands", ErrOversized, n)
		}
		var c engine.Command
		rest, err := ReadCommand(b, &c)
		if err != nil {
			return nil, fmt.Errorf("read command %d: %w", n, err)
		}
		out, b = append(out, c), rest
	}
	return out, nil
}
