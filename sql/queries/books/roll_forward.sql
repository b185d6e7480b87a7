-- The roll-forward in credits: what the ledger's entries of the night say by kind, and what the lots say on their own. And in money: what was paid for
-- the lots, and how the value of what is left of them moved. Purchases are what the subledger says on its own. Usage has the night's debits, and what
-- new lots covered of debits before.
INSERT INTO reconciler.roll_forward (business_date, measure, opening, purchases, promotions, usage, credit_backs, refunds, adjustments,
                                     late_items, closing_from_lots)
SELECT @date::date, 'credits', coalesce(p.closing, @ledger_before::numeric), @purchases::numeric, @promotions::numeric, @usage::numeric,
       @credit_backs::numeric, @refunds::numeric, @adjustments::numeric, @late_items::numeric,
       CASE WHEN p.measure IS NULL THEN @lots_closing::numeric ELSE p.closing_from_lots + @lots_closing::numeric - @lots_opening::numeric END
FROM (SELECT 1) one
LEFT JOIN reconciler.roll_forward p ON p.business_date = @date::date - 1 AND p.measure = 'credits' AND @continues::boolean
UNION ALL
SELECT @date::date, c.currency, coalesce(p.closing, CASE WHEN NOT @continues::boolean THEN s.opening END, 0), coalesce(b.purchases, 0), 0,
       coalesce(s.after_usage - s.after_adjustments + s.after_lots - s.opening - s.purchased, 0),
       coalesce(s.after_credit_backs - s.after_usage, 0), coalesce(s.after_refunds - s.after_lots, 0),
       coalesce(s.after_adjustments - s.after_refunds, 0), coalesce(s.closing - s.after_credit_backs - s.late_purchased, 0) + coalesce(b.late_purchases, 0),
       coalesce(p.closing_from_lots, 0) + coalesce(s.closing, 0) - CASE WHEN @continues::boolean THEN coalesce(s.opening, 0) ELSE 0 END
FROM (SELECT currency FROM reconciler.liability_steps WHERE business_date = @date::date
      UNION SELECT measure FROM reconciler.roll_forward WHERE business_date = @date::date - 1 AND measure <> 'credits' AND @continues::boolean) c
LEFT JOIN reconciler.liability_steps s ON s.business_date = @date::date AND s.currency = c.currency
LEFT JOIN reconciler.roll_forward p ON p.business_date = @date::date - 1 AND p.measure = c.currency AND @continues::boolean
LEFT JOIN (SELECT currency, sum(amount_minor - tax_minor) FILTER (WHERE NOT is_late) AS purchases, sum(amount_minor - tax_minor) FILTER (WHERE is_late) AS late_purchases
           FROM reconciler.booked_purchases
           WHERE booked_at >= @begin::timestamptz AND booked_at < @end::timestamptz AND (kind = 'credits' OR credits > 0)
           GROUP BY 1) b ON b.currency = c.currency
