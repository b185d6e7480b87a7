-- Booked purchases whose money may be refunded: is_before as the night opens, sales of the night included, is_after as it closes. What
-- was open at the end of the night before is open as this one begins; for the first night its own windows say it.
(SELECT account_id, purchase_id, min(currency) AS currency, min(amount_minor) AS amount_minor, min(credits) AS credits,
        bool_or(is_opening) AS is_opening, bool_or(is_before) AS is_before, bool_or(is_after) AS is_after
 FROM (SELECT w.account_id, w.purchase_id, b.currency, b.amount_minor - b.tax_minor AS amount_minor, b.credits, true AS is_opening, true AS is_before, false AS is_after
       FROM reconciler.refund_windows w
       JOIN reconciler.booked_purchases b ON b.account_id = w.account_id AND b.purchase_id = w.purchase_id AND b.booked_at < @begin::timestamptz
       WHERE w.business_date = @date::date - 1 AND w.state IN ('open', 'requested') AND @continues::boolean
       UNION ALL
       SELECT w.account_id, w.purchase_id, b.currency, b.amount_minor - b.tax_minor AS amount_minor, b.credits, true, true, false
       FROM reconciler.refund_windows w
       JOIN reconciler.booked_purchases b ON b.account_id = w.account_id AND b.purchase_id = w.purchase_id AND b.booked_at < @begin::timestamptz
       WHERE w.business_date = @date::date AND w.state_before IN ('open', 'requested') AND NOT @continues::boolean
       UNION ALL
       SELECT b.account_id, b.purchase_id, b.currency, b.amount_minor - b.tax_minor AS amount_minor, b.credits, false, true, false
       FROM reconciler.booked_purchases b
       WHERE b.booked_at >= @begin::timestamptz AND b.booked_at < @end::timestamptz AND b.kind = 'credits'
       UNION ALL
       SELECT w.account_id, w.purchase_id, b.currency, b.amount_minor - b.tax_minor AS amount_minor, b.credits, false, false, true
       FROM reconciler.refund_windows w
       JOIN reconciler.booked_purchases b ON b.account_id = w.account_id AND b.purchase_id = w.purchase_id AND b.booked_at < @end::timestamptz
       WHERE w.business_date = @date::date AND w.state IN ('open', 'requested')) s
 GROUP BY 1, 2)
