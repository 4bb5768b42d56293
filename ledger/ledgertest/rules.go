package ledgertest

import "slices"

// rules is the list of invariants that the server can judge by a query. Each
// query returns what breaks its rule; none trusts a running total where the
// append-only rows can be added up instead.
func rules() []rule {
	return slices.Concat(accountRules(), transferRules(), assetRules())
}

func accountRules() []rule {
	return []rule{
		{"account-has-balance", `
SELECT coalesce(a.id, b.account::text), CASE WHEN a.no IS NULL THEN 'balance without account'
       WHEN b.account IS NULL THEN 'account without balance' ELSE 'balance carries other guards than the account' END
  FROM ledger.account a FULL JOIN ledger.balance b ON b.account = a.no
 WHERE a.no IS NULL OR b.account IS NULL OR b.may_overdraw <> a.may_overdraw OR b.max_balance <> a.max_balance OR b.debit_normal <> (a.class IN (1, 5))`},

		{"balances-rebuilt", balancesRebuilt},
		{"account-steps", accountSteps},

		{"not-overdrawn", `
SELECT a.id, format('debits %s + %s held, credits %s + %s announced', b.debits_posted, b.debits_pending, b.credits_posted, b.credits_pending)
  FROM ledger.account a JOIN ledger.balance b ON b.account = a.no
 WHERE LEAST(b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending) < 0
    OR NOT a.may_overdraw AND CASE WHEN a.class IN (1, 5) THEN b.credits_posted + b.credits_pending > b.debits_posted
                                   ELSE b.debits_posted + b.debits_pending > b.credits_posted END`},

		{"within-limit", `
SELECT a.id, format('limit %s: debits %s + %s, credits %s + %s', a.max_balance, b.debits_posted, b.debits_pending, b.credits_posted, b.credits_pending)
  FROM ledger.account a JOIN ledger.balance b ON b.account = a.no
 WHERE a.max_balance > 0 AND CASE WHEN a.class IN (1, 5) THEN b.debits_posted + b.debits_pending - b.credits_posted > a.max_balance
                                  ELSE b.credits_posted + b.credits_pending - b.debits_posted > a.max_balance END`},
	}
}

func transferRules() []rule {
	return []rule{
		{"one-asset-per-transfer", `
SELECT t.id, format('debit %s, credit %s', d.asset, c.asset)
  FROM ledger.transfer t LEFT JOIN ledger.account d ON d.no = t.debit LEFT JOIN ledger.account c ON c.no = t.credit
 WHERE d.asset IS DISTINCT FROM c.asset OR d.asset IS NULL`},

		{"pending-resolved-once", `
SELECT p.id, format('%s posts and voids', count(*))
  FROM ledger.transfer r JOIN ledger.transfer p ON p.seq = r.pending GROUP BY p.id HAVING count(*) > 1`},

		{"resolution-fits-pending", `
SELECT r.id, CASE WHEN p.seq IS NULL THEN 'no such pending transfer' WHEN p.seq >= r.seq THEN 'resolved before it was made'
       WHEN r.amount > p.amount THEN format('posts %s of %s', r.amount, p.amount) ELSE 'names other accounts than its pending transfer' END
  FROM ledger.transfer r LEFT JOIN ledger.transfer p ON p.seq = r.pending AND p.kind = 2
 WHERE r.kind IN (3, 4) AND (p.seq IS NULL OR p.seq >= r.seq OR r.amount > p.amount OR (r.debit, r.credit) <> (p.debit, p.credit))`},

		{"posted-before-expiry", `
SELECT p.id, format('expired %s, posted %s', p.expires, b.booked)
  FROM ledger.transfer r JOIN ledger.transfer p ON p.seq = r.pending JOIN ledger.batch b ON b.no = r.batch
 WHERE r.kind = 3 AND b.booked >= p.expires`},

		{"holds-are-open-pendings", `
SELECT a.id, format('holds %s and %s, open pending transfers give %s and %s', b.debits_pending, b.credits_pending, coalesce(o.held, 0), coalesce(o.ahead, 0))
  FROM ledger.account a JOIN ledger.balance b ON b.account = a.no
  LEFT JOIN (SELECT account, sum(held) AS held, sum(ahead) AS ahead
               FROM ledger.transfer p CROSS JOIN LATERAL (VALUES (p.debit, p.amount, 0), (p.credit, 0, p.amount)) AS side (account, held, ahead)
              WHERE p.kind = 2 AND NOT EXISTS (SELECT FROM ledger.transfer r WHERE r.pending = p.seq)
              GROUP BY account) o ON o.account = a.no
 WHERE b.debits_pending <> coalesce(o.held, 0) OR b.credits_pending <> coalesce(o.ahead, 0)`},

		{"expiries-listed", `
SELECT coalesce(p.id, e.pending::text), CASE WHEN e.pending IS NULL THEN 'open with an end, and not listed' ELSE 'listed, and not open with this end' END
  FROM (SELECT * FROM ledger.transfer t WHERE kind = 2 AND expires IS NOT NULL AND NOT EXISTS (SELECT FROM ledger.transfer r WHERE r.pending = t.seq)) p
  FULL JOIN ledger.expiry e ON e.pending = p.seq AND e.expires = p.expires
 WHERE e.pending IS NULL OR p.seq IS NULL`},

		{"transactions-whole", `
SELECT x.id, format('%s legs booked, %s expected, in %s batches', count(t.seq), x.legs, count(DISTINCT t.batch))
  FROM ledger.transaction x LEFT JOIN ledger.transfer t ON t.seq >= x.seq AND t.seq < x.seq + x.legs AND t.transaction = x.seq AND t.batch = x.batch
 GROUP BY x.seq, x.id, x.legs HAVING count(t.seq) <> x.legs`},

		{"transfers-dense", `
SELECT 'ledger.transfer', format('%s rows from %s to %s, head at %s', count(*), min(seq), max(seq), (SELECT seq FROM ledger.head))
  FROM ledger.transfer HAVING count(*) <> (SELECT seq FROM ledger.head) OR coalesce(min(seq), 1) <> 1 OR coalesce(max(seq), 0) <> count(*)`},
	}
}

func assetRules() []rule {
	return []rule{
		{"debits-equal-credits", `
SELECT a.asset, format('debits %s, credits %s; pending debits %s, credits %s', sum(b.debits_posted), sum(b.credits_posted), sum(b.debits_pending), sum(b.credits_pending))
  FROM ledger.account a JOIN ledger.balance b ON b.account = a.no
 GROUP BY a.asset HAVING sum(b.debits_posted) <> sum(b.credits_posted) OR sum(b.debits_pending) <> sum(b.credits_pending)`},

		{"positions-recomputed", positionsRecomputed},

		{"liabilities-attested", `
SELECT asset, format('owes %s, attested %s', liability_credits - liability_debits, attested)
  FROM ledger.position WHERE liability_credits - liability_debits > attested`},
	}
}

// touches lists each transfer twice, once for each side: what the account held
// afterwards, and what the transfer did to it.
const touches = `
touch AS (
  SELECT t.seq, side.*, CASE t.kind WHEN 2 THEN 0 ELSE t.amount END AS moved,
         CASE t.kind WHEN 2 THEN t.amount WHEN 1 THEN 0 ELSE -p.amount END AS held
    FROM ledger.transfer t LEFT JOIN ledger.transfer p ON p.seq = t.pending
   CROSS JOIN LATERAL (VALUES
     (t.debit, true, t.debit_version, t.debit_prev, t.debit_debits, t.debit_credits, t.debit_holds, t.debit_announced),
     (t.credit, false, t.credit_version, t.credit_prev, t.credit_debits, t.credit_credits, t.credit_holds, t.credit_announced))
     AS side (account, debited, version, prev, debits, credits, holds, announced))`

// balancesRebuilt adds up every transfer of an account.
const balancesRebuilt = `
WITH ` + touches + `,
rebuilt AS (
  SELECT account, count(*) AS version, max(seq) AS last_seq,
         coalesce(sum(moved) FILTER (WHERE debited), 0) AS debits, coalesce(sum(moved) FILTER (WHERE NOT debited), 0) AS credits,
         coalesce(sum(held) FILTER (WHERE debited), 0) AS holds, coalesce(sum(held) FILTER (WHERE NOT debited), 0) AS announced
    FROM touch GROUP BY account)
SELECT a.id, format('stored version %s: %s %s %s %s; transfers give version %s: %s %s %s %s (debits, credits, held, announced)',
         b.version, b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending,
         coalesce(r.version, 0), coalesce(r.debits, 0), coalesce(r.credits, 0), coalesce(r.holds, 0), coalesce(r.announced, 0))
  FROM ledger.balance b LEFT JOIN ledger.account a ON a.no = b.account LEFT JOIN rebuilt r ON r.account = b.account
 WHERE (b.version, b.last_seq, b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending) IS DISTINCT FROM
       (coalesce(r.version, 0), coalesce(r.last_seq, 0), coalesce(r.debits, 0), coalesce(r.credits, 0), coalesce(r.holds, 0), coalesce(r.announced, 0))`

// accountSteps proves that no update was lost: the versions of an account are
// 1, 2, 3 …, each row names the one before, and the balances that it carries are
// those of the row before plus what it did.
const accountSteps = `
WITH ` + touches + `,
step AS (
  SELECT *, lag(seq, 1, 0::bigint) OVER w AS last_seq, lag(version, 1, 0::bigint) OVER w AS last_version,
         lag(debits, 1, 0::numeric) OVER w AS d, lag(credits, 1, 0::numeric) OVER w AS c,
         lag(holds, 1, 0::numeric) OVER w AS h, lag(announced, 1, 0::numeric) OVER w AS n
    FROM touch WINDOW w AS (PARTITION BY account ORDER BY seq))
SELECT coalesce(a.id, s.account::text), format('transfer %s is version %s after %s and does not follow from the transfer before', s.seq, s.version, s.last_version)
  FROM step s LEFT JOIN ledger.account a ON a.no = s.account
 WHERE s.version <> s.last_version + 1 OR s.prev <> s.last_seq
    OR s.debits <> s.d + CASE WHEN s.debited THEN s.moved ELSE 0 END
    OR s.credits <> s.c + CASE WHEN s.debited THEN 0 ELSE s.moved END
    OR s.holds <> s.h + CASE WHEN s.debited THEN s.held ELSE 0 END
    OR s.announced <> s.n + CASE WHEN s.debited THEN 0 ELSE s.held END`

// positionsRecomputed adds up liabilities and outflows from the transfers, and
// the attestations from their rows: of each source the newest counts, less what
// has left since the oldest of these.
const positionsRecomputed = `
WITH moved AS (
  SELECT t.seq, d.asset, t.amount, d.class = 2 AS debits_liability, c.class = 2 AS credits_liability,
         c.class = 1 AND c.id LIKE 'custody/%' AND NOT (d.class = 1 AND d.id LIKE 'custody/%') AS leaves
    FROM ledger.transfer t JOIN ledger.account d ON d.no = t.debit JOIN ledger.account c ON c.no = t.credit
   WHERE t.kind IN (1, 3)),
total AS (
  SELECT asset, coalesce(sum(amount) FILTER (WHERE debits_liability), 0) AS debits, coalesce(sum(amount) FILTER (WHERE credits_liability), 0) AS credits,
         coalesce(sum(amount) FILTER (WHERE leaves), 0) AS outflow_sum, count(*) FILTER (WHERE leaves) AS outflows
    FROM moved GROUP BY asset),
newest AS (SELECT DISTINCT ON (asset, source) asset, source, amount, outflows FROM ledger.attestation ORDER BY asset, source, batch DESC, ordinal DESC),
claims AS (SELECT asset, sum(amount) AS amount, min(outflow_sum) AS oldest FROM ledger.attested GROUP BY asset),
recomputed AS (
  SELECT asset, coalesce(t.debits, 0) AS debits, coalesce(t.credits, 0) AS credits, coalesce(t.outflow_sum, 0) AS outflow_sum, coalesce(t.outflows, 0) AS outflows,
         greatest(coalesce(c.amount, 0) - (coalesce(t.outflow_sum, 0) - coalesce(c.oldest, coalesce(t.outflow_sum, 0))), 0) AS attested
    FROM total t FULL JOIN claims c USING (asset))
SELECT asset, format('stored %s %s %s %s %s, rows give %s %s %s %s %s (liability debits, credits, outflow, outflows, attested)',
         p.liability_debits, p.liability_credits, p.outflow_sum, p.outflows, p.attested, r.debits, r.credits, r.outflow_sum, r.outflows, r.attested)
  FROM recomputed r FULL JOIN ledger.position p USING (asset)
 WHERE (coalesce(p.liability_debits, 0), coalesce(p.liability_credits, 0), coalesce(p.outflow_sum, 0), coalesce(p.outflows, 0), coalesce(p.attested, 0))
       IS DISTINCT FROM (coalesce(r.debits, 0), coalesce(r.credits, 0), coalesce(r.outflow_sum, 0), coalesce(r.outflows, 0), coalesce(r.attested, 0))
UNION ALL
SELECT coalesce(n.asset, a.asset), format('source %s: stored claim %s, newest attestation %s', coalesce(n.source, a.source), a.amount, n.amount)
  FROM newest n FULL JOIN ledger.attested a USING (asset, source) WHERE a.amount IS DISTINCT FROM n.amount
UNION ALL
SELECT n.asset, format('source %s: stored outflow total %s, the first %s outflows give %s', n.source, a.outflow_sum, n.outflows, l.amount)
  FROM newest n JOIN ledger.attested a USING (asset, source)
 CROSS JOIN LATERAL (SELECT coalesce(sum(amount), 0) AS amount FROM
   (SELECT m.amount FROM moved m WHERE m.asset = n.asset AND m.leaves ORDER BY m.seq LIMIT n.outflows) first) l
 WHERE a.outflow_sum <> l.amount`
