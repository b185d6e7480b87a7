-- Charges that brought money in since a counterpart could have been awaited, also those that were pending before.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', c.id, c.created_at >= @since::timestamptz
FROM (
    SELECT c.id FROM reconciler.stripe_charges c
    WHERE c.created_at >= @since::timestamptz AND c.created_at < @as_of::timestamptz
    UNION
    SELECT h.object_id FROM reconciler.stripe_states h
    WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz
) moved
JOIN reconciler.stripe_charges c ON c.id = moved.id
