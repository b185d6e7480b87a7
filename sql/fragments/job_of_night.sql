-- Jobs created or finished in the night, and those whose time can't say of which night they are.
(created_at >= @begin::timestamptz AND created_at < @end::timestamptz OR finished_at >= @begin::timestamptz AND finished_at < @end::timestamptz
 OR created_at IS NULL OR created_at < timestamptz '2000-01-01 00:00:00Z' OR created_at > timestamptz '2199-12-31 23:59:59Z')
