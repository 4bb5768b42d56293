package stack

import (
	"cmp"
	"slices"

	"strongroom/internal/devstack"
)

// Status is what a folder's stack is doing.
type Status struct {
	Dir      string            `json:"dir"`
	Running  bool              `json:"running"`
	PID      int               `json:"pid,omitempty"` // of the supervisor
	Ports    map[string]int    `json:"ports"`
	Services []devstack.State  `json:"services"`
	URLs     map[string]string `json:"urls"`
}

// Status reads the folder; it changes and asks nothing.
func (l Layout) Status() (Status, error) {
	settings, err := l.ReadSettings()
	if err != nil {
		return Status{}, err
	}
	st := Status{Dir: l.Dir, PID: l.Running(), Ports: settings.Ports, Services: []devstack.State{}, URLs: map[string]string{}}
	st.Running = st.PID != 0
	records, err := l.readRecords()
	if err != nil {
		return Status{}, err
	}
	for _, r := range records {
		if !r.alive() {
			r.PID, r.Ready = 0, false
		}
		st.Services = append(st.Services, r.State)
	}
	// In the order of start, which is the order in which they need each other.
	slices.SortFunc(st.Services, func(a, b devstack.State) int { return cmp.Compare(a.Order, b.Order) })
	if len(settings.Ports) > 0 {
		st.URLs = urls(settings.Ports)
	}
	return st, nil
}

// urls are what people open.
func urls(ports map[string]int) map[string]string {
	return map[string]string{
		"api":         "http://" + devstack.Loopback(ports[portAPI]),
		"docs":        "http://" + devstack.Loopback(ports[portAPI]) + "/docs",
		"trade":       "http://" + devstack.Loopback(ports[portAPI]) + "/trade",
		"treasury":    TreasuryOrigin(ports[portTreasury]) + "/treasury",
		"temporal-ui": "http://" + devstack.Loopback(ports[portTemporalUI]),
	}
}
