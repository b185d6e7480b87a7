UPDATE reconciler.runs
SET status = @status::text, counts = @counts::jsonb, error = @error::text, finished_at = @ended_at::timestamptz
WHERE business_date = @date::date AND job = @ended::text AND revision = @revision::int
