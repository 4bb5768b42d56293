package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs the binary's main function in this process.
func command(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

func TestHelpNamesEveryCommandAndExitCode(t *testing.T) {
	code, out, _ := command(t)
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, want := range []string{"up ", "demo ", "check ", "status ", "logs ", "doctor ", "migrate ", "api ", "worker ", "1 failed, 2 wrong"} {
		if !strings.Contains(out, want) {
			t.Errorf("help lacks %q:\n%s", want, out)
		}
	}
}

func TestWrongInputIsOneLineAndExitCode2(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"unknown command": {"fly"},
		"unknown flag":    {"up", "--fast"},
		"extra argument":  {"status", "please"},
		"unknown form":    {"status", "-o", "xml"},
		"no service":      {"logs"},
		"unknown service": {"logs", "nobody", "--dir", dir},
		"a path":          {"logs", "../secrets/postgres-password", "--dir", dir},
		"negative lines":  {"logs", "-n=-1", "api", "--dir", dir},
		"not a folder":    {"status", "--dir", file},
	} {
		code, _, errOut := command(t, args...)
		if code != 2 || strings.Count(errOut, "\n") != 1 || !strings.HasPrefix(errOut, "strongroom: ") {
			t.Errorf("%s: exit code %d, said %q", name, code, errOut)
		}
	}
}

func TestStatusWithoutAStack(t *testing.T) {
	code, _, errOut := command(t, "status", "--dir", filepath.Join(t.TempDir(), "none"))
	if code != 1 || !strings.Contains(errOut, "strongroom up") {
		t.Fatalf("exit code %d, said %q", code, errOut)
	}
	code, out, _ := command(t, "status", "-o", "json", "--dir", filepath.Join(t.TempDir(), "none"))
	if code != 1 || !strings.Contains(out, `"running": false`) {
		t.Fatalf("exit code %d, said %q", code, out)
	}
}

func TestLogsPrintsTheLastLines(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "logs", "api.log"), []byte("one\ntwo\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for lines, want := range map[string]string{"0": "one\ntwo\nthree\n", "2": "two\nthree\n", "3": "one\ntwo\nthree\n", "9": "one\ntwo\nthree\n"} {
		code, out, errOut := command(t, "logs", "api", "-n", lines, "--dir", dir)
		if code != 0 || out != want {
			t.Errorf("-n %s: exit code %d, printed %q, said %q", lines, code, out, errOut)
		}
	}
}

func TestTheStackFolderGivesDefaultsAndTheEnvironmentWins(t *testing.T) {
	dir := t.TempDir()
	text := "STRONGROOM_TEST_A=folder\nSTRONGROOM_TEST_B=folder\nPATH=/nowhere\n"
	if err := os.WriteFile(filepath.Join(dir, "env"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	t.Setenv("STRONGROOM_TEST_A", "shell")
	t.Setenv("STRONGROOM_TEST_B", "x") // restored at the end
	if err := os.Unsetenv("STRONGROOM_TEST_B"); err != nil {
		t.Fatal(err)
	}
	loadEnv(dir)
	if a, b := os.Getenv("STRONGROOM_TEST_A"), os.Getenv("STRONGROOM_TEST_B"); a != "shell" || b != "folder" {
		t.Fatalf("A=%q B=%q", a, b)
	}
	if os.Getenv("PATH") != path {
		t.Fatal("the folder changed PATH")
	}
}

func TestStateDirIsFoundBeforeTheFlagsAreParsed(t *testing.T) {
	t.Setenv("STRONGROOM_STATE_DIR", "from-env")
	for want, args := range map[string][]string{
		"a": {"status", "--dir", "a"}, "b": {"status", "--dir=b"}, "from-env": {"status"},
	} {
		if got := stateDir(args); got != want {
			t.Errorf("%v: %q, want %q", args, got, want)
		}
	}
}

func TestDoctorFindsTheServers(t *testing.T) {
	code, out, errOut := command(t, "doctor", "--dir", t.TempDir())
	for _, want := range []string{"ok       postgres", "ok       temporal", "ok       anvil", "ok       btcd"} {
		if !strings.Contains(out, want) {
			t.Errorf("doctor lacks %q", want)
		}
	}
	// A test binary has no signer beside it: the doctor says so and how to get it.
	if code != 1 || !strings.Contains(out, "make build") {
		t.Fatalf("exit code %d:\n%s%s", code, out, errOut)
	}
}
