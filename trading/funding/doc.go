// Package funding moves customers' money between what the ledger decides about and what
// they trade with: it takes such transfers in, each once by its customer and key, and
// takes the steps by which a workflow carries them out. Each step can be taken again
// after a crash at any point: the rows, the ledger and the engine know a transfer by one
// id and do their part of it once. It also lets deposits flow on to trading, and lets a
// withdrawal pull what is missing from there. It matches nothing, settles no trade, and
// never guesses what the engine did: it asks again under the same id.
//
// Who does what of a transfer, and when:
//
//	            to trading                                to funding
//	create      request, booking and start message        request, note and start message
//	tell        the engine credits                        the engine debits, or refuses
//	conclude    done; where the engine refused: back      booking; where the engine refused: nothing
//
// Conclude waits until the settler has settled what the engine said, so that a trading
// balance of the ledger is never less than the engine's.
package funding
