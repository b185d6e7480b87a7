-- What the journal has to tie to: each pair must be equal.
SELECT 'journal entries balance' AS check_name, 'entries' AS unit, count(*) AS scanned, count(*) FILTER (WHERE balanced) AS matched
FROM (SELECT bool_and(net = 0) AS balanced
      FROM (SELECT account_id, entry_id, currency, sum(amount_minor) AS net FROM reconciler.journal_lines WHERE business_date = @date::date GROUP BY 1, 2, 3) x
      GROUP BY x.account_id, x.entry_id) e
UNION ALL
SELECT 'journal ties to roll-forward', f.measure, f.closing,
       coalesce((SELECT -sum(b.closing) FROM reconciler.ledger_balances b
                 WHERE b.business_date = @date::date AND b.currency = f.measure AND b.role IN ('refund_liability', 'contract_liability', 'credits_held')), 0)
FROM reconciler.roll_forward f
JOIN reconciler.book_closings k ON k.business_date = f.business_date
WHERE f.business_date = @date::date
UNION ALL
SELECT 'refund liability ties to open windows', s.measure, s.refundable_closing,
       coalesce((SELECT -b.closing FROM reconciler.ledger_balances b
                 WHERE b.business_date = @date::date AND b.currency = s.measure AND b.role = 'refund_liability'), 0)
FROM reconciler.liability_split s WHERE s.business_date = @date::date AND s.measure <> 'credits'
UNION ALL
SELECT 'journal ties to the balance at Stripe', c.currency,
       -- A night run again sees what arrived since, which a later night has booked.
       (c.closing_minor - coalesce((SELECT sum(t.net_minor) FROM reconciler.stripe_late l JOIN reconciler.stripe_balance_transactions t ON t.id = l.id
                                    WHERE l.created_at < k.stripe_through AND t.currency = c.currency AND (l.booked_on IS NULL OR l.booked_on > @date::date)), 0)),
       coalesce((SELECT b.closing FROM reconciler.ledger_balances b
                 WHERE b.business_date = @date::date AND b.currency = c.currency AND b.role = 'stripe_balance'), 0)
FROM reconciler.stripe_cash c
JOIN reconciler.book_closings k ON k.business_date = c.business_date AND k.stripe_opened AND k.stripe_through > k.stripe_from
WHERE c.business_date = @date::date
ORDER BY 1, 2
