// Package testenv gives tests the real servers they need, started once per test
// process and gone with it. A missing server fails the test: it is never skipped.
package testenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"strongroom/internal/devstack"
	"strongroom/internal/id"
	"strongroom/internal/pg"
)

// cluster is one private PostgreSQL of this test process.
type cluster struct {
	once      sync.Once
	durable   bool
	server    *devstack.Postgres
	err       error
	mu        sync.Mutex
	templates map[string]bool
}

//nolint:gochecknoglobals // one server per process is the point
var fast, durable = cluster{}, cluster{durable: true}

// Postgres returns the url of a fresh database, migrated to the newest version
// of the sources. The server does not sync to disk.
func Postgres(tb testing.TB, sources ...pg.Source) string {
	tb.Helper()
	return fast.database(tb, sources)
}

// PostgresDurable is Postgres with fsync on, for measurements.
func PostgresDurable(tb testing.TB, sources ...pg.Source) string {
	tb.Helper()
	return durable.database(tb, sources)
}

// Root returns the top folder of the repository.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "tools/npm/package.json")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	tb.Fatal("not inside the repository")
	return ""
}

func (c *cluster) database(tb testing.TB, sources []pg.Source) string {
	tb.Helper()
	root := Root(tb)
	c.once.Do(func() { c.server, c.err = startCluster(root, c.durable) })
	if c.err != nil {
		tb.Fatalf("start PostgreSQL: %v", c.err)
	}
	ctx := context.Background()
	template, err := c.template(ctx, sources)
	if err != nil {
		tb.Fatalf("make template database: %v", err)
	}
	name := id.New("test")
	c.mu.Lock() // PostgreSQL copies a template for one session at a time
	err = c.server.CreateDatabase(ctx, name, template)
	c.mu.Unlock()
	if err != nil {
		tb.Fatalf("make test database: %v", err)
	}
	return c.server.URL(name)
}

// template returns the name of a database that holds the migrated sources.
func (c *cluster) template(ctx context.Context, sources []pg.Source) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name, err := templateName(sources)
	if err != nil {
		return "", err
	}
	if c.templates[name] {
		return name, nil
	}
	if err := c.server.CreateDatabase(ctx, name, ""); err != nil {
		return "", fmt.Errorf("create %s: %w", name, err)
	}
	if err := pg.Migrate(ctx, c.server.URL(name), sources...); err != nil {
		return "", fmt.Errorf("migrate %s: %w", name, err)
	}
	if c.templates == nil {
		c.templates = map[string]bool{}
	}
	c.templates[name] = true
	return name, nil
}

func templateName(sources []pg.Source) (string, error) {
	h := sha256.New()
	for _, s := range sources {
		_, _ = fmt.Fprintln(h, s.Schema)
		files, err := fs.Glob(s.FS, "*.sql")
		if err != nil {
			return "", fmt.Errorf("list migrations: %w", err)
		}
		_, _ = fmt.Fprintln(h, files)
	}
	return "template_" + hex.EncodeToString(h.Sum(nil)[:8]), nil
}

func startCluster(root string, durable bool) (*devstack.Postgres, error) {
	bin, err := devstack.PostgresBinDir(root)
	if err != nil {
		return nil, fmt.Errorf("find PostgreSQL: %w", err)
	}
	dir, err := clusterDir()
	if err != nil {
		return nil, err
	}
	port, err := devstack.FreePort()
	if err != nil {
		return nil, fmt.Errorf("choose port: %w", err)
	}
	log, err := os.Create(filepath.Join(filepath.Dir(dir), "postgres.log"))
	if err != nil {
		return nil, fmt.Errorf("create log: %w", err)
	}
	server, err := devstack.StartPostgres(context.Background(), devstack.PostgresConfig{
		Dir: dir, BinDir: bin, Port: port, Durable: durable, Log: log, MaxConnections: 500,
	})
	if err != nil {
		return nil, fmt.Errorf("start in %s: %w", dir, err)
	}
	return server, nil
}
