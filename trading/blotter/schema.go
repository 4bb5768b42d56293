package blotter

import (
	"embed"
	"errors"
	"io/fs"

	"strongroom/internal/pg"
	"strongroom/trading"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations returns the tables of the history, all in the schema "blotter". Reading
// needs those of settlement, too.
func Migrations() pg.Source {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above: only a broken build comes here
	}
	return pg.Source{Schema: "blotter", FS: files}
}

// Errors of a Writer.
var (
	// ErrContended reports that somebody else writes the history of this shard.
	ErrContended = errors.New("somebody else writes this history")
	// ErrGap reports events that are missing between those that came.
	ErrGap = errors.New("events leave a gap")
	// ErrForked reports events that do not continue those that are written: the shard's
	// log is another one.
	ErrForked = errors.New("events are of another log")
)

// state of an order, as a row has it; zero in a change is what it was.
type state int16

const (
	waiting state = iota + 1
	open
	filled
	cancelled
	ended // in a gap: how is not known
)

func (s state) name() trading.OrderState {
	return map[state]trading.OrderState{
		waiting: trading.OrderWaiting, open: trading.OrderOpen, filled: trading.OrderFilled, cancelled: trading.OrderCancelled,
		ended: trading.OrderEnded,
	}[s]
}
