package check

import "slices"

// named is one invariant as SQL: each row it gives is a violation.
type named struct{ invariant, sql string }

// statements is the one list of the invariants that rows alone can show. $1 is
// the time before which work in progress must be done.
func statements() []named {
	return slices.Concat(depositStatements(), intentStatements(), feeStatements())
}

// bookedStates are the deposit states in which the book holds the amount.
const bookedStates = `('credited', 'withdrawable')`

// depositBookings counts a deposit's ledger transactions and what they moved into
// accounts of custody, less what they moved out.
const depositBookings = `SELECT d.*, coalesce(b.credits, 0) AS credits, coalesce(b.takebacks, 0) AS takebacks,
		coalesce(b.matures, 0) AS matures, coalesce(b.net, 0) AS net
	FROM custody.deposit d LEFT JOIN (
		SELECT split_part(t.id, '/', 2) AS deposit,
			count(DISTINCT t.seq) FILTER (WHERE split_part(t.id, '/', 3) = 'credit') AS credits,
			count(DISTINCT t.seq) FILTER (WHERE split_part(t.id, '/', 3) = 'takeback') AS takebacks,
			count(DISTINCT t.seq) FILTER (WHERE split_part(t.id, '/', 3) = 'mature') AS matures,
			sum(CASE WHEN da.id LIKE 'custody/%' THEN l.amount ELSE 0 END) - sum(CASE WHEN ca.id LIKE 'custody/%' THEN l.amount ELSE 0 END) AS net
		FROM ledger.transaction t JOIN ledger.transfer l ON l.transaction = t.seq
		JOIN ledger.account da ON da.no = l.debit JOIN ledger.account ca ON ca.no = l.credit
		WHERE t.id >= 'dep/' AND t.id < 'dep0' GROUP BY 1) b ON b.deposit = d.id`

// balanceOf joins an account's posted balance on its normal side, as "posted",
// and what is held of it, as "held".
const balanceOf = `SELECT a.id, a.asset, CASE WHEN b.debit_normal THEN b.debits_posted - b.credits_posted ELSE b.credits_posted - b.debits_posted END AS posted,
		CASE WHEN b.debit_normal THEN b.credits_pending ELSE b.debits_pending END AS held
	FROM ledger.account a JOIN ledger.balance b ON b.account = a.no`

func depositStatements() []named {
	return []named{
		{"deposit state is legal", `SELECT id, state FROM custody.deposit WHERE state NOT IN
			('seen', 'confirming', 'credited', 'withdrawable', 'dust_held', 'reorged', 'debited', 'quarantined', 'released')`},
		{"deposit agrees with its bookings", `SELECT id, format('%s round %s: %s credits, %s taken back, %s matured', state, round, credits, takebacks, matures)
			FROM (` + depositBookings + `) d
			WHERE credits <> round OR takebacks <> round - (state IN ` + bookedStates + `)::int OR matures > round
				OR (state = 'dust_held' AND round > 0) OR (state IN ('credited', 'withdrawable', 'debited') AND round = 0)
				OR (state <> 'credited' AND maturing > 0)`},
		{"each credited deposit is credited once, others net to zero", `SELECT id, format('%s of %s: the book holds %s', state, amount, net)
			FROM (` + depositBookings + `) d WHERE net <> CASE WHEN state IN ` + bookedStates + ` THEN amount ELSE 0 END`},
		{"what left the chain is taken back", `SELECT id, format('%s of %s in block %s', state, amount, block_hash) FROM custody.deposit
			WHERE NOT canonical AND state IN ` + bookedStates + ` AND updated_at < $1`},
		{"canonical means that the block is on the chain", `SELECT d.id, format('canonical %s, block %s at %s: canonical %s', d.canonical, d.block_hash, d.block_height, b.canonical)
			FROM custody.deposit d LEFT JOIN custody.block b ON b.chain = d.chain AND b.hash = d.block_hash AND b.height = d.block_height
			WHERE b.canonical IS DISTINCT FROM d.canonical`},
		{"our own transactions are no deposits", `SELECT d.id, format('transaction %s of %s', d.txid, t.intent) FROM custody.deposit d
			JOIN custody.chain_tx t ON t.chain = d.chain AND t.txid = d.txid`},
		{"maturing account is the sum of its deposits", `SELECT a.id, format('account holds %s, deposits say %s', a.posted, coalesce(d.sum, 0)) FROM (` + balanceOf + `) a
			LEFT JOIN (SELECT 'customer/' || customer || '/' || asset || '/maturing' AS id, sum(maturing) FROM custody.deposit WHERE customer <> '' GROUP BY 1) d ON d.id = a.id
			WHERE a.id LIKE 'customer/%/maturing' AND a.posted <> coalesce(d.sum, 0)`},
		{"debt is what the book says", `SELECT coalesce(a.id, d.id), format('account holds %s, custody says %s', coalesce(a.posted, 0), coalesce(d.amount, 0))
			FROM (SELECT * FROM (` + balanceOf + `) x WHERE x.id LIKE 'customer/%/debt') a
			FULL JOIN (SELECT 'customer/' || customer || '/' || asset || '/debt' AS id, amount FROM custody.debt) d ON d.id = a.id
			WHERE coalesce(a.posted, 0) <> coalesce(d.amount, 0)`},
		{"debt freezes withdrawals", `SELECT coalesce(d.customer, f.customer), format('owes %s, frozen %s', coalesce(d.owed, 0), f.customer IS NOT NULL)
			FROM (SELECT customer, sum(amount) AS owed FROM custody.debt GROUP BY customer HAVING sum(amount) > 0) d
			FULL JOIN (SELECT customer FROM custody.frozen WHERE reason = 'debt') f ON f.customer = d.customer
			WHERE d.customer IS NULL OR f.customer IS NULL`},
		{"the cursor is a canonical block without gaps below it", `SELECT c.chain, format('cursor %s %s, %s canonical blocks from %s to %s', c.height, c.hash, b.n, b.low, b.high) FROM custody.chain c
			JOIN (SELECT chain, count(*) AS n, min(height) AS low, max(height) AS high FROM custody.block WHERE canonical GROUP BY chain) b ON b.chain = c.chain
			WHERE b.high <> c.height OR b.n <> b.high - b.low + 1
				OR NOT EXISTS (SELECT FROM custody.block x WHERE x.chain = c.chain AND x.hash = c.hash AND x.height = c.height AND x.canonical)`},
		{"canonical blocks follow each other", `SELECT b.chain || ' ' || b.height, format('parent %s, block below is %s', b.parent, p.hash) FROM custody.block b
			JOIN custody.block p ON p.chain = b.chain AND p.height = b.height - 1 AND p.canonical WHERE b.canonical AND b.parent <> p.hash`},
	}
}

// intents are withdrawals and movements of the house in one shape. paid tells
// which booking must exist, freed which one where it ended without payment.
const intents = `SELECT id, 'withdrawal' AS kind, chain, asset, state, 'wdr/' || id AS book, updated_at FROM custody.withdrawal
	UNION ALL SELECT id, kind, chain, asset, state, split_part(id, '_', 1) || '/' || id, updated_at FROM custody.house_intent`

// ended are the states that nothing leaves; unpaid those of them that paid nothing.
const (
	unpaid = `('rejected', 'cancelled', 'expired', 'blocked', 'reverted')`
	ended  = `('posted', 'rejected', 'cancelled', 'expired', 'blocked', 'reverted')`
)

func intentStatements() []named {
	return []named{
		{"intent state is legal", `SELECT id, state FROM (` + intents + `) i WHERE state NOT IN
			('requested', 'held', 'screened', 'awaiting_approval', 'cooling_off', 'approved', 'reserved', 'signed', 'broadcast', 'unknown', 'confirming',
			'reorged', 'stuck', 'replaced', 'final', 'posted', 'rejected', 'cancelled', 'expired', 'blocked', 'reverted')`},
		{"intent agrees with its bookings", `SELECT i.id, format('%s: hold %s, post %s, void %s', i.state, h.id IS NOT NULL, p.id IS NOT NULL, v.id IS NOT NULL) FROM (` + intents + `) i
			LEFT JOIN ledger.transaction h ON h.id = i.book || '/hold' LEFT JOIN ledger.transaction p ON p.id = i.book || '/post'
			LEFT JOIN ledger.transaction v ON v.id = i.book || '/void'
			WHERE (h.id IS NOT NULL) <> (i.kind = 'withdrawal') OR (p.id IS NOT NULL) <> (i.state = 'posted')
				OR (v.id IS NOT NULL AND i.state NOT IN ` + unpaid + `) OR (v.id IS NULL AND i.kind = 'withdrawal' AND i.state IN ` + unpaid + `)`},
		{"one canonical transaction per intent", `SELECT intent, format('%s: %s', count(*), string_agg(txid, ' ')) FROM custody.chain_tx
			WHERE block_height IS NOT NULL GROUP BY intent HAVING count(*) > 1`},
		{"mined means that the block is on the chain", `SELECT t.txid, format('block %s at %s', t.block_hash, t.block_height) FROM custody.chain_tx t
			LEFT JOIN custody.block b ON b.chain = t.chain AND b.hash = t.block_hash AND b.height = t.block_height
			WHERE t.block_height IS NOT NULL AND b.canonical IS NOT TRUE`},
		{"every transaction was planned", `SELECT t.txid, format('%s attempt %s', t.intent, t.attempt) FROM custody.chain_tx t
			LEFT JOIN custody.attempt_plan p ON p.intent = t.intent AND p.attempt = t.attempt
			WHERE p.plan IS NULL OR p.plan <> t.plan`},
		{"nonces without gaps", `SELECT s.chain || ' ' || s.address, format('%s slots from %s to %s, next %s', s.n, s.low, s.high, c.next)
			FROM (SELECT chain, address, count(*) AS n, min(nonce) AS low, max(nonce) AS high FROM custody.nonce_slot GROUP BY chain, address) s
			LEFT JOIN custody.nonce_counter c ON c.chain = s.chain AND c.address = s.address
			WHERE s.n <> s.high - s.low + 1 OR c.next IS DISTINCT FROM s.high + 1`},
		{"no stranger uses our keys", `SELECT chain || ' ' || address, 'halted at nonce ' || next FROM custody.nonce_counter WHERE halted
			UNION ALL SELECT c.chain || ' ' || c.txid || ':' || c.vout, 'spent by ' || c.spent_by FROM custody.coin c
			LEFT JOIN custody.chain_tx t ON t.chain = c.chain AND t.txid = c.spent_by WHERE c.spent_by IS NOT NULL AND t.txid IS NULL`},
		{"each transaction uses the slot of its intent", `SELECT t.txid, format('nonce %s of %s, slot %s of %s', t.plan->'slot'->>'nonce', t.plan->'slot'->>'from', s.nonce, s.address)
			FROM custody.chain_tx t LEFT JOIN custody.nonce_slot s ON s.intent = t.intent
			WHERE t.plan->'slot' IS NOT NULL AND t.plan->>'slot' IS NOT NULL
				AND (s.nonce IS NULL OR (t.plan->'slot'->>'nonce')::bigint <> s.nonce OR t.plan->'slot'->>'from' <> s.address)`},
		{"each payment of a contract has a place of its own, and one call", `SELECT s.chain || ' ' || s.address || ' ' || s.nonce, string_agg(s.intent, ' ' ORDER BY s.intent)
			FROM custody.vault_slot s LEFT JOIN custody.house_intent i ON i.id = s.intent
			WHERE coalesce(i.state NOT IN ('reverted', 'cancelled', 'rejected', 'expired', 'blocked'), true) GROUP BY s.chain, s.address, s.nonce HAVING count(*) > 1 OR count(i.id) = 0
			UNION ALL SELECT p.intent, format('%s calls at place %s', count(DISTINCT p.plan->>'exec'), min(s.nonce)) FROM custody.attempt_plan p
			LEFT JOIN custody.vault_slot s ON s.intent = p.intent AND s.address = p.plan->'payments'->0->>'vault'
			WHERE p.plan->>'exec' IS NOT NULL GROUP BY p.intent HAVING count(DISTINCT p.plan->>'exec') > 1 OR count(s.nonce) < count(*)`},
		{"coins are locked by open intents or by what spent them", `SELECT l.chain || ' ' || l.txid || ':' || l.vout, format('locked by %s in %s, spent by %s of %s', l.intent, i.state, c.spent_by, t.intent)
			FROM custody.coin_lock l LEFT JOIN (` + intents + `) i ON i.id = l.intent
			LEFT JOIN custody.coin c ON c.chain = l.chain AND c.txid = l.txid AND c.vout = l.vout
			LEFT JOIN custody.chain_tx t ON t.chain = c.chain AND t.txid = c.spent_by
			WHERE (c.txid IS NULL AND NOT EXISTS (SELECT FROM custody.chain_tx p WHERE p.chain = l.chain AND p.txid = l.txid)) OR i.id IS NULL OR (i.state IN ` + ended + ` AND t.intent IS DISTINCT FROM l.intent)
				OR (c.spent_by IS NOT NULL AND t.intent IS DISTINCT FROM l.intent)`},
		{"what we spend was locked", `SELECT c.chain || ' ' || c.txid || ':' || c.vout, format('spent by %s of %s', c.spent_by, t.intent) FROM custody.coin c
			JOIN custody.chain_tx t ON t.chain = c.chain AND t.txid = c.spent_by
			WHERE NOT EXISTS (SELECT FROM custody.coin_lock l WHERE l.chain = c.chain AND l.txid = c.txid AND l.vout = c.vout AND l.intent = t.intent)`},
		{"holds are open withdrawals", `SELECT coalesce(a.id, w.id), format('held %s, open withdrawals %s', coalesce(a.held, 0), coalesce(w.sum, 0))
			FROM (SELECT * FROM (` + balanceOf + `) x WHERE x.id LIKE 'customer/%/funding' AND x.held > 0) a
			FULL JOIN (SELECT 'customer/' || customer || '/' || asset || '/funding' AS id, sum(amount + fee) FROM custody.withdrawal
				WHERE state NOT IN ` + ended + ` GROUP BY 1) w ON w.id = a.id WHERE coalesce(a.held, 0) <> coalesce(w.sum, 0)`},
		{"each withdrawal reserves its limit once", `SELECT coalesce(w.id, u.subject), format('%s of %s %s, use of %s %s, released %s', w.state, w.amount, w.asset, u.amount, u.asset, u.released)
			FROM custody.withdrawal w FULL JOIN custody.limit_use u ON u.subject = w.id
			WHERE w.id IS NULL OR u.subject IS NULL OR (u.customer, u.asset, u.amount) IS DISTINCT FROM (w.customer, w.asset, w.amount)
				OR u.released <> (w.state IN ` + unpaid + `)`},
		{"one withdrawal per idempotency key", `SELECT coalesce(w.id, i.subject), format('%s keys of %s', coalesce(i.n, 0), i.customer) FROM custody.withdrawal w
			FULL JOIN (SELECT subject, min(customer) AS customer, count(*) AS n FROM custody.idem GROUP BY subject) i ON i.subject = w.id
			WHERE w.id IS NULL OR i.n IS DISTINCT FROM 1 OR i.customer <> w.customer`},
		{"collected deposits belong to a collection", `SELECT d.id, format('collected by %s in %s', d.collected_by, i.state) FROM custody.deposit d
			LEFT JOIN custody.house_intent i ON i.id = d.collected_by AND i.kind = 'collect'
			WHERE d.collected_by IS NOT NULL AND (i.id IS NULL OR i.state IN ` + unpaid + ` AND NOT EXISTS (
				SELECT FROM custody.coin c JOIN custody.chain_tx t ON t.chain = c.chain AND t.txid = c.spent_by AND t.cancels
				WHERE c.chain = d.chain AND c.txid = d.txid AND c.vout = d.idx AND t.intent = d.collected_by))`},
		{"outbox is drained", `SELECT key, format('%s %s since %s', topic, kind, created_at) FROM custody.outbox WHERE sent_at IS NULL AND created_at < $1`},
	}
}
