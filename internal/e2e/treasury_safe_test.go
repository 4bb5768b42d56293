package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What is too much ether and dollars in the hot wallet goes into the people's Safe, and what
// then lacks comes back: agreed to by people, signed by two owners in folders of their own
// without a platform, and sent by the hot wallet.
func TestEtherGoesThroughTheSafe(t *testing.T) {
	run := start(t, stateDir(t), "up", "--no-tour", "--no-sim", "--evm", "geth")
	run.await(t, "Ctrl-C stops everything")
	s := &staff{process: run, t: t}
	s.do("bootstrap")
	s.do("customers", "create", "Grace", "--out", s.file("grace.json"))
	s.env = []string{"STRONGROOM_KEY_FILE=" + s.file("grace.json")}
	for asset, amount := range map[string]string{"ETH": "60", "USDC": "260000"} {
		s.do("faucet", "pay", asset, amount, s.shows(`"address": "([^"]+)"`, "address", asset)[1])
	}
	s.shows(`sweep .*hot-eth → cold-eth +final`, "treasury", "vaults")
	s.shows(`sweep .*hot-usdc → cold-usdc +final`, "treasury", "vaults")

	s.payOut("ETH", "27")
	s.payOut("USDC", "95000")
	for _, asset := range []string{"ETH", "USDC"} {
		request := s.shows(`(rqs_\w+) +waiting +refill +\S+ `+asset, "treasury", "list")[1]
		s.agree(request, "bob", "cem")
		s.bringSafe(request, strings.ToLower(asset))
		s.shows(`refill +\S+ `+asset+` +cold-\w+ → hot-\w+ +final`, "treasury", "vaults")
	}
	s.shows(`done +refill .*ETH`, "treasury", "list", "--all")
	if out := s.do("check"); !strings.Contains(out, "all invariants") {
		t.Errorf("check says %s", out)
	}
}

// payOut is a withdrawal that people agree to.
func (s *staff) payOut(asset, amount string) {
	s.t.Helper()
	s.do("withdraw", asset, amount, strings.TrimSpace(s.do("faucet", "address", asset)))
	request := s.shows(`(rqs_\w+) +waiting +withdrawal +\S+ `+asset, "treasury", "list", "--person", "cem")[1]
	s.agree(request, "ada", "cem")
	s.shows(`"asset": "`+asset+`"[^}]*"state": "posted"`, "withdrawals")
}

// bringSafe has two owners of the Safe sign a refill, each with nothing but the vault's
// description, a key of their own and the file.
func (s *staff) bringSafe(request, name string) {
	s.t.Helper()
	offered := s.file(name + ".json")
	s.until(s.t, "the refill's transaction", within, func() bool {
		_, err := s.command("treasury", "psbt", request, "--out", offered)
		return err == nil
	})
	s.refused("nobody has signed it", "treasury", "bring", request, offered)
	for _, person := range []string{"ada", "bob"} {
		dir := s.file(name + "-" + person)
		if err := os.Mkdir(dir, 0o700); err != nil {
			s.t.Fatal(err)
		}
		at := func(name string) string { return filepath.Join(dir, name) }
		for from, to := range map[string]string{
			offered: "refill.json", s.key(person, "cold.age"): "key.age", s.key(person, "cold.pass"): "pass",
			filepath.Join(s.dir, "treasury", "vaults", "cold-eth.json"): "vault.json",
		} {
			text, err := os.ReadFile(from)
			if err != nil {
				s.t.Fatal(err)
			}
			if err := os.WriteFile(at(to), text, 0o600); err != nil {
				s.t.Fatal(err)
			}
		}
		hash := regexp.MustCompile(`safeTxHash +(0x[0-9a-f]{64})`).FindStringSubmatch(s.do("cold", "inspect", "--vault", at("vault.json"), at("refill.json")))
		if hash == nil {
			s.t.Fatal("inspect names no hash")
		}
		s.do("cold", "sign", "--vault", at("vault.json"), "--key", at("key.age"), "--passphrase-file", at("pass"),
			"--yes-i-have-compared", hash[1], "--out", at("signed.json"), at("refill.json"))
		s.do("treasury", "bring", request, at("signed.json"))
	}
}
