-- The least that reading the night can cost.
SELECT (SELECT count(*) FROM source.jobs WHERE finished_at >= @begin::timestamptz AND finished_at < @end::timestamptz)
     + (SELECT count(*) FROM source.credit_entries WHERE created_at >= @begin::timestamptz AND created_at < @end::timestamptz)
