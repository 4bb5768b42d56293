package settle

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"strongroom/ledger"
	"strongroom/matching/engine"
	"strongroom/money"
)

// ShardID names a shard: a set of markets with trading balances of its own.
type ShardID uint16

// suffix keeps the balances of shards apart; those of shard 0 have plain names.
func (s ShardID) suffix() string {
	if s == 0 {
		return ""
	}
	return fmt.Sprintf(".%d", s)
}

// TradingAccount is what a customer may trade with on a shard. A Liability.
func TradingAccount(shard ShardID, customer, asset string) ledger.AccountID {
	return ledger.AccountID("customer/" + customer + "/" + asset + "/trading" + shard.suffix())
}

// FeesAccount is what trading on a shard has earned the house: the engine's account 0.
// An Income.
func FeesAccount(shard ShardID, asset string) ledger.AccountID {
	return ledger.AccountID("income/trading_fees/" + asset + shard.suffix())
}

// ClearingAccount is what the legs of a batch run against. A Liability that is zero
// after each batch.
func ClearingAccount(shard ShardID, asset string) ledger.AccountID {
	return ledger.AccountID(fmt.Sprintf("trading/%d/%s/clearing", shard, asset))
}

func fundingAccount(customer, asset string) ledger.AccountID {
	return ledger.AccountID("customer/" + customer + "/" + asset + "/funding")
}

// transferPrefix begins the ids of moves between funding and trading.
const transferPrefix = "fnd_"

// TransferKey is what the engine calls the move with the id "fnd_" and 32 hexadecimal
// digits. It returns ErrInvalid for any other id.
func TransferKey(id string) (engine.Key, error) {
	digits, ok := strings.CutPrefix(id, transferPrefix)
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != 16 || strings.ToLower(digits) != digits {
		return engine.Key{}, fmt.Errorf("transfer id %.60q: %w", id, ErrInvalid)
	}
	return engine.Key{Hi: binary.BigEndian.Uint64(raw), Lo: binary.BigEndian.Uint64(raw[8:])}, nil
}

// transferID is the inverse of TransferKey.
func transferID(k engine.Key) string { return fmt.Sprintf("%s%016x%016x", transferPrefix, k.Hi, k.Lo) }

// UnitsOf is an engine's amount as the ledger counts.
func UnitsOf(a engine.Amount) money.Units {
	if a.Hi == 0 {
		return money.FromUint64(a.Lo)
	}
	var b [32]byte
	binary.BigEndian.PutUint64(b[16:], a.Hi)
	binary.BigEndian.PutUint64(b[24:], a.Lo)
	return money.FromBytes32(b)
}

// AmountOf is the inverse of UnitsOf; it returns money.ErrRange beyond 128 bits.
func AmountOf(u money.Units) (engine.Amount, error) {
	b := u.Bytes32()
	if binary.BigEndian.Uint64(b[:])|binary.BigEndian.Uint64(b[8:]) != 0 {
		return engine.Amount{}, fmt.Errorf("%s: %w", u, money.ErrRange)
	}
	return engine.Amount{Hi: binary.BigEndian.Uint64(b[16:]), Lo: binary.BigEndian.Uint64(b[24:])}, nil
}
