package treasurypages

import "testing"

// What the storybook makes up is valid: requests have their hash, policies can be read,
// vaults can be planned for.
func TestWhatTheStorybookMakesUpIsValid(t *testing.T) {
	p := open(t).pages
	f := p.fixtures()
	for _, s := range stories() {
		if _, err := s.make(p, f, p.shell(f.roster.Person("ada"), "")); err != nil {
			t.Errorf("%s: %v", s.Path, err)
		}
	}
	for _, r := range f.requests() {
		if want, err := r.Intent.Hash(); err != nil || r.Hash != want {
			t.Errorf("%s: hash %s, want %s, %v", r.ID, r.Hash, want, err)
		}
	}
}
