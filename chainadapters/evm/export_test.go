package evm

// Skip passes over one JSON text.
func Skip(data []byte) error {
	r := &reader{data: data}
	r.skip()
	return r.end()
}

// SealTransaction reads a transaction and returns it in the form that is hashed.
func SealTransaction(data []byte) ([]byte, error) {
	tx, r := new(rpcTransaction), &reader{data: data}
	tx.read(r)
	if err := r.end(); err != nil {
		return nil, err
	}
	list := newSealedList(1)
	if err := tx.seal(list); err != nil {
		return nil, err
	}
	return list.element(0), nil
}

// ReadAll reads data as every kind of answer that has a reader of its own.
func ReadAll(data []byte) {
	for _, into := range []readable{new(rpcHeader), new(rpcBlock), new(rpcTransaction), new(rpcReceipts), new(rpcLogs), new(txTraces)} {
		r := &reader{data: data}
		into.read(r)
		_ = r.end()
	}
}
