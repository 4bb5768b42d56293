package assets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"strongroom/chainadapters"
	"strongroom/money"
)

// maxGenesis bounds the size of a genesis file.
const maxGenesis = 1 << 20

// definition is an asset as the genesis file writes it: amounts are decimal
// strings in wholes of the asset.
type definition struct {
	Code          string           `json:"code"`
	Name          string           `json:"name"`
	Chain         string           `json:"chain"`
	Contract      string           `json:"contract,omitempty"`
	Scale         uint8            `json:"scale"`
	Native        bool             `json:"native"`
	MinDeposit    string           `json:"minDeposit"`
	MinWithdrawal string           `json:"minWithdrawal"`
	WithdrawalFee string           `json:"withdrawalFee"`
	Tiers         []tierDefinition `json:"tiers"`
	FinalDepth    uint64           `json:"finalDepth"`
	DailyLimit    string           `json:"dailyLimit"`
	State         State            `json:"state"`
	Traits        []Trait          `json:"traits,omitempty"`
}

type tierDefinition struct {
	UpTo              string `json:"upTo,omitempty"` // absent for any amount
	CreditDepth       uint64 `json:"creditDepth"`
	WithdrawableDepth uint64 `json:"withdrawableDepth"`
}

type genesis struct {
	Assets []definition `json:"assets"`
}

// ReadFile parses a genesis file. Errors wrap ErrInvalid, or say what the file
// system said.
func ReadFile(path string) ([]Asset, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("open assets file: %w", err)
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, maxGenesis+1))
	if err != nil {
		return nil, fmt.Errorf("read assets file: %w", err)
	}
	return Parse(raw)
}

// Parse reads {"assets":[…]}. Unknown members, trailing data, repeated codes
// and anything that Validate refuses are errors that wrap ErrInvalid.
func Parse(raw []byte) ([]Asset, error) {
	if len(raw) > maxGenesis {
		return nil, fmt.Errorf("%w: file exceeds %d bytes", ErrInvalid, maxGenesis)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var g genesis
	if err := dec.Decode(&g); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: the file goes on after its document", ErrInvalid)
	}
	if len(g.Assets) > maxAssets {
		return nil, fmt.Errorf("%w: more than %d assets", ErrInvalid, maxAssets)
	}
	seen := map[string]bool{}
	out := make([]Asset, 0, len(g.Assets))
	for _, d := range g.Assets {
		a, err := d.asset()
		if err != nil {
			return nil, err
		}
		place := string(a.Chain) + "/" + a.Contract
		if seen[a.Code] || seen[place] {
			return nil, fmt.Errorf("%w: %q: code or contract appears twice", ErrInvalid, a.Code)
		}
		seen[a.Code], seen[place] = true, true
		out = append(out, a)
	}
	return out, nil
}

func (d definition) asset() (Asset, error) {
	a := Asset{
		Code: d.Code, Name: d.Name, Chain: chainadapters.ChainID(d.Chain), Contract: d.Contract,
		Scale: d.Scale, Native: d.Native, FinalDepth: d.FinalDepth, State: d.State,
		Traits: d.Traits,
	}
	amounts := []struct {
		name, text string
		into       *money.Units
	}{
		{"minDeposit", d.MinDeposit, &a.MinDeposit},
		{"minWithdrawal", d.MinWithdrawal, &a.MinWithdrawal},
		{"withdrawalFee", d.WithdrawalFee, &a.WithdrawalFee},
		{"dailyLimit", d.DailyLimit, &a.DailyLimit},
	}
	for i, t := range d.Tiers {
		a.Tiers = append(a.Tiers, Tier{CreditDepth: t.CreditDepth, WithdrawableDepth: t.WithdrawableDepth})
		if t.UpTo != "" {
			upTo, err := a.Money().Parse(t.UpTo)
			if err != nil {
				return Asset{}, fmt.Errorf("%w: %q: tiers[%d].upTo: %w", ErrInvalid, d.Code, i, err)
			}
			a.Tiers[i].UpTo = upTo
		}
	}
	for _, m := range amounts {
		units, err := a.Money().Parse(m.text)
		if err != nil {
			return Asset{}, fmt.Errorf("%w: %q: %s: %w", ErrInvalid, d.Code, m.name, err)
		}
		*m.into = units
	}
	return a, a.Validate()
}
