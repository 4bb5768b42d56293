package signer

// signedTx is a transaction whose signature is made with a random number.
type signedTx struct {
	Payload string `json:"payload"` // SHA-256 of the unsigned transaction
	Raw     []byte `json:"raw"`
	Txid    string `json:"txid"`
}

// once returns the one signature of a payload. A token draws a new random number each
// time, which would give one payment two transaction ids; so its first signature is in the
// journal before it leaves, and is the answer for ever, also where the keys come from the
// seed again. A signature that a crash took before that never left.
func (s *Signer) once(payload string, sign func() (signature, error)) (signature, error) {
	s.mu.Lock()
	kept, known := s.signed[payload]
	s.mu.Unlock()
	if known {
		return signature{raw: kept.Raw, txid: kept.Txid}, nil
	}
	signed, err := sign()
	if err != nil || s.cfg.Token == nil {
		return signed, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if kept, known := s.signed[payload]; known { // another caller was first
		return signature{raw: kept.Raw, txid: kept.Txid}, nil
	}
	fresh := signedTx{Payload: payload, Raw: signed.raw, Txid: signed.txid}
	if _, err := s.journal.append(record{Type: recordSigned, Signed: &fresh}, s.journal.now(s.cfg.Clock())); err != nil {
		return signature{}, err
	}
	s.signed[payload] = fresh
	return signed, nil
}
