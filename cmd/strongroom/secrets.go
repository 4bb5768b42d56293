package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"strongroom/identity"
	"strongroom/internal/mtls"
)

// secretsCommand makes what docker-compose.yml mounts.
type secretsCommand struct {
	Out string `arg:"" name:"dir" help:"Folder, such as deploy/secrets. What exists there is kept."`
}

const secretBytes = 32

// Run makes what is missing: passwords, keys, certificates, and the env file that
// names the database's password and the user of the containers. Each process gets
// a folder of its own with no more than it needs; the authority's key is mounted
// nowhere, for whoever has it can pose as the worker before the signer.
func (c *secretsCommand) Run(e *env) error {
	in := func(parts ...string) string { return filepath.Join(append([]string{c.Out}, parts...)...) }
	if err := secretFolders(in); err != nil {
		return err
	}
	password, err := ensureSecret(in("postgres-password"))
	if err != nil {
		return err
	}
	redis, err := ensureSecret(in("redis-password"))
	if err != nil {
		return err
	}
	for _, file := range []string{in("worker", "payload-key"), in("signer", "passphrase")} {
		if _, err := ensureSecret(file); err != nil {
			return err
		}
	}
	if _, err := identity.SealerFromFile(in("api", "identity.key")); err != nil {
		return err
	}
	if err := certificates(in); err != nil {
		return err
	}
	text := fmt.Sprintf("STRONGROOM_POSTGRES_PASSWORD=%s\nSTRONGROOM_REDIS_PASSWORD=%s\nSTRONGROOM_USER=%d:%d\n", password, redis, os.Getuid(), os.Getgid())
	if err := os.WriteFile(in(".env"), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write env file: %w", err)
	}
	e.printf("secrets are in %s; keep them out of version control\n", c.Out)
	e.printf("next: copy deploy/config/chains.example.json to %s and name your nodes\n", in("chains.json"))
	return nil
}

// matchingNodes are those of docker-compose.yml with deploy/three-nodes.yml.
func matchingNodes() []string { return []string{"matching-1", "matching-2", "matching-3"} }

// holders are the processes with a certificate, and the names in what each is shown.
func holders() map[string][]string {
	names := map[string][]string{"signer": {"signer"}, "worker": {"worker"}, "api": {"api"}, "trading": {"trading"}}
	for _, node := range matchingNodes() {
		names[node] = []string{matchingServer, node} // the one for callers, the other for its peers
	}
	return names
}

func secretFolders(in func(...string) string) error {
	dirs := []string{in("signer-state"), in("authority")}
	for _, node := range matchingNodes() {
		dirs = append(dirs, in(node+"-state"))
	}
	for process := range holders() {
		dirs = append(dirs, in(process, "tls"))
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	return nil
}

// certificates issues those that are missing and hands each process its own.
func certificates(in func(...string) string) error {
	for process, names := range holders() {
		if err := mtls.EnsureDev(in("authority"), names...); err != nil {
			return fmt.Errorf("issue certificates: %w", err)
		}
		files := []string{"ca.pem"}
		for _, name := range names {
			files = append(files, name+".pem", name+"-key.pem")
		}
		if err := handOut(in("authority"), in(process, "tls"), files...); err != nil {
			return err
		}
	}
	if err := mtls.EnsureDev(in("authority"), "cli"); err != nil {
		return fmt.Errorf("issue certificates: %w", err)
	}
	return nil
}

// ensureSecret returns a secret, drawing it where the file is missing.
func ensureSecret(file string) (string, error) {
	have, err := os.ReadFile(file) //nolint:gosec // the operator names the folder
	if err == nil {
		return string(have), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	drawn := make([]byte, secretBytes)
	if _, err := rand.Read(drawn); err != nil {
		return "", fmt.Errorf("draw secret: %w", err)
	}
	text := hex.EncodeToString(drawn)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", file, err)
	}
	return text, nil
}

// handOut copies certificates to the folder of the process that they are for.
func handOut(from, to string, names ...string) error {
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(from, name)) //nolint:gosec // the operator names the folder
		if err != nil {
			return fmt.Errorf("read certificate: %w", err)
		}
		if err := os.WriteFile(filepath.Join(to, name), raw, 0o600); err != nil { //nolint:gosec // the operator names the folder
			return fmt.Errorf("copy certificate: %w", err)
		}
	}
	return nil
}
