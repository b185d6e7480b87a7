DELETE FROM reconciler.booked_purchases
WHERE booked_at >= @begin::timestamptz AND booked_at < @end::timestamptz AND NOT is_late
