package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"strongroom/ledger"
	"strongroom/money"
	"strongroom/trading"
)

// transfer asks for a move of money between funding and trading. The same form again is
// answered with the first one.
func (p *Pages) transfer(w http.ResponseWriter, r request) {
	if !p.may(w, r, true) {
		return
	}
	t := transferView{
		Asset: r.PostFormValue("asset"), Amount: r.PostFormValue("amount"), Direction: r.PostFormValue("direction"), Key: r.PostFormValue("key"),
	}
	status := p.move(r, &t)
	w.Header().Set("Hx-Trigger", "refresh")
	if partial(r.Request) {
		p.render(w, r.Request, http.StatusOK, "balances.html", p.balances(r, t))
		return
	}
	if t.Wrong != nil {
		p.fault(w, r.Request, status, t.Wrong.Text, t.Wrong.Fix)
		return
	}
	p.showPage(w, r, status, p.newForm(r))
}

// move does what a transfer's form asks for and says in it what came of it.
func (p *Pages) move(r request, t *transferView) (status int) {
	at := slices.IndexFunc(p.assets(), func(a money.Asset) bool { return a.Code == t.Asset })
	direction := trading.Direction(t.Direction)
	if at < 0 || direction != trading.ToTrading && direction != trading.ToFunding || t.Key == "" || len(t.Key) > maxValue {
		*t = transferView{Wrong: &complaint{"The form is not complete.", "Load the trade page again."}}
		return http.StatusUnprocessableEntity
	}
	asset := p.assets()[at]
	amount, err := asset.Parse(t.Amount)
	if err != nil || amount.IsZero() {
		t.Wrong = &complaint{"This is no amount of " + asset.Code + ".", fmt.Sprintf("Give a number such as 1.5, with at most %d decimals.", asset.Scale)}
		return http.StatusUnprocessableEntity
	}
	done, _, err := p.cfg.Transfers.CreateTransfer(r.Context(), trading.NewTransfer{
		Customer: r.Customer, Key: "page-" + t.Key, Asset: asset.Code, Amount: amount, Direction: direction,
	})
	if err == nil {
		*t = transferView{Asset: t.Asset, Direction: t.Direction, Notice: t.Amount + " " + asset.Code + " is on its way (" + string(done.State) + ")."}
		return http.StatusOK
	}
	return p.refuseMove(r, t, err)
}

// refuseMove says why a transfer was not taken.
func (p *Pages) refuseMove(r request, t *transferView, err error) (status int) {
	var refusal *trading.Refusal
	switch {
	case errors.As(err, &refusal):
		t.Wrong = &complaint{refusal.Text + ".", refusal.Fix + "."}
	case errors.Is(err, ledger.ErrInsufficient):
		t.Wrong = &complaint{"There is not so much " + t.Asset + " in funding.", "Give less, or deposit first."}
	case errors.Is(err, trading.ErrIdempotency):
		t.Wrong = &complaint{"This form was used for another transfer.", "Send it again."}
	default:
		p.unknown(r, "create transfer", err)
		t.Wrong = &complaint{"It is not known yet whether the transfer was taken.", "Send it again: that finds out, and moves nothing twice."}
		return http.StatusServiceUnavailable
	}
	t.Key = "" // what was refused took nothing; the next one is another
	return http.StatusUnprocessableEntity
}
