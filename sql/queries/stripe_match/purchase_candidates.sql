-- Purchases to compare with Stripe: those completed since a counterpart could have been awaited, those whose payment moved since, and those that the
-- night before has found changed in place, unless a break about them had it look; and those that arrived late.
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
    UNION
    SELECT p.id, p.status = 'completed' AND p.completed_at >= @since::timestamptz AND p.completed_at < @as_of::timestamptz
    FROM reconciler.platform_states t
    JOIN {{ valid_purchases }} p ON p.id = t.row_id AND p.account_id = t.account_id
    WHERE t.relation = 'purchases' AND t.seen_as_of >= @unseen::timestamptz AND t.seen_as_of < @as_of::timestamptz
      AND NOT EXISTS (SELECT FROM reconciler.breaks b
                      WHERE b.account_id = p.account_id AND b.subject_id = p.id AND b.job = @job::text AND b.opened_on < @date::date - 1
                        AND b.closed_on >= @date::date - 1)
    UNION
    SELECT p.id, p.completed_at >= @since::timestamptz
    FROM reconciler.rescans r
    JOIN {{ valid_purchases }} p ON p.status = 'completed' AND p.completed_at >= r.begins AND p.completed_at < r.ends AND p.completed_at < @as_of::timestamptz
    WHERE r.relation = 'purchases' AND r.business_date >= (@unseen::timestamptz AT TIME ZONE @zone::text)::date AND r.business_date <= @date::date
      AND NOT EXISTS (SELECT FROM reconciler.booked_purchases b WHERE b.account_id = p.account_id AND b.purchase_id = p.id AND b.booked_at < @unseen::timestamptz)
) x
