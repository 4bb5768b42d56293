package deploy

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"strongroom/internal/testenv"
)

const (
	patience = 30 * time.Second
	pause    = 100 * time.Millisecond
)

// TestNodesOfMatchingStart makes the secrets, makes the nodes and serves, with the programs,
// settings and files that the containers have, on this machine: a leader must come, and a
// caller that the rights do not name must be refused.
func TestNodesOfMatchingStart(t *testing.T) {
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", bin+"/", "./cmd/matching", "./cmd/strongroom")
	build.Dir = testenv.Root(t)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for name, f := range forms() {
		t.Run(name, func(t *testing.T) {
			s := &site{t: t, bin: bin, dir: t.TempDir(), project: project(t, f.files...), ports: map[string]string{}}
			s.must("strongroom", nil, "secrets", s.path("deploy/secrets"))
			s.everythingIsThere()
			for _, node := range f.nodes {
				s.must("matching", s.env(node), "init")
			}
			var addresses []string
			for _, node := range f.nodes {
				s.start(node)
				addresses = append(addresses, s.at(node+":7543"))
			}
			s.leads(f.nodes[0], len(f.nodes), strings.Join(addresses, ","))
			if out, err := s.status(f.nodes[0], f.nodes[0], addresses[0]); err == nil || !strings.Contains(string(out), "no business here") {
				t.Errorf("who is not among the rights is answered %s", out)
			}
			s.knowsItsFlags()
		})
	}
}

// site is a machine on which the containers of a project are processes.
type site struct {
	t        *testing.T
	bin, dir string
	project  *types.Project
	ports    map[string]string // by address in the project
}

func (s *site) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// at is the loopback address that stands for a container's.
func (s *site) at(address string) string {
	if s.ports[address] == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.t.Fatal(err)
		}
		s.ports[address] = l.Addr().String()
		if err := l.Close(); err != nil {
			s.t.Fatal(err)
		}
	}
	return s.ports[address]
}

// everythingIsThere compares what is mounted with what was made.
func (s *site) everythingIsThere() {
	s.t.Helper()
	for name, service := range s.project.Services {
		for _, v := range service.Volumes {
			if !strings.Contains(v.Source, "deploy/secrets/") {
				continue
			}
			if _, err := os.Stat(s.path("deploy/secrets", filepath.Base(v.Source))); err != nil {
				s.t.Errorf("%s mounts what strongroom secrets does not make: %v", name, err)
			}
		}
	}
	made, err := os.ReadFile(s.path("deploy/secrets/.env"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, variable := range []string{"STRONGROOM_POSTGRES_PASSWORD=", "STRONGROOM_REDIS_PASSWORD=", "STRONGROOM_USER="} {
		if !strings.Contains(string(made), variable) {
			s.t.Errorf("the env file lacks %s", variable)
		}
	}
}

// env is a node's environment, with this machine's folders and ports.
func (s *site) env(node string) []string {
	s.t.Helper()
	service := s.project.Services[node]
	var swaps []string
	for _, v := range service.Volumes {
		swaps = append(swaps, v.Target+"/", s.path("deploy/secrets", filepath.Base(v.Source))+"/")
	}
	for _, c := range service.Configs {
		swaps = append(swaps, c.Target, s.project.Configs[c.Source].File)
	}
	for _, port := range []string{"7543", "7545"} {
		swaps = append(swaps, "0.0.0.0:"+port, s.at(node+":"+port))
	}
	for other := range s.project.Services {
		if strings.HasPrefix(other, "matching-") {
			swaps = append(swaps, "@"+other+":7544", "@"+s.at(other+":7544"))
		}
	}
	swap, env := strings.NewReplacer(swaps...), []string{}
	for key, value := range service.Environment {
		env = append(env, key+"="+swap.Replace(*value))
	}
	return env
}

// must runs a program to its end.
func (s *site) must(program string, env []string, args ...string) []byte {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.bin, program), args...)
	cmd.Env = env
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s %v: %v\n%s", program, args, err, &said)
	}
	return out
}

// start runs a node until the test ends.
func (s *site) start(node string) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, "matching"), s.project.Services[node].Command...)
	cmd.Env = s.env(node)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if s.t.Failed() {
			s.t.Logf("%s: %s", node, &said)
		}
	})
}

// leads waits until one node leads and the others say where they are.
func (s *site) leads(node string, nodes int, addresses string) {
	s.t.Helper()
	var out []byte
	var err error
	for range int(patience / pause) {
		out, err = s.status(node, "matching", addresses)
		var said []struct {
			Error   string `json:"error"`
			Leading bool   `json:"leading"`
		}
		leading := 0
		if json.Unmarshal(out, &said) == nil {
			for _, n := range said {
				if n.Leading && n.Error == "" {
					leading++
				}
			}
		}
		if err == nil && leading == 1 && len(said) == nodes && !strings.Contains(string(out), `"error"`) {
			return
		}
		time.Sleep(pause) //nolint:forbidigo // processes start in real time
	}
	s.t.Fatalf("no node leads, or one does not answer: %v\n%s", err, out)
}

// status asks nodes what they say of themselves, by a certificate of a node's folder.
func (s *site) status(node, name, addresses string) ([]byte, error) {
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.bin, "matching"), "status", "--name", name, "--addresses", addresses)
	cmd.Env = s.env(node)
	return cmd.Output()
}

// knowsItsFlags looks for names in the nodes' configuration that mean nothing: these would
// be passed over in silence, and a bound be another one than was written.
func (s *site) knowsItsFlags() {
	s.t.Helper()
	raw, err := os.ReadFile(s.project.Configs["matching"].File)
	if err != nil {
		s.t.Fatal(err)
	}
	var values map[string]any
	if err := json.Unmarshal(raw, &values); err != nil {
		s.t.Fatal(err)
	}
	help := string(s.must("matching", nil, "init", "--help"))
	for name := range values {
		if !strings.Contains(help, "--"+name+"=") {
			s.t.Errorf("matching has no flag --%s", name)
		}
	}
}
