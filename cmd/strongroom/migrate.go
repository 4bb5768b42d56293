package main

import (
	"context"
	"fmt"
	"time"

	"strongroom/assets"
	"strongroom/custody/custodydb"
	"strongroom/feed/candledb"
	"strongroom/identity"
	"strongroom/internal/pg"
	"strongroom/ledger"
	"strongroom/matching/settle"
	"strongroom/trading/blotter"
	"strongroom/trading/funding"
	"strongroom/treasury/treasurydb"
)

// migrateCommand updates the database and, where an assets file is named, the
// asset registry.
type migrateCommand struct {
	Database string `name:"database-url" help:"PostgreSQL connection string." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	Assets   string `name:"assets-file" help:"JSON file of assets to enter into the registry; empty for none." env:"STRONGROOM_ASSETS_FILE" placeholder:"FILE"`
}

// Run migrates.
func (c *migrateCommand) Run(e *env) error {
	if err := migrate(e.ctx, c.Database); err != nil {
		return err
	}
	if c.Assets != "" {
		if err := loadAssets(e.ctx, e.clock, c.Database, c.Assets); err != nil {
			return err
		}
	}
	e.printf("database is up to date\n")
	return nil
}

// migrations lists every domain that owns tables, in the order in which they
// are made.
func migrations() []pg.Source {
	return []pg.Source{
		ledger.Migrations(), identity.Migrations(), assets.Migrations(), custodydb.Migrations(),
		treasurydb.Migrations(),
		settle.Migrations(), funding.Migrations(), candledb.Migrations(), blotter.Migrations(),
	}
}

func migrate(ctx context.Context, url string) error {
	if err := pg.Migrate(ctx, url, migrations()...); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// loadAssets enters the assets of a file into the registry.
func loadAssets(ctx context.Context, clock func() time.Time, url, file string) error {
	list, err := assets.ReadFile(file)
	if err != nil {
		return err
	}
	pool, err := pg.Open(ctx, url)
	if err != nil {
		return err
	}
	defer pool.Close()
	registry, err := assets.New(assets.Config{Pool: pool, Clock: clock})
	if err != nil {
		return err
	}
	return registry.Load(ctx, list)
}
