package web

import (
	"log/slog"
	"net/http"
	"time"

	"strongroom/feed"
)

// candleCount is how many candles a chart begins with.
const candleCount = 300

type candleView struct {
	Start  int64  `json:"start"` // seconds since the Unix epoch
	Open   string `json:"open"`
	High   string `json:"high"`
	Low    string `json:"low"`
	Close  string `json:"close"`
	Volume string `json:"volume"`
}

// candles is what a chart begins with; the stream tells what follows.
func (p *Pages) candles(w http.ResponseWriter, r request) {
	interval, ok := intervalOf(r.URL.Query().Get("interval"))
	if !ok {
		http.Error(w, "There is no such interval.", http.StatusBadRequest)
		return
	}
	now := p.cfg.Clock()
	from := now.Add(-candleCount * time.Duration(interval))
	list, err := p.cfg.Data.Candles(r.Context(), r.market.Name, interval, from, now.Add(time.Duration(interval)), candleCount+1)
	if err != nil {
		p.cfg.Logger.ErrorContext(r.Context(), "read candles", slog.Any("error", err))
		http.Error(w, "Candles cannot be read now. Try again.", http.StatusServiceUnavailable)
		return
	}
	out := make([]candleView, 0, len(list))
	for i := range list {
		c, m := &list[i], r.market
		out = append(out, candleView{c.Start / 1e9, m.Price(c.Open), m.Price(c.High), m.Price(c.Low), m.Price(c.Close), m.Quantity(c.Volume)})
	}
	p.json(w, map[string]any{"candles": out})
}

func intervalOf(name string) (feed.Interval, bool) {
	for _, i := range feed.Intervals() {
		if intervalName(i) == name {
			return i, true
		}
	}
	return 0, false
}
