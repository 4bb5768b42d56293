package desk

import (
	"errors"
	"fmt"
	"strings"

	"strongroom/matching/engine"
	"strongroom/money"
	"strongroom/trading"
)

// values converts the decimals that are given.
func (d *draft) values() {
	o, c := &d.order, &d.command
	c.Qty = d.lots("quantity", o.Quantity)
	c.Display = d.lots("display", o.Display)
	c.Price = d.ticks("price", o.Price)
	c.Trigger = d.ticks("stopPrice", o.StopPrice)
	c.TriggerLimit = d.ticks("stopLimit", o.StopLimit)
	c.Offset = d.ticks("offset", o.Offset)
	if o.QuoteAmount != "" {
		amount, err := d.market.QuoteAmount(o.QuoteAmount)
		if err != nil && d.err == nil {
			d.err = amountFault(d.market, o.QuoteAmount, err)
		}
		c.Amount = amount
	}
	d.bounds()
}

// bounds looks at values beside each other and beside the market's.
func (d *draft) bounds() {
	o, c, m := &d.order, &d.command, &d.market.Config
	switch {
	case c.Type != engine.MarketQuote && (c.Qty < m.MinQty || c.Qty > m.MaxQty):
		d.fail("bad_quantity", "quantity", fmt.Sprintf("%s %s is outside the market's bounds", o.Quantity, d.market.Base.Code),
			fmt.Sprintf("give %s to %s", d.market.Quantity(m.MinQty), d.market.Quantity(m.MaxQty)))
	case c.Display != 0 && (c.Display < m.MinQty || c.Display > c.Qty):
		d.fail("bad_display", "display", "what is shown is no part of the order that the market takes",
			fmt.Sprintf("give %s to %s", d.market.Quantity(m.MinQty), o.Quantity))
	case c.Type == engine.OCO && (c.Side == engine.Buy && c.Price >= c.Trigger || c.Side == engine.Sell && c.Price <= c.Trigger):
		d.fail("bad_trigger", "stopPrice", "the stop is not on the other side of the market than the limit",
			map[engine.Side]string{engine.Buy: "give one above the price", engine.Sell: "give one below the price"}[c.Side])
	}
}

// bracket converts what an order places when it has ended.
func (d *draft) bracket() {
	o, c := &d.order, &d.command
	if o.TakeProfit == "" && o.StopLoss == "" && o.StopLossLimit == "" {
		return
	}
	for _, g := range []given{{"takeProfit", o.TakeProfit != ""}, {"stopLoss", o.StopLoss != ""}} {
		if !g.is {
			d.fail("missing_field", g.field, "a bracket has a profit and a loss at which it ends", "give both, or neither")
		}
	}
	c.Flags |= engine.Bracket
	c.TakeProfit, c.StopLoss, c.StopLossLimit = d.ticks("takeProfit", o.TakeProfit), d.ticks("stopLoss", o.StopLoss), d.ticks("stopLossLimit", o.StopLossLimit)
	if c.Side == engine.Buy && c.StopLoss >= c.TakeProfit || c.Side == engine.Sell && c.StopLoss <= c.TakeProfit {
		d.fail("bad_trigger", "stopLoss", "the loss is not on the other side of the profit",
			map[engine.Side]string{engine.Buy: "give one below the take profit", engine.Sell: "give one above the take profit"}[c.Side])
	}
}

// ticks reads a price, zero where it is not given.
func (d *draft) ticks(field, text string) int64 {
	if text == "" {
		return 0
	}
	n, err := d.market.Ticks(text)
	if err != nil && d.err == nil {
		d.err = priceFault(d.market, field, text, err)
	}
	return n
}

// lots reads a quantity, zero where it is not given.
func (d *draft) lots(field, text string) int64 {
	if text == "" {
		return 0
	}
	n, err := d.market.Lots(text)
	if err != nil && d.err == nil {
		d.err = quantityFault(d.market, field, text, err)
	}
	return n
}

func quoted(text string) string { return fmt.Sprintf("%.48q", text) }

func priceFault(m *trading.Market, field, text string, err error) *trading.Refusal {
	r := &trading.Refusal{Code: "bad_price", Field: field, Text: quoted(text) + " is no price", Fix: "give a decimal number above zero, such as " + m.Price(1)}
	switch {
	case errors.Is(err, trading.ErrOffTick):
		_, near, _ := strings.Cut(err.Error(), ": ") // what stands between, and both that would do
		r.Code, r.Text, r.Fix = "off_tick", near, "give a multiple of "+m.Price(1)
	case errors.Is(err, money.ErrRange):
		r.Text = quoted(text) + " is out of range"
	}
	return r
}

func quantityFault(m *trading.Market, field, text string, err error) *trading.Refusal {
	code := "bad_quantity"
	if field == "display" {
		code = "bad_display"
	}
	r := &trading.Refusal{Code: code, Field: field, Text: quoted(text) + " is no quantity of " + m.Base.Code, Fix: "give a decimal number above zero, such as " + m.Quantity(1)}
	switch {
	case errors.Is(err, trading.ErrOffLot) || errors.Is(err, money.ErrScale):
		r.Code, r.Text, r.Fix = "off_lot", text+" is no multiple of the lot of "+m.Quantity(1)+" "+m.Base.Code, "give a multiple of "+m.Quantity(1)
	case errors.Is(err, money.ErrRange):
		r.Text = quoted(text) + " is out of range"
	}
	return r
}

func amountFault(m *trading.Market, text string, err error) *trading.Refusal {
	r := &trading.Refusal{Code: "bad_amount", Field: "quoteAmount", Text: quoted(text) + " is no amount of " + m.Quote.Code, Fix: "give a decimal number above zero, such as 10"}
	switch {
	case errors.Is(err, money.ErrScale):
		r.Text = fmt.Sprintf("%s has more than the %d decimals of %s", quoted(text), m.Quote.Scale, m.Quote.Code)
		r.Fix = "leave the last ones out"
	case errors.Is(err, money.ErrRange):
		r.Text = quoted(text) + " is out of range"
	}
	return r
}
