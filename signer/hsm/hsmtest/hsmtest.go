//go:build cgo

package hsmtest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/miekg/pkcs11"
)

// Token is a fresh token: what it takes to open it.
type Token struct {
	Module, Label, PIN string

	dir string
}

// New makes a token of SoftHSM in a folder that is gone after the test, and points this
// process at it by SOFTHSM2_CONF. Close whatever was opened before the next one: a process
// has one module at a time.
func New(tb testing.TB) Token {
	tb.Helper()
	dir := tb.TempDir()
	made := Token{Module: module(tb), Label: "strongroom", PIN: "1234-5678", dir: dir}
	conf := filepath.Join(dir, "softhsm2.conf")
	tokens := filepath.Join(dir, "tokens")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		tb.Fatal(err)
	}
	text := "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	tb.Setenv("SOFTHSM2_CONF", conf)
	initialise(tb, made)
	return made
}

// module finds SoftHSM: it is needed, so that its absence fails the test.
func module(tb testing.TB) string {
	tb.Helper()
	if named := os.Getenv("STRONGROOM_TEST_PKCS11_MODULE"); named != "" {
		return named
	}
	places := []string{"/usr/lib/softhsm/libsofthsm2.so"}
	if dir, err := os.Getwd(); err == nil {
		for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
			places = append(places, filepath.Join(dir, ".tools", "softhsm", "libsofthsm2.so"))
		}
	}
	for _, place := range places {
		if _, err := os.Stat(place); err == nil {
			return place
		}
	}
	tb.Fatal("SoftHSM is missing: make tools, or apt-get install softhsm2")
	return ""
}

func initialise(tb testing.TB, made Token) {
	tb.Helper()
	ctx := pkcs11.New(made.Module)
	if ctx == nil {
		tb.Fatalf("%s does not load", made.Module)
	}
	defer ctx.Destroy()
	must(tb, ctx.Initialize())
	slots, err := ctx.GetSlotList(true)
	must(tb, err)
	must(tb, ctx.InitToken(slots[0], "officer-pin", made.Label))
	slots, err = ctx.GetSlotList(true)
	must(tb, err)
	session, err := ctx.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	must(tb, err)
	must(tb, ctx.Login(session, pkcs11.CKU_SO, "officer-pin"))
	must(tb, ctx.InitPIN(session, made.PIN))
	must(tb, ctx.CloseSession(session))
	must(tb, ctx.Finalize())
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// WantNowhere reads every file of the token and fails where it finds the secret.
func (made Token) WantNowhere(tb testing.TB, secret []byte) {
	tb.Helper()
	files, read := os.DirFS(made.dir), 0
	names, err := fs.Glob(files, "tokens/*/*")
	must(tb, err)
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		must(tb, err)
		if bytes.Contains(raw, secret) {
			tb.Errorf("%s holds the key in the clear", name)
		}
		read++
	}
	if read == 0 {
		tb.Fatal("no files of the token were found")
	}
}
