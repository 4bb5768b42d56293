package engine

// transferEntry is a transfer and its result.
type transferEntry struct {
	key             Key
	amount, balance Amount
	account         uint32
	asset           AssetID
	code            Code
}

// transfers keeps every transfer, in order of time, and a table of them by key.
type transfers struct {
	list  []transferEntry
	index []uint32 // place in list plus one; linear probing, at most half full
	bound uint32
}

func newTransfers(n uint32) transfers {
	return transfers{list: make([]transferEntry, 0, n), index: make([]uint32, tableSize(n)), bound: n}
}

// find returns the transfer with a key, or where in the table it belongs.
func (t *transfers) find(key Key) (*transferEntry, uint64) {
	mask := uint64(len(t.index) - 1)
	at := key.hash(0) & mask
	for t.index[at] != 0 {
		if en := &t.list[t.index[at]-1]; en.key == key {
			return en, at
		}
		at = (at + 1) & mask
	}
	return nil, at
}

func (t *transfers) add(at uint64, en *transferEntry) {
	t.list = append(t.list, *en)
	t.index[at] = uint32(len(t.list))
}

// transfer credits or debits an account, once for each key.
func (e *Engine) transfer(c *Command) {
	en := transferEntry{key: c.Key, amount: c.Amount, account: uint32(c.Account), asset: c.Asset}
	code, at := e.checkTransfer(c)
	if code != CodeNone {
		if code != CodeUnknownAccount && code != CodeUnknownAsset {
			en.balance = e.balance(en.account, en.asset).available
		}
		e.answer(&en, code)
		return
	}
	if at == nil {
		first, _ := e.transfers.find(c.Key)
		code = first.code
		if code == CodeNone {
			code = CodeDuplicate
		}
		e.answer(first, code)
		return
	}
	en.code = e.move(c)
	en.balance = e.balance(en.account, c.Asset).available
	e.transfers.add(*at, &en)
	e.answer(&en, en.code)
}

// checkTransfer returns where a transfer's key belongs; nil where it was used.
func (e *Engine) checkTransfer(c *Command) (Code, *uint64) {
	switch {
	case uint64(c.Account) >= uint64(len(e.accounts)) || !e.accounts[c.Account].made:
		return CodeUnknownAccount, nil
	case c.Asset >= AssetID(e.cfg.Assets):
		return CodeUnknownAsset, nil
	case c.Amount.IsZero() || c.Key.isZero():
		return CodeBadAmount, nil
	}
	first, at := e.transfers.find(c.Key)
	if first != nil {
		return CodeNone, nil
	}
	if uint64(len(e.transfers.list)) >= uint64(e.transfers.bound) {
		return CodeTooManyKeys, nil
	}
	return CodeNone, &at
}

// move moves what a transfer moves.
func (e *Engine) move(c *Command) Code {
	e.roomToUnsum(1)
	b := e.unsum(uint32(c.Account), c.Asset)
	if c.Op == OpCredit {
		sum, ok := e.supply[c.Asset].Add(c.Amount)
		if !ok {
			return CodeOverflow
		}
		e.supply[c.Asset] = sum
		b.available.add(c.Amount)
		return CodeNone
	}
	if b.available.Less(c.Amount) {
		return CodeInsufficient
	}
	b.available.sub(c.Amount)
	e.supply[c.Asset].sub(c.Amount)
	return CodeNone
}

func (e *Engine) answer(en *transferEntry, code Code) {
	ev := e.emit(EventTransfer)
	ev.Account, ev.Asset, ev.Amount, ev.Key = AccountID(en.account), en.asset, en.amount, en.key
	ev.Balance, ev.Code = en.balance, code
}
