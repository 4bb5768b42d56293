package web

import (
	"errors"
	"log/slog"
	"net/http"

	"strongroom/trading"
	"strongroom/web/site"
)

// values are what a person chose in the order form.
type values struct {
	Side, Type, Price, StopPrice, Quantity, Display, TimeInForce, ClientID string
	PostOnly                                                               bool
}

// complaint is what is wrong with a field, and what would do.
type complaint struct{ Text, Fix string }

// formView is the order form as it stands.
type formView struct {
	visitor
	values
	Name, Base, Quote, Tick, Lot, Minimum string
	Wrong                                 map[string]*complaint // by the field's name
	General                               *complaint            // of no one field
	Notice                                string                // what was done
	OK                                    bool                  // the notice is good news
	Cost                                  costView
}

const maxValue = 64 // characters of a field

func (p *Pages) newForm(r request) formView {
	m := r.market
	return formView{
		visitor: r.visitor, Name: m.Name, Base: m.Base.Code, Quote: m.Quote.Code, Tick: m.Price(1), Lot: m.Quantity(1),
		Minimum: m.Quantity(m.Config.MinQty), values: values{Side: "buy", Type: "limit", TimeInForce: "gtc", ClientID: site.NewToken()},
	}
}

// read takes from a form what its type of order has; what a hidden field still holds from
// before does not count.
func read(get func(string) string) values {
	v := values{
		Side: get("side"), Type: get("type"), Quantity: get("quantity"), ClientID: get("clientId"), TimeInForce: get("timeInForce"),
	}
	for _, text := range []*string{&v.Side, &v.Type, &v.Quantity, &v.ClientID, &v.TimeInForce} {
		*text = (*text)[:min(len(*text), maxValue)]
	}
	switch trading.OrderType(v.Type) { //nolint:exhaustive // the form has four
	case trading.TypeLimit:
		v.Price, v.Display, v.PostOnly = get("price"), get("display"), get("postOnly") != ""
	case trading.TypeStopLimit:
		v.Price, v.StopPrice = get("price"), get("stopPrice")
	case trading.TypeStop:
		v.StopPrice = get("stopPrice")
	case trading.TypeMarket:
		v.TimeInForce = ""
	}
	for _, text := range []*string{&v.Price, &v.StopPrice, &v.Display} {
		*text = (*text)[:min(len(*text), maxValue)]
	}
	return v
}

func (v *values) order(market string) trading.NewOrder {
	o := trading.NewOrder{
		ClientID: v.ClientID, Market: market, Side: v.Side, Type: trading.OrderType(v.Type), TimeInForce: v.TimeInForce,
		Price: v.Price, StopPrice: v.StopPrice, Quantity: v.Quantity, Display: v.Display,
	}
	if v.PostOnly {
		o.PostOnly = "reject"
	}
	return o
}

// place takes an order. The same form again is answered with the first order.
func (p *Pages) place(w http.ResponseWriter, r request) {
	if !p.may(w, r, true) {
		return
	}
	form := p.newForm(r)
	next := form.ClientID
	form.values = read(r.PostFormValue)
	order, repeated, err := p.cfg.Orders.Place(r.Context(), r.Customer, form.order(r.market.Name))
	var refusal *trading.Refusal
	status := http.StatusOK
	switch {
	case errors.As(err, &refusal):
		form.refuse(refusal)
		form.ClientID = next // the shard answers a refused one with its refusal for ever
		status = http.StatusUnprocessableEntity
	case err != nil:
		// The same id again finds out what became of it.
		p.unknown(r, "place order", err)
		form.General = &complaint{"It is not known yet whether the order was taken.", "Place it again: that finds out, and places nothing twice."}
		status = http.StatusServiceUnavailable
	default:
		form.tell(&order, repeated)
		form.ClientID, form.Quantity, form.Display = next, "", ""
	}
	if order.State == trading.OrderRejected {
		status = http.StatusUnprocessableEntity
	}
	w.Header().Set("Hx-Trigger", "refresh")
	if partial(r.Request) {
		p.render(w, r.Request, http.StatusOK, "form.html", form) // htmx shows what is 200
		return
	}
	p.showPage(w, r, status, form)
}

// refuse shows a refusal at its field.
func (f *formView) refuse(refusal *trading.Refusal) {
	c := complaint{refusal.Text, refusal.Fix}
	switch refusal.Field {
	case "price", "stopPrice", "quantity", "display", "timeInForce", "type", "postOnly":
		f.Wrong = map[string]*complaint{refusal.Field: &c}
	default:
		f.General = &c
	}
}

// tell says what became of an order.
func (f *formView) tell(o *trading.Order, repeated bool) {
	what := o.Side + " " + o.Quantity + " " + f.Base
	f.OK = o.State != trading.OrderRejected && (o.State != trading.OrderCancelled || !none(o.Filled))
	switch {
	case repeated:
		f.Notice = "This order was placed before: " + what + " is " + string(o.State) + "."
	case o.State == trading.OrderRejected:
		f.Notice = "Rejected: " + what + " (" + o.Reason + ")."
	case o.State == trading.OrderFilled:
		f.Notice = "Filled: " + what + "."
	case o.State == trading.OrderCancelled && none(o.Filled):
		f.Notice = "Cancelled: " + what + " found nothing to trade with (" + o.Reason + ")."
	case o.State == trading.OrderCancelled:
		f.Notice = "Partly filled: " + o.Filled + " of " + what + "; the rest is cancelled."
	case !none(o.Filled):
		f.Notice = "Placed: " + what + ", of which " + o.Filled + " is filled."
	default:
		f.Notice = "Placed: " + what + "."
	}
}

func none(quantity string) bool { return quantity == "" || quantity == "0" }

// may tells whether a request of a form may change something, and answers it where not.
func (p *Pages) may(w http.ResponseWriter, r request, trade bool) bool {
	if r.Customer == "" {
		if partial(r.Request) {
			w.Header().Set("Hx-Refresh", "true") // shows how to log in
			w.WriteHeader(http.StatusOK)
			return false
		}
		p.fault(w, r.Request, http.StatusUnauthorized, "This session is over.", "Log in again with a new link.")
		return false
	}
	if !r.sent(r.Request) {
		p.fault(w, r.Request, http.StatusForbidden, "This form is not of this session.", "Load the trade page again.")
		return false
	}
	if !trade {
		return true
	}
	ok, err := p.active(r.Context(), r.Customer)
	switch {
	case err != nil:
		p.unknown(r, "look at customer", err)
		p.fault(w, r.Request, http.StatusServiceUnavailable, "This does not work right now.", "Try again in a moment.")
	case !ok:
		p.fault(w, r.Request, http.StatusForbidden, "This account is frozen: nothing may be placed or moved.", "Ask the operator; cancels are still taken.")
	}
	return ok && err == nil
}

func (p *Pages) unknown(r request, what string, err error) {
	p.cfg.Logger.ErrorContext(r.Context(), what, slog.String("market", r.market.Name), slog.Any("error", err))
}

// cancel takes an order back and shows what is left.
func (p *Pages) cancel(w http.ResponseWriter, r request) {
	if !p.may(w, r, false) {
		return
	}
	_, err := p.cfg.Orders.Cancel(r.Context(), r.Customer, r.PathValue("id"))
	var refusal *trading.Refusal
	problem := ""
	switch {
	case errors.As(err, &refusal):
		problem = refusal.Error()
	case errors.Is(err, trading.ErrNotFound):
		problem = "There is no such order."
	case err != nil:
		p.unknown(r, "cancel order", err)
		problem = "It is not known yet whether the order was cancelled. Cancel it again."
	}
	w.Header().Set("Hx-Trigger", "refresh")
	if partial(r.Request) {
		p.render(w, r.Request, http.StatusOK, "orders.html", p.orders(r, problem))
		return
	}
	form := p.newForm(r)
	if problem != "" {
		form.General = &complaint{Text: problem}
	}
	p.showPage(w, r, http.StatusOK, form)
}
