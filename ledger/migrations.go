package ledger

import (
	"embed"
	"io/fs"

	"strongroom/internal/pg"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// Migrations returns the tables of the ledger, all in the schema "ledger".
func Migrations() pg.Source {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic("ledger: embedded folder is missing: " + err.Error()) // fixed at compile time
	}
	return pg.Source{Schema: "ledger", FS: files}
}
