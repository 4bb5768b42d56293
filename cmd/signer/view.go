package main

import (
	"encoding/hex"

	signerv1 "strongroom/internal/gen/signer/v1"
)

// statusView is the printed form of a signer's status.
type statusView struct {
	JournalEntries uint64    `json:"journalEntries"`
	JournalHead    string    `json:"journalHead"`
	Frozen         bool      `json:"frozen"`
	Caps           []capView `json:"caps"`
}

// capView is one withdrawal cap with its use, in base units.
type capView struct {
	Asset          string `json:"asset"`
	PerTransaction string `json:"perTransaction"`
	PerHour        string `json:"perHour"`
	PerDay         string `json:"perDay"`
	UsedHour       string `json:"usedHour"`
	UsedDay        string `json:"usedDay"`
}

func viewOf(s *signerv1.StatusResponse) statusView {
	view := statusView{
		JournalEntries: s.GetJournalEntries(), JournalHead: hex.EncodeToString(s.GetJournalHead()),
		Frozen: s.GetFrozen(), Caps: []capView{},
	}
	for _, c := range s.GetCaps() {
		view.Caps = append(view.Caps, capView{
			c.GetAsset(), c.GetPerTransaction(), c.GetPerHour(), c.GetPerDay(), c.GetUsedHour(), c.GetUsedDay(),
		})
	}
	return view
}
