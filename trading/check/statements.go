package check

// statement is SQL whose every row breaks an invariant.
type statement struct{ invariant, sql string }

// moves is what each event of shard $1 moved into an account (out of it where negative),
// from the rows of trades and transfers alone. The buyer pays its fee in the base asset,
// the seller in the quote asset, both to account 0.
const moves = `
deal AS (
  SELECT t.seq, m.base, m.quote, t.qty * m.lot_units AS base_units, t.price::numeric * t.qty * m.tick_units AS quote_units,
         CASE t.taker_side WHEN 0 THEN t.taker_account ELSE t.maker_account END AS buyer,
         CASE t.taker_side WHEN 0 THEN t.maker_account ELSE t.taker_account END AS seller,
         CASE t.taker_side WHEN 0 THEN t.taker_fee ELSE t.maker_fee END AS buyer_fee,
         CASE t.taker_side WHEN 0 THEN t.maker_fee ELSE t.taker_fee END AS seller_fee
    FROM trading.trade t JOIN trading.market m ON m.shard = t.shard AND m.no = t.market
   WHERE t.shard = $1::integer
), moves AS (
  SELECT d.seq, v.account, v.asset, v.amount
    FROM deal d CROSS JOIN LATERAL (VALUES
      (buyer, base, base_units - buyer_fee), (seller, base, -base_units), (0::bigint, base, buyer_fee),
      (seller, quote, quote_units - seller_fee), (buyer, quote, -quote_units), (0::bigint, quote, seller_fee)
    ) AS v(account, asset, amount)
  UNION ALL
  SELECT engine_seq, account, asset, CASE WHEN inward THEN amount ELSE -amount END
    FROM trading.transfer WHERE shard = $1::integer AND engine_seq IS NOT NULL AND code = 0
)`

// held is what the ledger has in each purse, without what is between it and the engine.
const held = `
held AS (
  SELECT p.account, p.asset, b.credits_posted - b.debits_posted - coalesce(o.amount, 0) AS amount
    FROM trading.purse p JOIN ledger.account a ON a.id = p.ledger JOIN ledger.balance b ON b.account = a.no
    LEFT JOIN (
      SELECT account, asset, sum(amount) AS amount FROM trading.transfer
       WHERE shard = $1::integer AND CASE WHEN inward THEN NOT returned AND (engine_seq IS NULL OR code <> 0)
                                 ELSE NOT booked AND engine_seq IS NOT NULL AND code = 0 END
       GROUP BY account, asset
    ) o ON o.account = p.account AND o.asset = p.asset
   WHERE p.shard = $1::integer
)`

func statements() []statement {
	return []statement{
		{"settled batches follow each other", `
			SELECT 'batch ' || first_seq, CASE WHEN first_seq <> expected THEN 'begins at ' || first_seq || ', the one before ends before ' || expected
			                              ELSE 'is of epoch ' || epoch || ', after ' || before END
			  FROM (SELECT first_seq, epoch, coalesce(lag(last_seq) OVER w + 1, 1) AS expected, coalesce(lag(epoch) OVER w, 0) AS before
			          FROM trading.batch WHERE shard = $1 WINDOW w AS (ORDER BY first_seq)) b
			 WHERE first_seq <> expected OR epoch < before`},
		{"the cursor is behind the last batch", `
			SELECT 'shard ' || s.id, 'next ' || s.next_seq || ', the last batch ends at ' || coalesce(b.last_seq, 0)
			  FROM trading.shard s LEFT JOIN LATERAL (SELECT max(last_seq) AS last_seq FROM trading.batch WHERE shard = s.id) b ON true
			 WHERE s.id = $1 AND s.next_seq <> coalesce(b.last_seq, 0) + 1`},
		{"each trade is of a settled batch", `
			SELECT 'trade ' || t.seq, 'no batch has it'
			  FROM trading.trade t
			 WHERE t.shard = $1 AND NOT EXISTS (SELECT 1 FROM trading.shard s WHERE s.id = t.shard AND t.seq BETWEEN 1 AND s.next_seq - 1)`},
		{"checkpoints agree", `
			SELECT 'checkpoint ' || seq, 'the ledger had another digest than the engine, ' || to_hex(digest)
			  FROM trading.checkpoint WHERE shard = $1 AND NOT agrees`},
		{"trading balances are what trades and transfers made", `
			WITH ` + moves + `, ` + held + `,
			made AS (SELECT account, asset, sum(amount) AS amount FROM moves GROUP BY account, asset)
			SELECT 'account ' || coalesce(m.account, h.account) || ', asset ' || coalesce(m.asset, h.asset),
			       'ledger ' || coalesce(h.amount, 0) || ', trades and transfers ' || coalesce(m.amount, 0)
			  FROM made m FULL JOIN held h ON h.account = m.account AND h.asset = m.asset
			 WHERE coalesce(m.amount, 0) <> coalesce(h.amount, 0)`},
		{"transfers end", `
			SELECT r.id, r.direction || ' of ' || r.amount || ' ' || r.asset || ' is pending since ' || r.created_at
			  FROM funding.request r WHERE r.state = 'pending' AND r.created_at < $2`},
		{"each transfer has its request", `
			SELECT t.id, 'nobody asked for it' FROM trading.transfer t
			 WHERE t.shard = $1 AND NOT EXISTS (SELECT 1 FROM funding.request r WHERE r.id = t.id)`},
		{"transfers ended as ledger and engine say", `
			SELECT r.id, r.state || ': inward ' || t.inward || ', booked ' || t.booked || ', returned ' || t.returned || ', engine at ' || coalesce(t.engine_seq::text, 'none') || ' with code ' || t.code
			  FROM funding.request r JOIN trading.transfer t ON t.id = r.id
			 WHERE NOT CASE r.state
			   WHEN 'done' THEN t.booked AND NOT t.returned AND t.engine_seq IS NOT NULL AND t.code = 0
			   WHEN 'refused' THEN t.code <> 0 AND t.booked = t.inward AND t.returned = t.inward
			   ELSE true END`},
		{"requests say what their transfers move", `
			SELECT r.id, 'asked for ' || r.amount || ' ' || r.asset || ' ' || r.direction || ', moves ' || t.amount || ' ' || s.code
			  FROM funding.request r JOIN trading.transfer t ON t.id = r.id JOIN trading.asset s ON s.no = t.asset JOIN trading.account a ON a.no = t.account
			 WHERE r.amount <> t.amount OR r.asset <> s.code OR (r.direction = 'to_trading') <> t.inward OR a.customer <> r.customer`},
	}
}
