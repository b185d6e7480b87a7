-- The roll-forward in credits: what the ledger's entries of the night say by kind, and what the lots say on their own.
INSERT INTO reconciler.roll_forward (business_date, measure, opening, purchases, promotions, usage, credit_backs, refunds, adjustments,
                                     late_items, closing_from_lots)
SELECT @date::date, 'credits', coalesce(p.closing, @ledger_before::numeric), @purchases::numeric, @promotions::numeric, @usage::numeric,
       @credit_backs::numeric, @refunds::numeric, @adjustments::numeric, @late_items::numeric,
       CASE WHEN p.measure IS NULL THEN @lots_closing::numeric ELSE p.closing_from_lots + @lots_closing::numeric - @lots_opening::numeric END
FROM (SELECT 1) one
LEFT JOIN reconciler.roll_forward p ON p.business_date = @date::date - 1 AND p.measure = 'credits' AND @continues::boolean
