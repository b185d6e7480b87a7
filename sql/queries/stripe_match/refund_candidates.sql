-- Refunds made, or changed, since a counterpart could have been awaited.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', r.id, r.created_at >= @since::timestamptz
FROM {{ refunds_as_of }} r
WHERE r.created_at >= @since::timestamptz
   OR r.id IN (SELECT h.object_id FROM reconciler.stripe_states h
               WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz)
