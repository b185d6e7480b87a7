-- Purchases to compare with Stripe: those completed since a counterpart could have been awaited, and those whose payment moved since.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', x.id, x.in_scan
FROM (
    SELECT p.id, true AS in_scan
    FROM {{ valid_purchases }} p
    WHERE p.status = 'completed' AND p.completed_at >= @since::timestamptz AND p.completed_at < @as_of::timestamptz
    UNION
    SELECT p.id, p.status = 'completed' AND p.completed_at >= @since::timestamptz AND p.completed_at < @as_of::timestamptz
    FROM (
        SELECT c.id FROM reconciler.stripe_charges c
        WHERE c.created_at >= @since::timestamptz AND c.created_at < @as_of::timestamptz
        UNION
        SELECT h.object_id FROM reconciler.stripe_states h
        WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz
        UNION
        -- Bank debits that may still be pending, those whose time is up since the last night among them.
        SELECT c.id FROM reconciler.stripe_charges c
        WHERE c.method <> 'card' AND c.created_at >= @async_from::timestamptz AND c.created_at < @since::timestamptz
    ) moved
    JOIN reconciler.stripe_charges c ON c.id = moved.id
    CROSS JOIN LATERAL {{ purchase_of_charge }} p
) x
