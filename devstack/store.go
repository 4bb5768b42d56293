package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	v12 "go.temporal.io/server/schema/postgresql/v12"
	"go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/tools/common/schema"
	sqltool "go.temporal.io/server/tools/sql"
)

// The names of the stores in the server's configuration.
const (
	historyStore    = "history"
	visibilityStore = "visibility"
	// historyConns and visibilityConns bound the connections of each store.
	historyConns    = 30
	visibilityConns = 10
	// noVersion is the schema version of an empty database.
	noVersion = "0.0"
)

// stores prepares the databases and returns how the server reaches them.
func stores(ctx context.Context, o options, logger log.Logger) (config.Persistence, error) {
	if o.postgresURL == "" {
		return sqliteStores(o)
	}
	return postgresStores(ctx, o, logger)
}

func sqliteStores(o options) (config.Persistence, error) {
	cfg := &config.SQL{PluginName: sqliteplugin.PluginName, ConnectAttributes: map[string]string{}}
	if o.sqliteFile == "" {
		cfg.DatabaseName = "devstack-" + strconv.Itoa(os.Getpid())
		cfg.ConnectAttributes["mode"], cfg.ConnectAttributes["cache"] = "memory", "shared"
		return persistence(cfg, cfg), nil // the plugin makes its schema itself
	}
	cfg.DatabaseName = o.sqliteFile
	cfg.ConnectAttributes = map[string]string{"mode": "rwc", "_journal_mode": "wal", "_synchronous": "1"}
	if _, err := os.Stat(o.sqliteFile); os.IsNotExist(err) {
		if err := sqlite.SetupSchema(cfg); err != nil {
			return config.Persistence{}, fmt.Errorf("set up %s: %w", o.sqliteFile, err)
		}
	}
	return persistence(cfg, cfg), nil
}

func postgresStores(ctx context.Context, o options, logger log.Logger) (config.Persistence, error) {
	if err := createDatabases(ctx, o.postgresURL, o.database, o.visibility); err != nil {
		return config.Persistence{}, err
	}
	history, err := sqlConfig(o.postgresURL, o.database, historyConns)
	if err != nil {
		return config.Persistence{}, err
	}
	visible, err := sqlConfig(o.postgresURL, o.visibility, visibilityConns)
	if err != nil {
		return config.Persistence{}, err
	}
	if err := upgrade(history, "postgresql/v12/temporal", v12.Version, logger); err != nil {
		return config.Persistence{}, err
	}
	if err := upgrade(visible, "postgresql/v12/visibility", v12.VisibilityVersion, logger); err != nil {
		return config.Persistence{}, err
	}
	return persistence(history, visible), nil
}

func persistence(history, visible *config.SQL) config.Persistence {
	return config.Persistence{
		DefaultStore: historyStore, VisibilityStore: visibilityStore,
		NumHistoryShards: 1, // fixed for ever by the first start; one is the fastest on one machine
		DataStores: map[string]config.DataStore{
			historyStore: {SQL: history}, visibilityStore: {SQL: visible},
		},
	}
}

// createDatabases makes the databases first: the server's own connection does
// not fail when its database is missing.
func createDatabases(ctx context.Context, clusterURL string, names ...string) error {
	conn, err := pgx.Connect(ctx, clusterURL)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, name := range names {
		var there bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil {
			return fmt.Errorf("look for database %s: %w", name, err)
		}
		if there {
			continue
		}
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
			return fmt.Errorf("create database %s: %w", name, err)
		}
	}
	return nil
}

// sqlConfig turns a connection string into the server's form.
func sqlConfig(clusterURL, database string, conns int) (*config.SQL, error) {
	u, err := url.Parse(clusterURL)
	if err != nil || u.Hostname() == "" || u.User == nil {
		return nil, fmt.Errorf("%w: the PostgreSQL URL must be postgres://user:password@host:port/database", errUsage)
	}
	port := u.Port()
	if port == "" {
		port = "5432"
	}
	password, _ := u.User.Password()
	attrs := map[string]string{}
	for k, v := range u.Query() {
		attrs[k] = v[0]
	}
	return &config.SQL{
		PluginName: postgresql.PluginNamePGX, DatabaseName: database,
		User: u.User.Username(), Password: password,
		ConnectAddr: net.JoinHostPort(u.Hostname(), port), ConnectProtocol: "tcp",
		ConnectAttributes: attrs, MaxConns: conns, MaxIdleConns: conns,
	}, nil
}

// upgrade brings one database to the schema that this server wants.
func upgrade(cfg *config.SQL, name, version string, logger log.Logger) error {
	conn, err := sqltool.NewConnection(cfg, logger)
	if err != nil {
		return fmt.Errorf("connect to database %s: %w", cfg.DatabaseName, err)
	}
	defer conn.Close()
	if at, err := conn.ReadSchemaVersion(); err != nil || at == "" {
		setup := schema.NewSetupSchemaTask(conn, &schema.SetupConfig{InitialVersion: noVersion}, logger)
		if err := setup.Run(); err != nil {
			return fmt.Errorf("set up schema of %s: %w", cfg.DatabaseName, err)
		}
	} else if at == version {
		return nil
	}
	update := schema.NewUpdateSchemaTask(conn, &schema.UpdateConfig{
		DBName: cfg.DatabaseName, TargetVersion: version, SchemaName: name,
	}, logger)
	if err := update.Run(); err != nil {
		return fmt.Errorf("update schema of %s: %w", cfg.DatabaseName, err)
	}
	return nil
}
