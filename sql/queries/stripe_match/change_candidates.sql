-- Changes of plan that took effect since a counterpart could have been awaited, and those of earlier nights in which some arrived late.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', h.id, h.effective_at >= @since::timestamptz
FROM {{ valid_subscription_changes }} h
WHERE h.effective_at < @as_of::timestamptz AND (h.effective_at >= @since::timestamptz OR {{ change_is_late }})
