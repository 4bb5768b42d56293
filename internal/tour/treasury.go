package tour

import "context"

// agree has people of the house agree to a withdrawal.
func (t *Tour) agree(ctx context.Context, asset, withdrawal string) error {
	if t.cfg.Agree == nil {
		return nil // somebody else will
	}
	lines, err := t.cfg.Agree(ctx, withdrawal)
	for _, line := range lines {
		t.say("%-4s withdrawal %s: %s", asset, short(withdrawal), line)
	}
	return err
}

// sweep waits until what hot wallets hold above their caps is in vaults.
func (t *Tour) sweep(ctx context.Context) error {
	if t.cfg.Swept == nil {
		return nil
	}
	said := map[string]bool{}
	return t.patiently(ctx, "follow sweeps", func(ctx context.Context) (bool, error) {
		lines, calm, err := t.cfg.Swept(ctx)
		for _, line := range lines {
			if !said[line] {
				t.say("%s", line)
				said[line] = true
			}
		}
		return calm, err
	})
}
