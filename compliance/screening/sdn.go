package screening

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Shape of OFAC's files (its own data format description): twelve columns in
// sdn.csv, of which the first is the entry's number, the second the name and the
// last the remarks; two columns, number and the remarks' continuation, in
// sdn_comments.csv. A file ends with a line that is one control character.
const (
	listColumns    = 12
	commentColumns = 2
	endOfFile      = "\x1a"
	noValue        = "-0-"
)

// Bounds of one list.
const (
	maxRows      = 500_000
	maxAddresses = 1_000_000
	maxNumber    = 12 // digits of an entry's number
)

// mark begins an address in the remarks: "Digital Currency Address - XBT 1…;".
const mark = "Digital Currency Address - "

// shortest is the least length of an address of any chain. What is shorter was
// cut: remarks end after 1,000 characters and go on in sdn_comments.csv.
const shortest = 14

// remarks collects what a list says of its parties.
type remarks struct {
	order []string
	name  map[string]string
	text  map[string]string
	rows  int
}

func newRemarks() *remarks { return &remarks{name: map[string]string{}, text: map[string]string{}} }

// read takes in one file. Errors wrap ErrFormat, or are the reader's.
func (m *remarks) read(r io.Reader) error {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = -1
	rows.ReuseRecord = true
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			return fmt.Errorf("%w: %w", ErrFormat, broken)
		}
		if err != nil {
			return fmt.Errorf("read list: %w", err)
		}
		if len(row) == 1 && strings.TrimSpace(row[0]) == endOfFile {
			continue
		}
		if err := m.row(row); err != nil {
			line, _ := rows.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func (m *remarks) row(row []string) error {
	if m.rows++; m.rows > maxRows {
		return fmt.Errorf("%w: more than %d rows", ErrFormat, maxRows)
	}
	number := strings.TrimSpace(row[0])
	if !isNumber(number) {
		return fmt.Errorf("%w: %.20q is no entry's number", ErrFormat, number)
	}
	text := strings.TrimSpace(row[len(row)-1])
	switch len(row) {
	case listColumns:
		if _, twice := m.name[number]; twice {
			return fmt.Errorf("%w: entry %s is there twice", ErrFormat, number)
		}
		m.name[number] = strings.Clone(strings.TrimSpace(row[1]))
		m.order = append(m.order, number)
	case commentColumns:
		if _, known := m.name[number]; !known {
			return fmt.Errorf("%w: remarks of entry %s, which is not there", ErrFormat, number)
		}
	default:
		return fmt.Errorf("%w: %d columns", ErrFormat, len(row))
	}
	if text != noValue {
		m.text[number] += text
	}
	return nil
}

func isNumber(s string) bool {
	return s != "" && len(s) <= maxNumber && strings.Trim(s, "0123456789") == ""
}

// entries returns every address in the remarks, in the list's order, and how
// many were cut in a place that no continuation mends.
func (m *remarks) entries() (list []Entry, cut int, err error) {
	for _, number := range m.order {
		for rest := m.text[number]; ; {
			_, after, found := strings.Cut(rest, mark)
			if !found {
				break
			}
			item, left, _ := strings.Cut(after, ";")
			rest = left
			words := strings.Fields(strings.TrimSuffix(strings.TrimSpace(item), "."))
			if len(words) != 2 || len(words[1]) < shortest {
				cut++
				continue
			}
			list = append(list, Entry{Currency: words[0], Address: words[1], Party: number + " " + m.name[number]})
			if len(list) > maxAddresses {
				return nil, cut, fmt.Errorf("%w: more than %d addresses", ErrFormat, maxAddresses)
			}
		}
	}
	return list, cut, nil
}
