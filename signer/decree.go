package signer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"strongroom/treasury/consent"
	"strongroom/treasury/policy"
)

const (
	documentFolder   = "treasury"
	maxDocumentBytes = consent.MaxRosterBytes + 64<<10 // a roster and its signatures
)

// decree is what people or officers decided, as the journal keeps it. Document names the
// file beside the journal that has its text.
type decree struct {
	Document  string          `json:"document,omitempty"` // SHA-256 in hex
	Intent    string          `json:"intent,omitempty"`   // canonical
	Approvals []approval      `json:"approvals,omitempty"`
	Counts    []consent.Count `json:"counts,omitempty"`
	Freeze    *consent.Freeze `json:"freeze,omitempty"`
	Disallow  *payee          `json:"disallow,omitempty"`
}

// payee is who may pay where.
type payee struct {
	Owner string `json:"owner"`
	Chain string `json:"chain"`
	Place string `json:"place"`
}

// grant is why something is signed, as the journal keeps it.
type grant struct {
	Text    string          `json:"text,omitempty"` // canonical intent; of what stays with our keys there is none
	Class   policy.Class    `json:"class,omitempty"`
	Outcome policy.Outcome  `json:"outcome"`
	Rule    string          `json:"rule,omitempty"` // layer/rule
	Digest  string          `json:"digest"`         // of text and approvals
	Counts  []consent.Count `json:"counts,omitempty"`
}

// requester is who asked: of what the signer's own rules move, those.
func (g *grant) requester(k kind) string {
	if g == nil {
		return "unknown:" + string(k) // of before consent was verified
	}
	var text struct {
		Requester string `json:"requester"`
	}
	if err := json.Unmarshal([]byte(g.Text), &text); err != nil || text.Requester == "" {
		return ownRequester + string(k)
	}
	return text.Requester
}

// entry is an entry of an allow-list, in the form of treasury/addressbook without how far
// it has come.
type entry struct {
	ID         string   `json:"id"`
	Owner      string   `json:"owner"`
	Chain      string   `json:"chain"`
	Address    string   `json:"address"`
	Label      string   `json:"label"`
	State      string   `json:"state"`
	ProposedAt int64    `json:"proposedAt"`
	Wait       int64    `json:"wait"`
	Alike      []string `json:"alike,omitempty"`
}

// maxWait is the longest that an entry cools down.
const maxWait = 90 * 24 * time.Hour

// parseEntry reads the form that is hashed, and nothing else. It returns the Document of
// the intent that allows it. Errors wrap ErrInvalid.
func parseEntry(text []byte) (e entry, document string, err error) {
	if err := json.Unmarshal(text, &e); err != nil {
		return e, "", fmt.Errorf("%w: entry: %w", ErrInvalid, err)
	}
	again, err := json.Marshal(e)
	if err != nil || string(again) != string(text) { // other members, doubled ones, spaces
		return e, "", fmt.Errorf("%w: entry: it is not in the form that is hashed", ErrInvalid)
	}
	if e.ID == "" || e.Owner == "" || e.State != "" || e.Wait <= 0 || e.Wait > int64(maxWait/time.Second) {
		return e, "", fmt.Errorf("%w: entry: id, owner and a wait of at most 90 days are needed, and no state", ErrInvalid)
	}
	sum := sha256.Sum256(append([]byte("strongroom address 1\n"), text...))
	return e, hex.EncodeToString(sum[:]), nil
}

// putDocument keeps a text durably and returns the name by which the journal knows it.
func putDocument(state string, text []byte) (name string, err error) {
	sum := sha256.Sum256(text)
	name = hex.EncodeToString(sum[:])
	folder := filepath.Join(state, documentFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("%w: create folder of documents: %w", ErrJournal, err)
	}
	file := filepath.Join(folder, name)
	temporary := file + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%w: %w", ErrJournal, err)
	}
	if err := writeSynced(temporary, text); err != nil {
		return "", fmt.Errorf("%w: %w", ErrJournal, err)
	}
	if err := os.Rename(temporary, file); err != nil {
		return "", fmt.Errorf("%w: %w", ErrJournal, err)
	}
	if err := errors.Join(syncFolder(folder), syncFolder(state)); err != nil {
		return "", fmt.Errorf("%w: %w", ErrJournal, err)
	}
	return name, nil
}

// getDocument reads a text that the journal names.
func getDocument(state, name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Clean(filepath.Join(state, documentFolder, filepath.Base(name))))
	if err != nil {
		return nil, fmt.Errorf("%w: document: %w", ErrJournal, err)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != name {
		return nil, fmt.Errorf("%w: document %.64s was changed", ErrJournal, name)
	}
	return text, nil
}
