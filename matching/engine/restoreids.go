package engine

import "math"

// loadIDs reads client ids and transfers.
func (e *Engine) loadIDs(d *decoder) {
	var before int64
	for n := d.upTo(uint64(e.cfg.Keys), "ids"); n > 0 && d.err == nil; n-- {
		k := keyEntry{key: Key{d.get(), d.get()}, order: OrderID(d.get()), time: d.count("time"), account: d.u32("account")}
		if d.err != nil || k.key.isZero() || k.time < before || k.time > e.now || k.account >= e.cfg.Accounts || !e.loadKey(&k) {
			d.fail("id")
			return
		}
		before = k.time
	}
	e.loadTransfers(d)
}

// loadKey keeps a client id that was read, with the order that has it where that waits.
// It says whether the id can be one.
func (e *Engine) loadKey(k *keyEntry) bool {
	if e.keys.find(k.account, k.key) != nil {
		return false
	}
	i := e.keys.add(k.account, k.key, k.order, k.time)
	p := uint32(k.order)
	open := uint64(p) < uint64(len(e.rows)) && e.rows[p].bits&bitLive != 0 && e.rows[p].id(p) == k.order
	if e.keys.list[i].open = open; !open {
		return true
	}
	o := &e.rows[p]
	sound := o.account == k.account && o.key == 0
	o.key = i
	return sound
}

func (e *Engine) loadTransfers(d *decoder) {
	for n := d.upTo(uint64(e.cfg.Transfers), "transfers"); n > 0 && d.err == nil; n-- {
		t := transferEntry{key: Key{d.get(), d.get()}, account: d.u32("account")}
		t.asset, t.code = AssetID(d.upTo(math.MaxUint16, "asset")), Code(d.upTo(math.MaxUint8, "code"))
		t.amount, t.balance = d.amount(), d.amount()
		first, at := e.transfers.find(t.key)
		if d.err != nil || first != nil || t.account >= e.cfg.Accounts || uint16(t.asset) >= e.cfg.Assets {
			d.fail("transfer")
			return
		}
		e.transfers.add(at, &t)
	}
}
