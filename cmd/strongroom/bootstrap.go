package main

import (
	"path/filepath"

	"strongroom/identity"
	"strongroom/internal/pg"
)

// bootstrapCommand makes the operator's first key.
type bootstrapCommand struct {
	stateFlag

	Database string `name:"database-url" help:"PostgreSQL connection string." env:"STRONGROOM_DATABASE_URL" required:"" placeholder:"URL"`
	SealKey  string `name:"identity-key-file" help:"File of the key that seals API secrets; made where missing. Default: secrets/identity.key in the state folder." env:"STRONGROOM_IDENTITY_KEY_FILE" placeholder:"FILE"`
}

// Run makes the key once: called again, it finds the same.
func (c *bootstrapCommand) Run(e *env) error {
	file, key, err := bootstrap(e, c.Database, sealFile(c.SealKey, c.Dir), c.Dir)
	if err != nil {
		return err
	}
	e.printf("operator key %s in %s\n", key, file)
	return nil
}

// adminFile is where the operator's credential lies.
func adminFile(dir string) string { return filepath.Join(dir, "secrets", "admin.json") }

func bootstrap(e *env, database, seal, dir string) (file, key string, err error) {
	pool, err := pg.Open(e.ctx, database)
	if err != nil {
		return "", "", err
	}
	defer pool.Close()
	sealer, err := identity.SealerFromFile(seal)
	if err != nil {
		return "", "", err
	}
	ids, err := identity.New(identity.Config{Pool: pool, Sealer: sealer, Clock: e.clock})
	if err != nil {
		return "", "", err
	}
	cred, err := ids.BootstrapOperator(e.ctx, adminFile(dir))
	return adminFile(dir), cred.Key, err
}
