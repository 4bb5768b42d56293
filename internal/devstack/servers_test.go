package devstack

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// repoRoot returns the top folder: servers are found below it.
func repoRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// openDir returns a temporary folder that the database's user can pass through.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "devstack-test-*") //nolint:usetesting // t.TempDir has parents that only we can enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// bin returns what find found or ends the test, naming the remedy.
func bin(t *testing.T, find func(string) (string, error)) string {
	t.Helper()
	path, err := find(repoRoot(t))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func startPostgres(t *testing.T, dir string, port int) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), PostgresConfig{
		Dir: dir, BinDir: bin(t, PostgresBinDir), Port: port, Password: "pa/ss@word", Durable: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop() })
	return p
}

func TestPostgresKeepsDataWhenKilled(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir := filepath.Join(openDir(t), "pg")
	port := freePort(t)
	p := startPostgres(t, dir, port)
	if err := p.CreateDatabase(ctx, "books", ""); err != nil {
		t.Fatal(err)
	}
	sql(t, p.URL("books"), "CREATE TABLE page (n int)")
	sql(t, p.URL("books"), "INSERT INTO page VALUES (7)")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	p = startPostgres(t, dir, port)
	conn, err := pgx.Connect(ctx, p.URL("books"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var n int
	if err := conn.QueryRow(ctx, "SELECT n FROM page").Scan(&n); err != nil || n != 7 {
		t.Fatalf("after kill -9 the table holds %d (%v), want 7", n, err)
	}
	wrong := strings.Replace(p.URL("books"), "pa%2Fss%40word", "guess", 1)
	if _, err := pgx.Connect(ctx, wrong); err == nil {
		t.Fatal("a wrong password was let in")
	}
}

func sql(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func TestTemporalOnPostgresComesBack(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, filepath.Join(openDir(t), "pg"), freePort(t))
	cfg := TemporalConfig{
		Bin: bin(t, TemporalBin), PostgresURL: p.URL("postgres"), Port: freePort(t), UIPort: freePort(t),
		Namespace: "strongroom", Attributes: SearchAttributes(),
	}
	for round := range 2 {
		var log bytes.Buffer
		cfg.Log = &log
		server, err := StartTemporal(t.Context(), cfg)
		if err != nil {
			t.Fatalf("round %d: %v\n%s", round, err, log.String())
		}
		t.Cleanup(func() { _ = server.Stop() })
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnvilKeepsBlocksWhenKilled(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cfg := AnvilConfig{Bin: bin(t, AnvilBin), Port: freePort(t), StateFile: filepath.Join(t.TempDir(), "anvil.json")}
	node := startAnvil(t, cfg)
	if err := node.Mine(ctx, 5); err != nil {
		t.Fatal(err)
	}
	before := blockHashes(t, node, 5)
	if err := errors.Join(node.SaveState(ctx), node.Kill()); err != nil {
		t.Fatal(err)
	}
	// More than one round: what is loaded and saved again must stay the same too.
	for range 4 {
		node = startAnvil(t, cfg)
		if after := blockHashes(t, node, 5); strings.Join(before, ",") != strings.Join(after, ",") {
			t.Fatalf("blocks changed over kill -9:\n%v\n%v", before, after)
		}
		for _, hash := range before { // and what they held can still be asked
			var balance string
			at := map[string]any{"blockHash": hash, "requireCanonical": true}
			if err := node.Call(ctx, &balance, "eth_getBalance", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", at); err != nil {
				t.Fatalf("balance at block %s after kill -9: %v", hash, err)
			}
		}
		if err := errors.Join(node.Mine(ctx, 1), node.SaveState(ctx), node.Kill()); err != nil {
			t.Fatal(err)
		}
	}
}

func startAnvil(t *testing.T, cfg AnvilConfig) *Anvil {
	t.Helper()
	node, err := StartAnvil(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Stop() })
	return node
}

func blockHashes(t *testing.T, node *Anvil, top int64) []string {
	t.Helper()
	var hashes []string
	for n := range top + 1 {
		var block struct{ Hash string }
		if err := node.Call(t.Context(), &block, "eth_getBlockByNumber", hexInt(n), false); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, block.Hash)
	}
	return hashes
}

func TestProcessThatEndsAtStartSaysWhy(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	_, err := Start(t.Context(), Spec{
		Name: "shortlived", Command: []string{"sh", "-c", "echo no luck; exit 3"}, Log: &log,
		Ready: func(context.Context) error { return errors.New("nobody there") },
	})
	if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "shortlived") {
		t.Fatalf("error is %v", err)
	}
	if log.String() != "no luck\n" {
		t.Fatalf("log is %q", log.String())
	}
}

func TestMissingBinaryNamesTheRemedy(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Spec{Name: "nothing", Command: []string{"/nowhere/at/all"}})
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "make tools") {
		t.Fatalf("error is %v", err)
	}
}

func TestProcessThatIgnoresTheSignalIsKilled(t *testing.T) {
	t.Parallel()
	deaf := filepath.Join(t.TempDir(), "deaf")
	p, err := Start(t.Context(), Spec{
		Name: "stubborn", Command: []string{"sh", "-c", "trap '' TERM; touch " + deaf + "; while :; do sleep 0.05; done"},
		StopWithin: 300 * time.Millisecond,
		Ready: func(context.Context) error {
			_, err := os.Stat(deaf)
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if p.Err() == nil {
		t.Fatal("a killed process must say so")
	}
}

func TestPassable(t *testing.T) {
	t.Parallel()
	base := openDir(t)
	deep := filepath.Join(base, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	stranger := &syscall.Credential{Uid: 54321, Gid: 54321}
	if !Passable(deep, stranger) || !Passable(filepath.Join(deep, "not", "yet"), stranger) {
		t.Fatal("open folders are not passable")
	}
	if err := os.Chmod(filepath.Join(base, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	if Passable(deep, stranger) {
		t.Fatal("a closed folder is passable")
	}
}
