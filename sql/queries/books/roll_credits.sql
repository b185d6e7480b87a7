-- The roll-forward in credits: what the ledger's entries of the night say by kind, and what the lots say on their own.
INSERT INTO reconciler.roll_forward (business_date, measure, opening, purchases, promotions, usage, credit_backs, refunds, adjustments,
                                     late_items, closing_from_lots)
SELECT @date::date, 'credits', coalesce(p.closing, @ledger_before::numeric),
       coalesce(sum(e.credits) FILTER (WHERE e.kind = 'purchase'), 0),
       coalesce(sum(e.credits) FILTER (WHERE e.kind = 'promo'), 0),
       coalesce(sum(e.credits) FILTER (WHERE e.kind = 'usage'), 0),
       coalesce(sum(e.credits) FILTER (WHERE e.kind = 'credit_back'), 0),
       coalesce(sum(e.credits) FILTER (WHERE e.kind IN ('refund', 'refund_reversal')), 0),
       coalesce(sum(e.credits) FILTER (WHERE e.kind = 'adjustment'), 0),
       coalesce(sum(e.credits) FILTER (WHERE e.kind = 'late'), 0),
       CASE WHEN p.measure IS NULL THEN @lots_closing::numeric ELSE p.closing_from_lots + @lots_closing::numeric - @lots_opening::numeric END
FROM (SELECT CASE WHEN late THEN 'late' ELSE kind END AS kind, sum(credits) AS credits FROM {{ entries_of_night }} x GROUP BY 1) e
RIGHT JOIN (SELECT 1) one ON true
LEFT JOIN reconciler.roll_forward p ON p.business_date = @date::date - 1 AND p.measure = 'credits'
GROUP BY p.measure, p.closing, p.closing_from_lots
