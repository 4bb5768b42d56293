package pg

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/jackc/pgx/v5/pgtype"

	"strongroom/money"
)

var errUnits = errors.New("not a whole unsigned number")

// RegisterUnits teaches a connection that money.Units is a numeric, in
// PostgreSQL's binary format: groups of four decimal digits, most significant
// first.
func RegisterUnits(m *pgtype.Map) {
	m.RegisterType(&pgtype.Type{Name: "numeric", OID: pgtype.NumericOID, Codec: unitsCodec{}})
	array := &pgtype.Type{Name: "_numeric", OID: pgtype.NumericArrayOID}
	element, _ := m.TypeForOID(pgtype.NumericOID)
	array.Codec = &pgtype.ArrayCodec{ElementType: element}
	m.RegisterType(array)
	m.RegisterDefaultPgType(money.Units{}, "numeric")
	m.RegisterDefaultPgType([]money.Units{}, "_numeric")
}

// unitsCodec is the stock numeric codec with a plan of its own for money.Units.
type unitsCodec struct{ pgtype.NumericCodec }

func (c unitsCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(money.Units); ok {
		if format == pgtype.BinaryFormatCode {
			return encodeBinary{}
		}
		return encodeText{}
	}
	return c.NumericCodec.PlanEncode(m, oid, format, value)
}

func (c unitsCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*money.Units); ok {
		if format == pgtype.BinaryFormatCode {
			return scanBinary{}
		}
		return scanText{}
	}
	return c.NumericCodec.PlanScan(m, oid, format, target)
}

// DecodeDatabaseSQLValue keeps the stock behaviour for database/sql callers.
func (c unitsCodec) DecodeDatabaseSQLValue(m *pgtype.Map, oid uint32, format int16, src []byte) (driver.Value, error) {
	v, err := c.NumericCodec.DecodeDatabaseSQLValue(m, oid, format, src)
	if err != nil {
		return nil, fmt.Errorf("decode numeric: %w", err)
	}
	return v, nil
}

type (
	encodeBinary struct{}
	encodeText   struct{}
	scanBinary   struct{}
	scanText     struct{}
)

// groupBase is PostgreSQL's NBASE.
const groupBase = 10_000

func (encodeBinary) Encode(value any, buf []byte) ([]byte, error) {
	u, ok := value.(money.Units)
	if !ok {
		return nil, errUnits
	}
	return AppendUnits(buf, u), nil
}

func (encodeText) Encode(value any, buf []byte) ([]byte, error) {
	u, ok := value.(money.Units)
	if !ok {
		return nil, errUnits
	}
	return append(buf, u.String()...), nil
}

// AppendUnits appends u in numeric's binary form, without a length.
func AppendUnits(buf []byte, u money.Units) []byte {
	var groups [maxGroups]uint16
	n := 0
	if small, ok := u.Uint64(); ok {
		for ; small > 0; small /= groupBase {
			groups[n] = uint16(small % groupBase)
			n++
		}
	} else {
		rest, base, digit := u.Big(), big.NewInt(groupBase), new(big.Int)
		for rest.Sign() > 0 {
			rest.QuoRem(rest, base, digit)
			groups[n] = uint16(digit.Uint64()) //nolint:gosec // below groupBase
			n++
		}
	}
	weight := max(n-1, 0)
	trailing := 0
	for trailing < n && groups[trailing] == 0 {
		trailing++
	}
	buf = binary.BigEndian.AppendUint16(buf, uint16(n-trailing)) //nolint:gosec // at most maxGroups
	buf = binary.BigEndian.AppendUint16(buf, uint16(weight))
	buf = append(buf, 0, 0, 0, 0) // sign: positive; display scale: none
	for i := n - 1; i >= trailing; i-- {
		buf = binary.BigEndian.AppendUint16(buf, groups[i])
	}
	return buf
}

// maxGroups holds 2^256-1: 78 digits in groups of four.
const maxGroups = 20

func (scanBinary) Scan(src []byte, target any) error {
	u, ok := target.(*money.Units)
	if !ok {
		return errUnits
	}
	groups, weight, err := numericGroups(src)
	if err != nil {
		return err
	}
	if weight < smallGroups {
		*u = money.FromUint64(smallValue(groups, weight))
		return nil
	}
	value, base := new(big.Int), big.NewInt(groupBase)
	for i := range weight + 1 {
		value.Mul(value, base)
		value.Add(value, new(big.Int).SetUint64(groupAt(groups, i)))
	}
	parsed, err := money.FromBig(value)
	if err != nil {
		return fmt.Errorf("scan units: %w", err)
	}
	*u = parsed
	return nil
}

// numericGroups returns the digits of a whole unsigned number and the power of
// groupBase of the first; zero has none.
func numericGroups(src []byte) (groups []byte, weight int, err error) {
	const header = 8
	if len(src) < header {
		return nil, 0, errUnits
	}
	n, sign := int(binary.BigEndian.Uint16(src)), binary.BigEndian.Uint16(src[4:])
	weight = int(int16(binary.BigEndian.Uint16(src[2:]))) //nolint:gosec // the format's weight is signed
	if sign != 0 || len(src) != header+2*n || weight >= maxGroups {
		return nil, 0, errUnits
	}
	if n == 0 {
		return nil, -1, nil
	}
	if weight < n-1 { // digits after the point
		return nil, 0, errUnits
	}
	return src[header:], weight, nil
}

// groupAt returns the group at a place; trailing zeros are not sent.
func groupAt(groups []byte, i int) uint64 {
	if 2*i >= len(groups) {
		return 0
	}
	return uint64(binary.BigEndian.Uint16(groups[2*i:]))
}

// smallGroups is how many groups of four digits certainly fit 64 bits.
const smallGroups = 4

func smallValue(groups []byte, weight int) uint64 {
	var v uint64
	for i := range weight + 1 {
		v = v*groupBase + groupAt(groups, i)
	}
	return v
}

func (scanText) Scan(src []byte, target any) error {
	u, ok := target.(*money.Units)
	if !ok {
		return errUnits
	}
	if err := u.UnmarshalText(src); err != nil {
		return fmt.Errorf("scan units: %w", err)
	}
	return nil
}
