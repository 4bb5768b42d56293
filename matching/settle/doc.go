// Package settle carries what the matching engine did into the ledger, exactly once:
// it follows the events of a shard from its cursor, books what each batch moved, netted
// per account and asset, keeps each trade as a row, and moves the cursor, all in one SQL
// transaction. Events that come again are compared with what was settled, gaps are read
// again from the log, what a leader of an old epoch says is dropped, and a history that
// differs halts the shard. It matches nothing, decides about no order, and never guesses.
//
// Who books what, and when:
//
//	what                    engine                      ledger transaction
//	trades and their fees   EventTrade                  trd/<shard>/<first seq>, after it, here (Settler)
//	funding to trading      OpCredit, after the ledger  fnd/<id>, before the engine, by the transfer's workflow (Transfers.Credit)
//	... which was refused   EventTransfer with a code   fnd/<id>/back, after the event was settled (Transfers.Return)
//	trading to funding      OpDebit, before the ledger  fnd/<id>, after the event was settled (Transfers.Debit)
//	... which was refused   EventTransfer with a code   nothing
//
// So a trading balance of the ledger is never less than the engine's. The settler books
// no transfer; it holds each EventTransfer against the row of the transfer, notes that the
// engine has done its part, and knows by that how much more the ledger has:
//
//	ledger's trading balance = engine's available and reserved
//	  + credits that are booked and that the engine has not taken, or refused, and that were not returned
//	  + debits that the engine has taken and that are not booked
//
// At each EventCheckpoint, before the cursor passes it, the digest of the balances is
// computed from the ledger by this equation and compared with the engine's. An account 0,
// the house, stands for income/trading_fees; it has no transfers.
package settle
