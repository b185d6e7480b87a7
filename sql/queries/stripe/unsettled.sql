-- Objects whose state may still change and that are too old to be listed anyway: they are asked for one by one.
SELECT stream, id FROM (
    SELECT 'charges' AS stream, id, created_at FROM reconciler.stripe_charges
    WHERE status = 'pending' OR (status = 'succeeded' AND balance_transaction_id = '' AND created_at >= to_timestamp(@since::bigint))
        -- More may be captured of it. Once a part has been, decisions wait for the rest to be captured or released, however long that takes.
        OR (status = 'succeeded' AND NOT captured AND (captured_minor > 0 OR created_at >= to_timestamp(@since::bigint)))
    UNION ALL
    SELECT 'refunds', id, created_at FROM reconciler.stripe_refunds
    WHERE status NOT IN ('succeeded', 'failed', 'canceled')
    UNION ALL
    SELECT 'disputes', id, created_at FROM reconciler.stripe_disputes
    WHERE status NOT IN ('won', 'lost', 'warning_closed')
    UNION ALL
    SELECT 'payouts', id, created_at FROM reconciler.stripe_payouts
    WHERE status NOT IN ('paid', 'failed', 'canceled') OR (automatic AND NOT broken_down)
    UNION ALL
    SELECT 'invoices', id, created_at FROM reconciler.stripe_invoices
    WHERE status NOT IN ('paid', 'void', 'uncollectible', 'deleted')
        OR (status = 'uncollectible' AND created_at >= to_timestamp(@since::bigint)) -- may be paid or voided after all
    UNION ALL
    SELECT 'balance_transactions', id, created_at FROM reconciler.stripe_balance_transactions
    WHERE status <> 'available' AND created_at < to_timestamp(@pending_before::bigint) -- younger ones were listed again
    UNION ALL
    SELECT 'payment_intents', id, '-infinity' FROM reconciler.stripe_payment_intents
    WHERE status NOT IN ('succeeded', 'canceled')
) unsettled
WHERE created_at < to_timestamp(@before::bigint)
ORDER BY stream, id
