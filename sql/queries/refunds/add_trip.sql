INSERT INTO reconciler.refund_trips (plan_id, trip_no, business_date, breaker, measured, allowed, detail, at)
SELECT @plan_id::text, coalesce(max(trip_no), 0) + 1, @date::date, @breaker::text, @measured::text, @allowed::text, @detail::text, @at::timestamptz
FROM reconciler.refund_trips
WHERE plan_id = @plan_id::text
RETURNING trip_no
