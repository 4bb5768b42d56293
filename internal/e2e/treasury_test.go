package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"strongroom/internal/testenv"
)

// staff drives a running stack from the command line.
type staff struct {
	*process
	t   *testing.T
	env []string
}

func (s *staff) command(args ...string) (string, error) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(binaries(s.t), "strongroom"), args...)
	cmd.Env = append(os.Environ(), "STRONGROOM_ROOT="+testenv.Root(s.t), "STRONGROOM_STATE_DIR="+s.dir)
	cmd.Env = append(cmd.Env, s.env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// do runs a command that must succeed.
func (s *staff) do(args ...string) string {
	s.t.Helper()
	out, err := s.command(args...)
	if err != nil {
		s.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// refused runs a command that must fail and say why.
func (s *staff) refused(why string, args ...string) {
	s.t.Helper()
	if out, err := s.command(args...); err == nil || !strings.Contains(out, why) {
		s.t.Errorf("%v: %v, says %s", args, err, out)
	}
}

func (s *staff) file(name ...string) string {
	return filepath.Join(append([]string{filepath.Dir(s.dir)}, name...)...)
}

func (s *staff) key(person, name string) string {
	return filepath.Join(s.dir, "treasury", person, name)
}

// shows waits until a command says something, and returns what was found.
func (s *staff) shows(pattern string, args ...string) []string {
	s.t.Helper()
	want := regexp.MustCompile(pattern)
	var found []string
	s.until(s.t, strings.Join(args, " ")+" to say "+pattern, within, func() bool {
		out, err := s.command(args...)
		found = want.FindStringSubmatch(out)
		return err == nil && found != nil
	})
	return found
}

// agree has people agree to a request by the hash that they are shown.
func (s *staff) agree(request string, people ...string) {
	s.t.Helper()
	hash := s.shows(`(?m)^hash +([0-9a-f]{64})`, "treasury", "show", request)[1]
	for n, person := range people {
		with := []string{"passkey.json", "api.json"}[n%2]
		s.do("treasury", "approve", request, "--person", person, "--key", s.key(person, with), "--hash", hash)
	}
}

// A customer's large payment goes out by two people's consent, what is too much is swept
// into the vault, and what then lacks comes back: agreed to by people, signed by two
// cosigners in folders of their own without a platform, and sent.
func TestMoneyGoesThroughTheVault(t *testing.T) {
	run := start(t, stateDir(t), "up", "--no-tour", "--no-sim")
	run.await(t, "Ctrl-C stops everything")
	s := &staff{process: run, t: t}
	s.do("bootstrap")
	s.do("customers", "create", "Grace", "--out", s.file("grace.json"))
	s.env = []string{"STRONGROOM_KEY_FILE=" + s.file("grace.json")}
	address := s.shows(`"address": "([^"]+)"`, "address", "BTC")[1]
	s.do("faucet", "pay", "BTC", "6", address)
	s.shows(`sweep .*hot-btc → cold-btc +final`, "treasury", "vaults")

	outside := strings.TrimSpace(s.do("faucet", "address", "BTC"))
	auditor := strings.TrimSpace(s.do("faucet", "address", "BTC"))
	s.refused("not in the house's book", "treasury", "spend", "cold-btc", "0.1", auditor, "--person", "ada", "--reason", "the audit")
	s.refused("address", "treasury", "address", "propose", "bitcoin-regtest", "nonsense", "--label", "Auditor", "--person", "ada", "--reason", "the audit")
	entry := s.do("treasury", "address", "propose", "bitcoin-regtest", auditor, "--label", "Auditor", "--person", "ada", "--reason", "the audit")
	s.agree(regexp.MustCompile(`rqs_\w+`).FindString(entry), "bob")
	s.do("withdraw", "BTC", "2.8", outside)
	request := s.shows(`(rqs_\w+) +waiting +withdrawal`, "treasury", "list", "--person", "cem")[1]
	s.refused("none of cem's", "treasury", "approve", request, "--person", "cem", "--key", s.key("ada", "api.json"),
		"--hash", s.shows(`(?m)^hash +([0-9a-f]{64})`, "treasury", "show", request)[1])
	s.agree(request, "ada", "cem")
	s.shows(`"state": "posted"`, "withdrawals")

	request = s.shows(`(rqs_\w+) +waiting +refill`, "treasury", "list")[1]
	s.agree(request, "bob", "cem")
	s.bring(request)
	s.shows(`refill .*cold-btc → hot-btc +final`, "treasury", "vaults")
	s.shows(`done +refill`, "treasury", "list", "--all")

	s.shows(`adr_\w+ +active .*`+auditor, "treasury", "address") // it has cooled down
	spend := []string{"treasury", "spend", "cold-btc", "0.1", auditor, "--person", "ada", "--reason", "the audit", "--id", "csp_00000000000000000000000000000001"}
	s.refused("would be customers'", spend...) // the house has nothing of its own yet
	s.do("faucet", "pay", "BTC", "0.5", s.shows(`hot-btc .* (bcrt1\w+)`, "treasury", "vaults")[1])
	s.do("faucet", "pay", "BTC", "0.01", address) // what there is counted when a deposit is credited
	s.until(t, "money of the house", within, func() bool { _, err := s.command(spend...); return err == nil })
	s.do(spend...) // the same once more is the same
	request = s.shows(`(rqs_\w+) +waiting +coldspend`, "treasury", "list")[1]
	s.agree(request, "bob", "cem")
	s.bring(request)
	s.shows(`done +coldspend`, "treasury", "list", "--all")
	if has := s.do("faucet", "balance", "BTC", auditor); !strings.Contains(has, "2.9") { // the same stranger as before
		t.Errorf("the auditor has %s", has)
	}
	if out := s.do("check"); !strings.Contains(out, "all invariants") {
		t.Errorf("check says %s", out)
	}
}

// bring has two cosigners sign a refill, each with nothing but the vault's description, a
// key of their own and the file.
func (s *staff) bring(request string) {
	s.t.Helper()
	psbt := s.file(request + ".psbt")
	s.until(s.t, "the refill's transaction", within, func() bool {
		_, err := s.command("treasury", "psbt", request, "--out", psbt)
		return err == nil
	})
	s.refused("nobody has signed it", "treasury", "bring", request, psbt)
	for _, person := range []string{"ada", "cem"} {
		dir := s.file(request + "-" + person)
		if err := os.Mkdir(dir, 0o700); err != nil {
			s.t.Fatal(err)
		}
		for from, to := range map[string]string{
			psbt: "refill.psbt", s.key(person, "cold.age"): "key.age", s.key(person, "cold.pass"): "pass",
			filepath.Join(s.dir, "treasury", "vaults", "cold-btc.json"): "vault.json",
		} {
			text, err := os.ReadFile(from)
			if err != nil {
				s.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, to), text, 0o600); err != nil {
				s.t.Fatal(err)
			}
		}
		at := func(name string) string { return filepath.Join(dir, name) }
		txid := regexp.MustCompile(`Transaction ([0-9a-f]{64})`).FindStringSubmatch(s.do("cold", "inspect", "--vault", at("vault.json"), at("refill.psbt")))
		if txid == nil {
			s.t.Fatal("inspect names no transaction")
		}
		s.do("cold", "sign", "--vault", at("vault.json"), "--key", at("key.age"), "--passphrase-file", at("pass"),
			"--yes-i-have-compared", txid[1], "--out", at("signed.psbt"), at("refill.psbt"))
		s.do("treasury", "bring", request, at("signed.psbt"))
	}
}

// Cosigners of a cold vault prove that they hold their keys, each in a folder of their own,
// without anything moving.
func (s *staff) drill(vault, description string) {
	s.t.Helper()
	dir := s.t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	opened := s.do("treasury", "drill", "open", vault, "--out", at("drill.json"))
	hash := regexp.MustCompile(`SHA-256 of the text: ([0-9a-f]{64})`).FindStringSubmatch(opened)
	if hash == nil {
		s.t.Fatal(opened)
	}
	describe := filepath.Join(s.dir, "treasury", "vaults", description+".json")
	var signed []string
	for _, person := range []string{"bob", "cem"} {
		signed = append(signed, at(person+".json"))
		s.do("cold", "sign", "--vault", describe, "--key", s.key(person, "cold.age"), "--passphrase-file", s.key(person, "cold.pass"),
			"--yes-i-have-compared", hash[1], "--out", at(person+".json"), at("drill.json"))
	}
	s.refused("1 of the vault's keys signed, it takes 2", "treasury", "drill", "bring", signed[0])
	s.do("cold", "combine", "--vault", describe, "--out", at("both.json"), signed[0], signed[1])
	s.refused("not sent", "cold", "finish", "--vault", describe, at("both.json"))
	if out := s.do("treasury", "drill", "bring", at("both.json")); !strings.Contains(out, vault+" is under control") {
		s.t.Errorf("bring says %s", out)
	}
}

// An officer stops all signing, and as many as sign rosters let it go on.
func TestOfficersStopAndResumeSigning(t *testing.T) {
	run := start(t, stateDir(t), "up", "--no-tour", "--no-sim")
	run.await(t, "Ctrl-C stops everything")
	s := &staff{process: run, t: t}
	s.refused("only officers freeze", "treasury", "freeze", "--person", "cem", "--key", s.key("cem", "api.json"), "--reason", "odd payments")
	s.do("treasury", "freeze", "--person", "ada", "--key", s.key("ada", "passkey.json"), "--reason", "odd payments")
	run.kill(t, "signer") // it stays frozen
	run.awaitReady(t, "signer", within)
	request := s.shows(`(rqs_\w+) asks 2 of officers`, "treasury", "unfreeze", "--person", "cem", "--reason", "it was nothing")[1]
	s.agree(request, "ada", "bob")
	s.shows(`done +unfreeze`, "treasury", "list", "--all")
	s.refused("no officer's freeze stands", "treasury", "unfreeze", "--person", "cem", "--reason", "again")
	var policy struct {
		Version uint64 `json:"version"`
	}
	if err := json.Unmarshal([]byte(s.do("policy", "show")), &policy); err != nil || policy.Version != 1 {
		t.Errorf("policy %d, %v", policy.Version, err)
	}
	s.drill("cold-btc", "cold-btc")
	s.drill("cold-ltc", "cold-ltc")
	s.drill("cold-usdc", "cold-eth")
	s.refused("the signer holds the keys", "treasury", "drill", "open", "hot-btc", "--out", s.file("hot.json"))
	s.shows(`every vault has a recent proof`, "treasury", "drill")
}
