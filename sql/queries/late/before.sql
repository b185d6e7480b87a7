-- The newest closed night that found no night before to continue from, where one has noted it, with how many entries the ledger had before it; whether
-- the newest closing up to this night that was compared with the ledger did not tie; and whether the night before this one has been closed and ties, so
-- that this one can continue from there.
SELECT b.business_date IS NOT NULL AS noted, b.business_date, coalesce(b.entries, 0) AS entries,
       coalesce((SELECT c.difference <> 0 FROM reconciler.control_totals c
                 WHERE c.business_date <= @date::date AND c.control = @control::text
                 ORDER BY c.business_date DESC LIMIT 1), false) AS untied,
       (SELECT coalesce(bool_and(f.closing = f.closing_from_lots) AND bool_or(f.measure = 'credits'), false)
        FROM reconciler.roll_forward f WHERE f.business_date = @date::date - 1) AS continues
FROM (SELECT 1) one
LEFT JOIN (SELECT b.business_date, b.entries
           FROM reconciler.ledger_before b
           JOIN reconciler.roll_forward f ON f.business_date = b.business_date AND f.measure = 'credits'
           ORDER BY b.business_date DESC
           LIMIT 1) b ON true
