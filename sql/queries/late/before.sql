-- The newest closed night that found no night before to continue from, with how many entries the ledger had before it; and whether the newest
-- closing up to this night that was compared with the ledger did not tie.
SELECT b.business_date, b.entries,
       coalesce((SELECT c.difference <> 0 FROM reconciler.control_totals c
                 WHERE c.business_date <= @date::date AND c.control = @control::text
                 ORDER BY c.business_date DESC LIMIT 1), false) AS untied
FROM reconciler.ledger_before b
JOIN reconciler.roll_forward f ON f.business_date = b.business_date AND f.measure = 'credits'
ORDER BY b.business_date DESC
LIMIT 1
