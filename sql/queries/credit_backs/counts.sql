SELECT count(*) FILTER (WHERE c.decision <> 'pending')::text AS decided, count(*) FILTER (WHERE c.decision = 'pending')::text AS pending
FROM reconciler.credit_backs c
WHERE c.business_date = @date::date AND c.finished_at >= @begin::timestamptz AND c.finished_at < @end::timestamptz AND c.status IN ('failed', 'interrupted', 'canceled')
