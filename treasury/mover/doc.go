// Package mover keeps hot wallets between their floors and caps. Each round it learns how
// far sweeps have come, notes what is in each vault, takes back what should not go on,
// plans, and hands what was planned to custody, which carries it by the protocol of
// withdrawals; refills go to whoever asks people for them. It holds no money and signs
// nothing: a round that is lost, taken twice or by two at once changes nothing, since each
// move is one row, and each row one intent.
package mover
