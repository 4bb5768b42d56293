// Package deploy holds the production-like form: images, configuration, alerts.
// Its tests read them as the tools that use them would.
package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"strongroom/assets"
	"strongroom/chainadapters"
	"strongroom/chainadapters/all"
	"strongroom/signer"
)

// project reads compose files, docker-compose.yml where none are named.
func project(t *testing.T, files ...string) *types.Project {
	t.Helper()
	if len(files) == 0 {
		files = []string{"../docker-compose.yml"}
	}
	options, err := cli.NewProjectOptions(files, cli.WithWorkingDirectory(".."),
		cli.WithEnv([]string{"STRONGROOM_POSTGRES_PASSWORD=x", "STRONGROOM_REDIS_PASSWORD=y", "STRONGROOM_USER=1000:1000"}))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatalf("%v: %v", files, err)
	}
	return p
}

func TestComposeKeepsToLoopbackAndToPinnedImages(t *testing.T) {
	for name, s := range project(t).Services {
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q, not on loopback alone", name, port.Published, port.HostIP)
			}
		}
		if tag := s.Image[strings.LastIndexByte(s.Image, ':')+1:]; s.Build == nil && (tag == s.Image || tag == "latest") {
			t.Errorf("%s runs %q, which is not pinned", name, s.Image)
		}
	}
}

// Only the two that need the signer share a network with it, and it is in no other.
func TestSignerIsReachableByWorkerAndAPIAlone(t *testing.T) {
	p := project(t)
	if got := p.Services["signer"].Networks; len(got) != 1 {
		t.Errorf("signer is on %d networks", len(got))
	}
	if !p.Networks["signing"].Internal {
		t.Error("the signer's network reaches the outside")
	}
	for name, s := range p.Services {
		_, on := s.Networks["signing"]
		if wanted := name == "signer" || name == "worker" || name == "api"; on != wanted {
			t.Errorf("%s on the signer's network: %v", name, on)
		}
	}
}

// Each process has its own secrets: the folder of another would let it pose as
// that one before the signer, and the authority's key as any.
func TestEachProcessHasItsOwnSecretsAlone(t *testing.T) {
	for name, s := range project(t, "../docker-compose.yml", "three-nodes.yml").Services {
		for _, v := range s.Volumes {
			secrets := strings.Contains(v.Source, "deploy/secrets/")
			if secrets && filepath.Base(v.Source) != name && filepath.Base(v.Source) != name+"-state" {
				t.Errorf("%s mounts %s", name, v.Source)
			}
		}
	}
}

func TestOurImagesHoldOneStaticBinary(t *testing.T) {
	files, err := filepath.Glob("images/*.Dockerfile")
	if err != nil || len(files) == 0 {
		t.Fatalf("no images: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var steps []string
		for line := range strings.Lines(string(raw)) {
			if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "" {
				steps = append(steps, strings.Fields(line)[0]+" "+strings.Fields(line)[1])
			}
		}
		if len(steps) != 4 || steps[0] != "FROM scratch" || !strings.HasPrefix(steps[1], "COPY bin/") || !strings.HasPrefix(steps[2], "USER ") {
			t.Errorf("%s: %v", file, steps)
		}
	}
}

func TestConfigurationIsWhatTheProcessesAccept(t *testing.T) {
	list, err := assets.ReadFile("config/assets.json")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("config/signer-policy.json")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := signer.ParsePolicy(raw)
	if err != nil {
		t.Fatal(err)
	}
	raw, err = os.ReadFile("config/chains.example.json")
	if err != nil {
		t.Fatal(err)
	}
	var chains []chainadapters.Config
	if err := json.Unmarshal(raw, &chains); err != nil { //nolint:musttag // read as cmd reads it
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, c := range chains {
		if _, err := all.Open(c); err != nil {
			t.Errorf("chain %s: %v", c.Chain, err)
		}
		known[string(c.Chain)] = true
	}
	capped := map[string]bool{}
	for _, a := range policy.Assets {
		capped[a.Code] = true
	}
	for _, a := range list {
		if !known[string(a.Chain)] || !capped[a.Code] {
			t.Errorf("%s: chain known %v, caps in the signer's policy %v", a.Code, known[string(a.Chain)], capped[a.Code])
		}
	}
}

// Who is woken finds the page that says what to do.
func TestAlertsNameTheirRunbooks(t *testing.T) {
	raw, err := os.ReadFile("config/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	book, err := os.ReadFile("../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for line := range strings.Lines(string(book)) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			headings[strings.ToLower(strings.ReplaceAll(title, " ", "-"))] = true
		}
	}
	alerts := strings.Split(string(raw), "- alert: ")[1:]
	for _, alert := range alerts {
		name, _, _ := strings.Cut(alert, "\n")
		_, rest, found := strings.Cut(alert, "docs/runbooks.md#")
		anchor, _, _ := strings.Cut(rest, `"`)
		if !found || !headings[anchor] {
			t.Errorf("%s: there is no page %q", name, anchor)
		}
	}
	if len(alerts) < 5 {
		t.Errorf("%d alerts", len(alerts))
	}
}
