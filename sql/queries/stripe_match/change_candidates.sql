-- Changes of plan that took effect since a counterpart could have been awaited.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', h.id, true
FROM {{ valid_subscription_changes }} h
WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz
