package naive

import "strongroom/matching/engine"

// forgetKeys drops the client ids past their retention whose order has ended.
func (e *Engine) forgetKeys() {
	var kept []*clientKey
	for _, k := range e.keys {
		if e.clock < later(k.time, e.cfg.Retention) || e.byID[k.order] != nil {
			kept = append(kept, k)
		}
	}
	e.keys = kept
}

// key is the entry of a client id that is kept.
func (e *Engine) key(a engine.AccountID, key engine.Key) *clientKey {
	if key == (engine.Key{}) {
		return nil
	}
	e.forgetKeys()
	for _, k := range e.keys {
		if k.account == a && k.key == key {
			return k
		}
	}
	return nil
}

// keepKey notes the client id of an order that came in.
func (e *Engine) keepKey(o *order) {
	if o.key != (engine.Key{}) {
		e.keys = append(e.keys, &clientKey{account: o.account.id, key: o.key, time: e.clock, order: o.id})
	}
}

// keysFull reports whether there is no place for another client id.
func (e *Engine) keysFull() bool {
	e.forgetKeys()
	return len(e.keys) >= int(e.cfg.Keys)
}
