-- Read back: each measure's closing against the lots, and its opening against the closing of the night before, which for credits is
-- taken from what that night says it had read of the ledger.
SELECT f.measure, f.closing, f.closing_from_lots, f.opening,
       coalesce(CASE WHEN f.measure = 'credits' THEN p.opening + t.amount + coalesce(l.credits, 0) END, p.closing, f.opening) AS previous_closing
FROM reconciler.roll_forward f
LEFT JOIN reconciler.roll_forward p ON p.business_date = f.business_date - 1 AND p.measure = f.measure
LEFT JOIN reconciler.input_totals t ON t.business_date = f.business_date - 1 AND t.relation = 'credit_entries'
LEFT JOIN (SELECT booked_on, sum(credits) AS credits FROM reconciler.late_items WHERE booked_on = @date::date - 1 GROUP BY 1) l ON true
WHERE f.business_date = @date::date
ORDER BY f.measure <> 'credits', f.measure COLLATE "C"
