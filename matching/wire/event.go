package wire

import (
	"fmt"

	"strongroom/matching/engine"
)

const (
	eventWords = 21
	// Where the words of what happened and of the asset end.
	whatBits  = 56
	assetBits = 16
)

// AppendEvent packs v behind b.
func AppendEvent(b []byte, v *engine.Event) []byte {
	w := [eventWords]uint64{
		uint64(v.Kind) | uint64(v.Code)<<8 | uint64(v.Side)<<16 | uint64(v.Type)<<24 | uint64(v.State)<<32 | uint64(v.Market)<<40,
		uint64(v.Account) | uint64(v.MakerAccount)<<32,
		v.Seq, uint64(v.Time), uint64(v.Order), uint64(v.Maker), uint64(v.Price), uint64(v.Qty), uint64(v.Shown), //nolint:gosec // bits as they are
		uint64(v.Left), uint64(v.TakerLeft), v.Amount.Hi, v.Amount.Lo, v.Balance.Hi, v.Balance.Lo, //nolint:gosec // bits as they are
		v.Key.Hi, v.Key.Lo, uint64(v.Until), v.Digest, uint64(v.Asset), v.Balances, //nolint:gosec // bits as they are
	}
	return pack(b, w[:])
}

// ReadEvent reads the event at the start of b into v and returns what follows it.
// Errors: ErrMalformed.
func ReadEvent(b []byte, v *engine.Event) ([]byte, error) {
	var w [eventWords]uint64
	rest, err := unpack(b, w[:])
	if err != nil {
		return nil, err
	}
	if w[0]>>whatBits != 0 || w[19]>>assetBits != 0 {
		return nil, fmt.Errorf("%w: event %x of asset %x", ErrMalformed, w[0], w[19])
	}
	*v = engine.Event{
		Kind: engine.EventKind(w[0]), Code: engine.Code(w[0] >> 8), Side: engine.Side(w[0] >> 16), Type: engine.Type(w[0] >> 24), //nolint:gosec // bits as they are
		State: engine.State(w[0] >> 32), Market: engine.MarketID(w[0] >> 40), //nolint:gosec // bits as they are
		Account: engine.AccountID(w[1]), MakerAccount: engine.AccountID(w[1] >> 32), //nolint:gosec // bits as they are
		Seq: w[2], Time: int64(w[3]), Order: engine.OrderID(w[4]), Maker: engine.OrderID(w[5]), //nolint:gosec // bits as they are
		Price: int64(w[6]), Qty: int64(w[7]), Shown: int64(w[8]), Left: int64(w[9]), TakerLeft: int64(w[10]), //nolint:gosec // bits as they are
		Amount: engine.Amount{Hi: w[11], Lo: w[12]}, Balance: engine.Amount{Hi: w[13], Lo: w[14]},
		Key: engine.Key{Hi: w[15], Lo: w[16]}, Until: int64(w[17]), Digest: w[18], Asset: engine.AssetID(w[19]), //nolint:gosec // bits as they are
		Balances: w[20],
	}
	return rest, nil
}

// ReadEvents reads a batch or frame of at most bound events and appends them to out.
// Errors: ErrMalformed, ErrOversized.
func ReadEvents(b []byte, bound int, out []engine.Event) ([]engine.Event, error) {
	for n := 0; len(b) > 0; n++ {
		if n == bound {
			return nil, fmt.Errorf("%w: more than %d events", ErrOversized, bound)
		}
		var v engine.Event
		rest, err := ReadEvent(b, &v)
		if err != nil {
			return nil, fmt.Errorf("read event %d: %w", n, err)
		}
		out, b = append(out, v), rest
	}
	return out, nil
}
