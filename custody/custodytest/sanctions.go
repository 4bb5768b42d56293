package custodytest

import (
	"context"
	"slices"
	"sync"

	"strongroom/chainadapters"
	"strongroom/custody"
)

// Sanctions is a list that tests write. It names nobody at first.
type Sanctions struct {
	mu     sync.Mutex
	listed []string
	broken error
}

// List puts addresses on the list, in place of all before.
func (s *Sanctions) List(addresses ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed = addresses
}

// Break makes every answer err; nil heals.
func (s *Sanctions) Break(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = err
}

// Screen implements the screeners of desk and intake.
func (s *Sanctions) Screen(_ context.Context, _ chainadapters.ChainID, addresses []string) ([]custody.Finding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil, s.broken
	}
	var found []custody.Finding
	for _, a := range addresses {
		if slices.Contains(s.listed, a) {
			found = append(found, custody.Finding{Address: a, List: "test", Version: "1", Entry: "7 LISTED, Person", Currency: "XTS"})
		}
	}
	return found, nil
}
