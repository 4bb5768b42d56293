package treasurypages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/consent"
	"strongroom/treasury/policy"
)

// trialDays is how far back a trial looks where nobody says.
const trialDays = 30

// policiesView lists versions.
type policiesView struct {
	shell

	Rows []policyLine
	Next string // the policy in force with the next number, to begin a draft with
}

type policyLine struct {
	Version, State, From, Author, Reason, Request, Outcome, Published string
}

// policyView is one version.
type policyView struct {
	shell
	policyLine

	Document []string
	Diff     []string
	Text     string
	Layers   []layerLine
	Days     int
	Trial    *trialView
	Asset    string
	Above    string
	Alone    []string
	Anybody  bool // can move more than Above alone
	Codes    []string
	Draft    bool
}

type layerLine struct {
	Name  string
	Rules []ruleLine
}

type ruleLine struct{ Name, Note, When, Then string }

type trialView struct {
	Total, Changed int
	From           string
	Cut            bool
	Lines          []trialLine
}

type trialLine struct {
	Request, Was, Is, Sentence string
	Laxer                      bool
}

func policyRow(r *treasury.PolicyRow) policyLine {
	return policyLine{
		Version: strconv.FormatUint(r.Version, 10), State: string(r.State), From: when(r.NotBefore), Author: r.Author, Reason: r.Reason, Request: r.Request,
		Outcome: r.Outcome, Published: when(r.Published),
	}
}

func (p *Pages) policies(pg *page) error {
	rows, err := p.cfg.Policies.PolicyVersions(pg.Context())
	if err != nil {
		return err
	}
	v, err := viewPolicies(pg.shell, rows, p.cfg.Clock().Unix())
	if err != nil {
		return err
	}
	return p.show(pg, "policies.html", v)
}

func viewPolicies(s shell, rows []treasury.PolicyRow, now int64) (policiesView, error) {
	v := policiesView{shell: s.at("policies", "Policies")}
	for i := range rows {
		v.Rows = append(v.Rows, policyRow(&rows[i]))
		if rows[i].State != treasury.PolicyPublished {
			continue
		}
		is, err := policy.Parse([]byte(rows[i].Text))
		if err != nil {
			return v, fmt.Errorf("%w: policy %d: %w", treasury.ErrTampered, rows[i].Version, err)
		}
		const day = 24 * 60 * 60
		is.Version, is.NotBefore = rows[0].Version+1, now+day
		text, err := json.MarshalIndent(is, "", "  ")
		if err != nil {
			return v, fmt.Errorf("lay out policy: %w", err)
		}
		v.Next = string(text)
	}
	return v, nil
}

func (p *Pages) policy(pg *page) error {
	rows, err := p.cfg.Policies.PolicyVersions(pg.Context())
	if err != nil {
		return err
	}
	for i := range rows {
		if strconv.FormatUint(rows[i].Version, 10) != pg.PathValue("version") {
			continue
		}
		v, is, err := p.viewPolicy(pg.shell, rows, &rows[i])
		if err != nil {
			return err
		}
		if err := p.try(pg, &v, rows[i].Version); err != nil {
			return err
		}
		if err := p.alone(pg, &v, is, pg.roster); err != nil {
			return err
		}
		return p.show(pg, "policy.html", v)
	}
	return fmt.Errorf("policy %.20s: %w", pg.PathValue("version"), treasury.ErrUnknown)
}

func (p *Pages) viewPolicy(s shell, rows []treasury.PolicyRow, r *treasury.PolicyRow) (policyView, *policy.Policy, error) {
	v := policyView{
		shell: s.at("policies", "Policy "+strconv.FormatUint(r.Version, 10)), policyLine: policyRow(r), Document: chunks(r.Document), Days: trialDays,
		Draft: r.State == treasury.PolicyDraft,
	}
	is, err := policy.Parse([]byte(r.Text))
	if err != nil {
		return v, nil, fmt.Errorf("%w: policy %d: %w", treasury.ErrTampered, r.Version, err)
	}
	if v.Diff, v.Text, err = p.compare(rows, r.Text); err != nil {
		return v, nil, err
	}
	assets := map[string]bool{}
	for i := range is.Layers {
		layer := layerLine{Name: is.Layers[i].Name}
		for j := range is.Layers[i].Rules {
			rule := &is.Layers[i].Rules[j]
			line, err := ruleOf(rule)
			if err != nil {
				return v, nil, err
			}
			layer.Rules = append(layer.Rules, line)
			for _, code := range rule.When.Assets {
				if !assets[code] {
					assets[code], v.Codes = true, append(v.Codes, code)
				}
			}
		}
		v.Layers = append(v.Layers, layer)
	}
	return v, is, nil
}

func ruleOf(rule *policy.Rule) (ruleLine, error) {
	text, err := json.Marshal(rule.When)
	if err != nil {
		return ruleLine{}, fmt.Errorf("write rule %s: %w", rule.Name, err)
	}
	line := ruleLine{Name: rule.Name, Note: rule.Note, When: string(text), Then: string(rule.Outcome)}
	if rule.Requirement != nil {
		line.Then = rule.Requirement.String() + ", within " + rule.Lives.String()
	}
	return line, nil
}

// try holds a version against real requests where the visitor asks for it.
func (p *Pages) try(pg *page, v *policyView, version uint64) error {
	text := pg.URL.Query().Get("days")
	if text == "" {
		return nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 || days > treasury.MaxTrialDays {
		return fmt.Errorf("%w: days: give 1 to %d", treasury.ErrInvalid, treasury.MaxTrialDays)
	}
	t, err := p.cfg.Policies.TryPolicy(pg.Context(), version, days)
	if err != nil {
		return err
	}
	v.Days, v.Trial = days, viewTrial(&t)
	return nil
}

func viewTrial(t *treasury.Trial) *trialView {
	v := &trialView{Total: t.Total, Changed: t.Changed, From: when(t.From), Cut: t.Cut}
	for i := range t.Decisions {
		d := &t.Decisions[i]
		v.Lines = append(v.Lines, trialLine{d.Request, d.Was, d.Is, d.Sentence, d.IsLaxer})
	}
	return v
}

// alone answers who can move more than an amount alone, where the visitor asks.
func (p *Pages) alone(pg *page, v *policyView, is *policy.Policy, roster *consent.Roster) error {
	v.Asset, v.Above = pg.URL.Query().Get("asset"), pg.URL.Query().Get("above")
	if v.Asset == "" && v.Above == "" {
		return nil
	}
	asset, ok := p.cfg.Assets(v.Asset)
	if !ok {
		return fmt.Errorf("%w: asset: %.20q is not one of the installation", treasury.ErrInvalid, v.Asset)
	}
	above, err := asset.Parse(v.Above)
	if err != nil {
		return fmt.Errorf("%w: above: %w", treasury.ErrInvalid, err)
	}
	p.answer(v, is, roster, above)
	return nil
}

func (p *Pages) answer(v *policyView, is *policy.Policy, roster *consent.Roster, above money.Units) {
	powers := policy.Alone(is, roster, v.Asset, above)
	v.Alone, v.Anybody = powers.Sentences(p.cfg.Assets), powers.More()
}

func (p *Pages) draftPolicy(pg *page) error {
	is, err := policy.Parse([]byte(pg.PostFormValue("text")))
	if err != nil {
		return fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	text, err := is.Canonical()
	if err != nil {
		return fmt.Errorf("%w: %w", treasury.ErrInvalid, err)
	}
	row, err := p.cfg.Policies.DraftPolicy(pg.Context(), text, pg.person.ID, pg.PostFormValue("reason"))
	if err != nil {
		return err
	}
	http.Redirect(pg.w, pg.Request, "/treasury/policies/"+strconv.FormatUint(row.Version, 10)+"?days="+strconv.Itoa(trialDays), http.StatusSeeOther)
	return nil
}

// version reads which one a path means.
func version(pg *page) (uint64, error) {
	n, err := strconv.ParseUint(pg.PathValue("version"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("policy %.20s: %w", pg.PathValue("version"), treasury.ErrUnknown)
	}
	return n, nil
}

func (p *Pages) proposePolicy(pg *page) error {
	n, err := version(pg)
	if err != nil {
		return err
	}
	_, r, err := p.cfg.Policies.ProposePolicy(pg.Context(), n, pg.person.ID)
	if err != nil {
		return err
	}
	http.Redirect(pg.w, pg.Request, "/treasury/requests/"+r.ID, http.StatusSeeOther)
	return nil
}

func (p *Pages) dropPolicy(pg *page) error {
	n, err := version(pg)
	if err != nil {
		return err
	}
	if _, err := p.cfg.Policies.DropPolicy(pg.Context(), n, pg.person.ID, pg.PostFormValue("reason")); err != nil {
		return err
	}
	http.Redirect(pg.w, pg.Request, "/treasury/policies", http.StatusSeeOther)
	return nil
}
